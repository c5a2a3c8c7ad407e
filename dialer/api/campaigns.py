"""Campaigns (section 5 of the contract, but for their contacts)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import AliasChoices, Field

from dialer.api.auth import may, own_team
from dialer.api.context import Context
from dialer.api.shapes import (
    OMITTED,
    Answer,
    Body,
    Count,
    Id,
    Instant,
    JsonObject,
    Line,
    Name,
    Page,
    PageQuery,
    Prose,
    Query,
    Record,
)
from dialer.domain.cursor import CAMPAIGNS
from dialer.domain.keys import Caller
from dialer.domain.machine import CampaignStatus
from dialer.flows.campaigns.create import NewCampaign, create_campaign
from dialer.flows.campaigns.dashboard import dashboard_of
from dialer.flows.campaigns.edit import delete_campaign, edit_campaign
from dialer.flows.campaigns.look import get_campaign, list_campaigns
from dialer.flows.campaigns.run import run_campaign
from dialer.flows.campaigns.stop import InFlight, cancel_campaign, pause_campaign, resume_campaign

router = APIRouter(tags=["campaigns"])
Reader = Annotated[Caller, may("campaigns:read")]
Writer = Annotated[Caller, may("campaigns:write")]
Runner = Annotated[Caller, may("campaigns:run")]

Numbers = Annotated[list[Id], Field(min_length=1, max_length=500)]
NUMBERS = AliasChoices("fromNumberIds", "phoneNumberIds", "from_number_ids", "phone_number_ids")
Attempts = Annotated[int, Field(ge=1, le=50)]
ATTEMPTS = AliasChoices("maxAttemptsPerContact", "maxRetries", "max_attempts_per_contact", "max_retries")
Delay = Annotated[int, Field(ge=0, le=10_080)]
Clock = Annotated[Line, Field(examples=["09:00"])]
Shown = Annotated[int, Field(ge=1, le=100)]


def _omitted(names: AliasChoices) -> Any:
    """`OMITTED` for a field with an alias."""
    return Field(default_factory=lambda: None, validation_alias=names)


class NewCampaignBody(Body):
    team_id: Id
    assistant_id: Id
    company_id: Id | None = None
    from_number_ids: Numbers = Field(validation_alias=NUMBERS, description="Alias: `phoneNumberIds`")
    name: Name
    description: Prose | None = None
    scheduled_start_at: Instant | None = Field(default=None, description="Sets the status `scheduled`; without it `draft`")
    call_window_start: Clock = "09:00"
    call_window_end: Clock = "17:00"
    call_window_timezone: Line = "America/New_York"
    max_concurrent_calls: Count = 3
    max_attempts_per_contact: Attempts = Field(
        default=3, validation_alias=ATTEMPTS, description="The first call included. Alias: `maxRetries`, with the same meaning"
    )
    retry_delay_minutes: Delay = 60
    settings: JsonObject = Field(default_factory=dict)


class CampaignChange(Body):
    assistant_id: Id = OMITTED
    company_id: Id | None = None
    from_number_ids: Numbers = _omitted(NUMBERS)
    name: Name = OMITTED
    description: Prose | None = None
    status: Literal["running", "paused", "cancelled", "scheduled", "draft"] = OMITTED
    scheduled_start_at: Instant | None = None
    call_window_start: Clock = OMITTED
    call_window_end: Clock = OMITTED
    call_window_timezone: Line = OMITTED
    max_concurrent_calls: Count = OMITTED
    max_attempts_per_contact: Attempts = _omitted(ATTEMPTS)
    retry_delay_minutes: Delay = OMITTED
    settings: JsonObject | None = Field(default=None, description="Merged key by key; null clears a key, or all of them")


class CampaignQuery(PageQuery):
    status: CampaignStatus | None = None
    assistant_id: Id | None = None
    deleted: Literal["exclude", "include", "only"] = "exclude"


class RunBody(Body):
    account_slug: Line | None = Field(default=None, description="Accepted and not needed: the key says whose campaign it is")
    max_calls: Count | None = Field(
        default=None,
        validation_alias=AliasChoices("maxCalls", "max_calls", "limit"),
        description="Caps the calls that this run starts, retries included",
    )
    dry_run: bool = Field(default=False, description="Decide, and place and write nothing")


class StopBody(Body):
    in_flight: Literal["finish", "hangUp"] = Field(default="finish", description="What becomes of calls that are under way")


class ResumeBody(Body):
    in_flight: Literal["finish", "hangUp"] | None = Field(default=None, description="Accepted and without effect")


class DashboardQuery(Query):
    limit_pending: Shown = 25
    limit_calling: Shown = 25
    limit_calls: Shown = 25


class Campaign(Record):
    id: str
    team_id: str
    assistant_id: str
    company_id: str | None
    name: str
    description: str | None
    status: CampaignStatus
    from_number: str | None
    from_number_ids: list[str]
    scheduled_start_at: datetime | None
    call_window_start: str
    call_window_end: str
    call_window_timezone: str
    max_concurrent_calls: int
    max_attempts_per_contact: int
    retry_delay_minutes: int
    settings: dict[str, Any]
    total_contacts: int
    contacts_called: int
    contacts_completed: int
    contacts_answered: int
    started_at: datetime | None
    completed_at: datetime | None
    pause_reason: str | None
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime


class CampaignAnswer(Answer):
    campaign: Campaign


class CampaignPage(Page):
    campaigns: list[Campaign]


class RunCall(Record):
    campaign_contact_id: str
    contact_id: str
    to_number: str
    from_number: str
    status: str


class RunAnswer(Answer):
    started: int
    failed: int
    calls: list[RunCall]
    errors: list[str]
    message: str
    dry_run: bool = Field(serialization_alias="dryRun")


class DashboardAnswer(Answer):
    campaign: Campaign
    counts: dict[str, Any]
    queue: dict[str, list[dict[str, Any]]]
    recent_calls: list[dict[str, Any]]
    pace: dict[str, Any]


def _answer(row: Any) -> CampaignAnswer:
    return CampaignAnswer.model_validate({"campaign": row})


@router.post("/campaigns", summary="Create a campaign")
async def create(body: NewCampaignBody, caller: Writer, context: Context) -> CampaignAnswer:
    team = own_team(caller, body.team_id)
    new = NewCampaign(**body.given(without=frozenset({"team_id"})))
    return _answer(await create_campaign(context.database, team, caller.actor, new))


@router.get("/campaigns", summary="List campaigns, newest first")
async def index(query: Annotated[CampaignQuery, FromQuery()], caller: Reader, context: Context) -> CampaignPage:
    rows, count = await list_campaigns(
        context.database,
        own_team(caller, query.team_id),
        status=query.status,
        assistant=query.assistant_id,
        deleted=query.deleted,
        limit=query.limit,
        offset=query.offset,
        after=query.after(CAMPAIGNS),
    )
    return CampaignPage.model_validate({"campaigns": rows, **query.page(CAMPAIGNS, rows, count)})


@router.get("/campaigns/{id}", summary="One campaign")
async def show(id: str, caller: Reader, context: Context) -> CampaignAnswer:
    return _answer(await get_campaign(context.database, caller.team_id, id))


@router.put("/campaigns/{id}", summary="Change the given fields; null clears")
@router.patch("/campaigns/{id}", summary="Change the given fields; null clears")
async def change(id: str, body: CampaignChange, caller: Writer, context: Context) -> CampaignAnswer:
    return _answer(await edit_campaign(context, caller.team_id, caller.actor, id, body.given()))


@router.delete("/campaigns/{id}", summary="Put a draft, completed or cancelled campaign away")
async def delete(id: str, caller: Writer, context: Context) -> CampaignAnswer:
    return _answer(await delete_campaign(context.database, context.clock, caller.team_id, caller.actor, id))


@router.post("/campaigns/{id}/run", summary="Start or resume a campaign and dial up to its free slots")
async def run(id: str, caller: Runner, context: Context, body: RunBody | None = None) -> RunAnswer:
    asked = body or RunBody()
    done = await run_campaign(context, caller.team_id, caller.actor, id, max_calls=asked.max_calls, dry_run=asked.dry_run)
    return RunAnswer.model_validate(done)


@router.post("/campaigns/{id}/pause", summary="Start no more calls; after the answer none starts")
async def pause(id: str, caller: Runner, context: Context, body: StopBody | None = None) -> CampaignAnswer:
    in_flight = InFlight((body or StopBody()).in_flight)
    return _answer(await pause_campaign(context, caller.team_id, caller.actor, id, in_flight))


@router.post("/campaigns/{id}/resume", summary="Go on with a paused campaign")
async def resume(id: str, caller: Runner, context: Context, body: ResumeBody | None = None) -> CampaignAnswer:
    return _answer(await resume_campaign(context, caller.team_id, caller.actor, id))


@router.post("/campaigns/{id}/cancel", summary="End a campaign for good; after the answer no call of it starts")
async def cancel(id: str, caller: Runner, context: Context, body: StopBody | None = None) -> CampaignAnswer:
    in_flight = InFlight((body or StopBody()).in_flight)
    return _answer(await cancel_campaign(context, caller.team_id, caller.actor, id, in_flight))


@router.get("/campaigns/{id}/dashboard", summary="Counts, queue, newest calls and pace")
async def dashboard(id: str, query: Annotated[DashboardQuery, FromQuery()], caller: Reader, context: Context) -> DashboardAnswer:
    seen = await dashboard_of(
        context, caller.team_id, id, pending=query.limit_pending, calling=query.limit_calling, recent=query.limit_calls
    )
    return DashboardAnswer.model_validate(seen)
