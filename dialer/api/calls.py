"""Calls (section 7 of the contract): what was tried and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import Field

from dialer.api.auth import may, own_team
from dialer.api.context import Context
from dialer.api.idempotency import once
from dialer.api.shapes import Answer, Body, Id, JsonObject, Line, Page, PageQuery, Record
from dialer.domain.cursor import CALLS
from dialer.domain.extracted import Verdict
from dialer.domain.instant import Instant
from dialer.domain.keys import Caller
from dialer.domain.outcome import Disposition
from dialer.flows.calls import get_call, list_calls
from dialer.flows.direct import DirectCall, call_now

router = APIRouter(tags=["calls"])
Reader = Annotated[Caller, may("calls:read")]
Creator = Annotated[Caller, may("calls:create")]


class CallBody(Body):
    team_id: Id | None = Field(default=None, description="Not needed: the key says whose call it is")
    assistant_id: Id
    to_number: Line = Field(examples=["+14155550123"])
    from_number: Line | None = Field(default=None, description="One of the assistant's active numbers; absent: any of them")
    contact_id: Id | None = Field(default=None, description="Whose number it is; absent: whoever has it, else a new contact")
    metadata: JsonObject | None = Field(default=None, description="Kept, and shown with the call")


class CallQuery(PageQuery):
    campaign_id: Id | None = None
    contact_id: Id | None = None
    outcome: Disposition | None = None
    since: Instant | None = Field(default=None, alias="from", description="Released at this moment or later")
    until: Instant | None = Field(default=None, alias="to", description="Released before this moment")


class Call(Record):
    id: str
    team_id: str
    kind: Literal["campaign", "direct"] = Field(description="direct: asked for by POST /calls, outside campaigns")
    campaign_id: str | None
    campaign_contact_id: str | None
    contact_id: str
    assistant_id: str
    adapter: str
    attempt_no: int
    to_number: str
    from_number: str
    status: str = Field(description="queued, placing, ringing, answered, unknown, ended or recalled")
    outcome: Disposition | None
    detail: str | None = Field(description="The outcome in the carrier's finer words")
    fault: str | None
    cause: str | None
    reason: str | None
    counted: bool = Field(description="Whether it used up one of the contact's attempts")
    created_at: datetime
    placing_at: datetime | None
    ringing_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    duration_seconds: float | None


class CallEvent(Record):
    phase: str
    at: datetime
    received_at: datetime
    ref: str | None
    outcome: str | None
    fault: str | None
    cause: str | None
    sip: int | None
    q850: int | None
    data: dict[str, Any]


class Turn(Record):
    at: datetime
    before: str | None
    after: str
    reason: str | None
    rule: str | None = Field(
        default=None,
        description="The rules of policy packs that were kept, or the one whose hours took the call back",
        exclude_if=lambda value: value is None,
    )
    actor: str


class CallbackAsked(Record):
    verdict: str | None = Field(description="scheduled, moved to the next time at which it may be, or why not; null: judged soon")
    callback_at: datetime | None


class ExtractedField(Record):
    """What became of one name under `extracted`. Only where the verdict is `applied` the call wrote the contact's field."""

    name: str
    field: str | None = Field(description="The contact's field that it means: `email`, `customFields.shoe_size`; null: none")
    verdict: Verdict | None = Field(
        description="applied, or why not: unchanged (the contact had it already, from elsewhere), kept (the field holds what no "
        "call wrote), cleared (emptied since the call began), told_later (a later word was there first), empty, unfit, "
        "unknown_field, not_extractable, protected_field (no call changes it), erased (the contact); null: judged soon"
    )
    message: str | None = Field(description="What does not fit")


class Dropped(Record):
    name: str
    why: str = Field(description="quote_not_found (nobody said it), unsure, or unfit")


class Extraction(Record):
    """What became of asking the transcript, where the carrier extracted nothing. What was found is an event of the call, with
    quote and confidence, and stands under `extracted` too."""

    status: Literal["waiting", "done", "provider", "nothing", "given_up", "expired"] = Field(
        description="waiting: to be asked, where an endpoint is configured; provider: the carrier extracted itself; nothing: "
        "there was nothing to ask; given_up: the endpoint failed too often; expired: it has waited too long. "
        "`dialer call extract` asks anew"
    )
    tries: int
    asked_at: datetime | None
    fault: str | None = Field(description="Why the last try failed")
    dropped: list[Dropped] = Field(description="What was answered and is not kept")


class CallDetail(Call):
    metadata: dict[str, Any] | None = Field(description="As it was sent with a direct call")
    provider_ref: str | None
    transcript: Any = None
    recording_url: Any = None
    extracted: Any = None
    extracted_fields: list[ExtractedField] = Field(description="Which of it was written to the contact, a line for each name")
    extraction: Extraction | None = Field(description="null: the transcript is not to be asked")
    callback: CallbackAsked | None = Field(description="What became of the callback that was asked for in the call")
    result: dict[str, Any]
    events: list[CallEvent]
    history: list[Turn]


class CallAnswer(Answer):
    call: CallDetail


class CallPage(Page):
    calls: list[Call]


def _answer(call: dict[str, Any]) -> CallAnswer:
    return CallAnswer.model_validate({"call": call})


@router.post("/calls", summary="Call one number now, by the rules that hold for every call")
async def create(body: CallBody, caller: Creator, context: Context) -> CallAnswer:
    if body.team_id is not None:
        own_team(caller, body.team_id)
    asked = DirectCall(
        assistant=body.assistant_id,
        to_number=body.to_number,
        from_number=body.from_number,
        contact=body.contact_id,
        metadata=body.metadata,
    )
    return await once(_answer, call_now(context, caller.team_id, caller.actor, asked))


@router.get("/calls", summary="List calls, newest first")
async def index(query: Annotated[CallQuery, FromQuery()], caller: Reader, context: Context) -> CallPage:
    rows, count = await list_calls(
        context.database,
        context.clock,
        own_team(caller, query.team_id),
        campaign=query.campaign_id,
        contact=query.contact_id,
        outcome=query.outcome,
        since=query.since,
        until=query.until,
        limit=query.limit,
        offset=query.offset,
        after=query.after(CALLS),
    )
    return CallPage.model_validate({"calls": rows, **query.page(CALLS, rows, count)})


@router.get("/calls/{id}", summary="One call with its whole history and what it brought")
async def show(id: str, caller: Reader, context: Context) -> CallAnswer:
    return _answer(await get_call(context.database, context.clock, caller.team_id, id))
