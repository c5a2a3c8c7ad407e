"""Calls (section 7 of the contract): what was tried and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import Field

from dialer.api.auth import may, own_team
from dialer.api.context import Context
from dialer.api.shapes import Answer, Id, Instant, Page, PageQuery, Record
from dialer.domain.cursor import CALLS
from dialer.domain.keys import Caller
from dialer.domain.outcome import Disposition
from dialer.flows.calls import get_call, list_calls

router = APIRouter(tags=["calls"])
Reader = Annotated[Caller, may("calls:read")]


class CallQuery(PageQuery):
    campaign_id: Id | None = None
    contact_id: Id | None = None
    outcome: Disposition | None = None
    since: Instant | None = Field(default=None, alias="from", description="Released at this moment or later")
    until: Instant | None = Field(default=None, alias="to", description="Released before this moment")


class Call(Record):
    id: str
    team_id: str
    campaign_id: str
    campaign_contact_id: str
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
    actor: str


class CallDetail(Call):
    provider_ref: str | None
    transcript: Any = None
    recording_url: Any = None
    extracted: Any = None
    result: dict[str, Any]
    events: list[CallEvent]
    history: list[Turn]


class CallAnswer(Answer):
    call: CallDetail


class CallPage(Page):
    calls: list[Call]


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
    return CallAnswer.model_validate({"call": await get_call(context.database, context.clock, caller.team_id, id)})
