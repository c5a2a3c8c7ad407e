"""Campaigns (section 5 of the contract, but for their contacts)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Query as FromQuery
from fastapi.responses import StreamingResponse
from pydantic import AliasChoices, Field

from dialer.api.auth import may, own_team
from dialer.api.context import Context
from dialer.api.idempotency import once
from dialer.api.shapes import (
    OMITTED,
    Answer,
    Body,
    Count,
    Id,
    JsonObject,
    Line,
    Name,
    Page,
    PageQuery,
    Prose,
    Query,
    Reason,
    Record,
    WaitingFor,
)
from dialer.domain.cursor import CAMPAIGNS
from dialer.domain.errors import Forbidden
from dialer.domain.instant import Instant
from dialer.domain.keys import Caller
from dialer.domain.machine import CampaignStatus
from dialer.flows.campaigns.create import NewCampaign, create_campaign
from dialer.flows.campaigns.edit import delete_campaign, edit_campaign
from dialer.flows.campaigns.export import COLUMNS, results_csv
from dialer.flows.campaigns.look import list_campaigns, see_campaign
from dialer.flows.campaigns.run import run_campaign
from dialer.flows.campaigns.stop import InFlight, cancel_campaign, pause_campaign, resume_campaign
from dialer.flows.campaigns.survey import preflight_of

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
STARTS_OR_STOPS = ("running", "paused", "cancelled")
"""What `run`, `pause`, `resume` and `cancel` do needs their scope here too."""


SETTINGS = """When: `useContactTimezoneForCallWindow`, `daysOfWeek`, `dayWindows`, `holidayCalendar` (a country such as "US", a
part of it such as "US-AL", or an object with `country`, `subdivision`, `dates` that are shut as well and holidays
that are `open` all the same; dates are YYYY-MM-DD). `scheduledEndAt` (ISO 8601; from then on nobody is called,
and the campaign pauses with `window_ended`), `contactExpiryDays` (1–3650; a contact that still waits so long
after its enrolment is skipped as `expired`). How often: `frequencyCaps`, a list of objects with `calls` (1–1000),
`hours` (1–8784), `per` ("number" or "person") and `counts` ("attempts", or "conversations"), or of "3-in-24-hours",
"7-in-7-days", "7-days-after-a-conversation"; calls of all the team's campaigns count, and its own caps hold too.
By law: `policyPacks` (ids of packs, on top of the team's), `zonePolicy`
(`strictest`: open wherever the phone may be; `requireExplicitZone`: only contacts with a `timezone` of their own;
`campaignZone`: those of whose number no place is known are called by `callWindowTimezone`).
With which number: `callerIdSticky` (true; whoever was called before is shown the same number again), `localPresence`
(false; a number of the callee's own area code comes before the others), each as far as the number has room. Again:
`retryDelayMinutesNoAnswer`, `…Busy`, `…Error`, `…Voicemail`, `retryOnError`, `retryOnVoicemail`, `retryBackoffMode`,
`…Multiplier`, `…MaxMinutes`, `maxAttemptsNoAnswer`,
`…Busy`, `…Error`. How: `priority`, `callsPerSecond`, `ringTimeoutSeconds`, `maxCallDurationMinutes`,
`voicemailDetectionEnabled`, `voicemailAction`, `voicemailDropMessage`, `noAutoComplete`. Other keys are kept as
they are""".replace("\n", " ")


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
    settings: JsonObject | None = Field(default=None, description=SETTINGS)


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
    settings: JsonObject | None = Field(
        default=None, description=f"Merged key by key; null clears a key, or all of them. {SETTINGS}"
    )


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


class ExportQuery(Query):
    bom: bool = Field(default=False, description="Begin with a byte order mark, by which Excel knows UTF-8")


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
    pause_reason: str | None = Field(description="`user`, `run_limit` or `window_ended`")
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime


class CampaignSeen(Campaign):
    waiting_for: WaitingFor | None = Field(description="Why nobody of the campaign is being called now, and until when")


class CampaignAnswer(Answer):
    campaign: Campaign


class CampaignSeenAnswer(Answer):
    campaign: CampaignSeen


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


class Waiting(Record):
    reason: Reason
    contacts: int
    until: datetime | None = Field(description="The earliest of them")
    rule: str | None = Field(
        default=None, description="A policy pack's, with its version", exclude_if=lambda value: value is None
    )


class Estimate(Record):
    finish_at: datetime | None = Field(description="null: not within 90 days, or not before the campaign's end")
    calls: int
    slots: int | None
    seconds_per_call: float
    measured_over: Literal["campaign", "team", "default"]
    calls_measured: int
    how: str


class Preflight(Record):
    """Every contact is in exactly one of dialable_now, later, blocked, never_callable, under_way and done."""

    contacts: int
    dialable_now: int
    starting: int = Field(description="Of the dialable: those that would be released at once, into the free slots")
    later: int
    next_at: datetime | None
    later_by_reason: list[Waiting]
    blocked: int
    blocked_by_reason: list[Waiting]
    never_callable: int = Field(description="Their window never opens, or nobody knows their time zone")
    never_by_rule: list[Waiting] = Field(description="The same by the rule for whose sake it never opens")
    under_way: int
    done: int
    estimate: Estimate


class PreflightAnswer(Answer):
    preflight: Preflight


class NoBody(Body):
    """Nothing needs to be said."""


def _answer(row: Any) -> CampaignAnswer:
    return CampaignAnswer.model_validate({"campaign": row})


@router.post("/campaigns", summary="Create a campaign")
async def create(body: NewCampaignBody, caller: Writer, context: Context) -> CampaignAnswer:
    team = own_team(caller, body.team_id)
    new = NewCampaign(**body.given(without=frozenset({"team_id", "settings"})), settings=body.settings or {})
    return await once(_answer, create_campaign(context.database, context.clock, team, caller.actor, new))


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
async def show(id: str, caller: Reader, context: Context) -> CampaignSeenAnswer:
    return CampaignSeenAnswer.model_validate({"campaign": await see_campaign(context, caller.team_id, id)})


@router.put("/campaigns/{id}", summary="Change the given fields; null clears")
@router.patch("/campaigns/{id}", summary="Change the given fields; null clears")
async def change(id: str, body: CampaignChange, caller: Writer, context: Context) -> CampaignAnswer:
    if body.status in STARTS_OR_STOPS and not caller.may("campaigns:run"):
        raise Forbidden(f"status: this key may not make a campaign {body.status}; it lacks the scope campaigns:run.")
    return _answer(await edit_campaign(context, caller.team_id, caller.actor, id, body.given()))


@router.delete("/campaigns/{id}", summary="Put a draft, completed or cancelled campaign away")
async def delete(id: str, caller: Writer, context: Context) -> CampaignAnswer:
    return _answer(await delete_campaign(context, caller.team_id, caller.actor, id))


@router.post("/campaigns/{id}/run", summary="Start or resume a campaign and dial up to its free slots")
async def run(id: str, caller: Runner, context: Context, body: RunBody | None = None) -> RunAnswer:
    asked = body or RunBody()
    done = await run_campaign(context, caller.team_id, caller.actor, id, max_calls=asked.max_calls, dry_run=asked.dry_run)
    return RunAnswer.model_validate(done)


@router.post("/campaigns/{id}/preflight", summary="Count who could be called, when, and who never; places and writes nothing")
async def preflight(id: str, caller: Reader, context: Context, body: NoBody | None = None) -> PreflightAnswer:
    return PreflightAnswer.model_validate({"preflight": await preflight_of(context, caller.team_id, id)})


@router.post("/campaigns/{id}/pause", summary="Start no more calls; after the answer none starts")
async def pause(id: str, caller: Runner, context: Context, body: StopBody | None = None) -> CampaignAnswer:
    in_flight = InFlight((body or StopBody()).in_flight)
    return _answer(await pause_campaign(context, caller.team_id, caller.actor, id, in_flight))


@router.post("/campaigns/{id}/resume", summary="Go on with a paused campaign")
async def resume(id: str, caller: Runner, context: Context, body: ResumeBody | None = None) -> CampaignAnswer:
    return await once(_answer, resume_campaign(context, caller.team_id, caller.actor, id))


@router.post("/campaigns/{id}/cancel", summary="End a campaign for good; after the answer no call of it starts")
async def cancel(id: str, caller: Runner, context: Context, body: StopBody | None = None) -> CampaignAnswer:
    in_flight = InFlight((body or StopBody()).in_flight)
    return _answer(await cancel_campaign(context, caller.team_id, caller.actor, id, in_flight))


@router.get(
    "/campaigns/{id}/export",
    summary="The results of a campaign as CSV",
    description=f"""UTF-8, a row for each contact of the campaign in the order in which the contacts were made; each row is of the
moment in which it is read. Columns, in this order: `{"`, `".join(COLUMNS)}`; then `custom.<key>` for each custom field that is
defined, and `extracted.<key>` for each that extraction may fill, both in the order of their keys. New columns come at the end of
the first group. A cell that a spreadsheet would take for a formula (it begins with = + - @ tab CR LF) has an apostrophe in front;
phone numbers, a plus and digits, are as they are.""",
    response_class=StreamingResponse,
    responses={200: {"description": "The file", "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export(id: str, query: Annotated[ExportQuery, FromQuery()], caller: Reader, context: Context) -> StreamingResponse:
    pieces = await results_csv(context.database, caller.team_id, id, mark=query.bom)
    headers = {"Content-Disposition": f'attachment; filename="campaign-{id}.csv"'}
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)
