"""A campaign at a glance (section 5 of the contract)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import Field

from dialer.api.auth import may
from dialer.api.calls import Call
from dialer.api.campaign_contacts import Member, StatusCounts
from dialer.api.campaigns import CampaignSeen
from dialer.api.context import Context
from dialer.api.shapes import PLAIN, Answer, Query, Record
from dialer.domain.keys import Caller
from dialer.flows.campaigns.dashboard import dashboard_of

router = APIRouter(tags=["campaigns"])
Reader = Annotated[Caller, may("campaigns:read")]
Shown = Annotated[int, Field(ge=1, le=100), PLAIN]


class DashboardQuery(Query):
    limit_pending: Shown = 25
    limit_calling: Shown = 25
    limit_calls: Shown = 25


class OutcomeCounts(Record):
    answered: int
    voicemail: int
    no_answer: int
    busy: int
    invalid_number: int
    declined: int
    do_not_call: int
    error: int
    unknown: int


class Counts(Record):
    by_status: StatusCounts
    by_outcome: OutcomeCounts
    answered: int
    total: int


class CallingMember(Member):
    call_id: str
    state: str = Field(description="queued, placing, ringing, answered or unknown")
    from_number: str


class Queue(Record):
    pending: list[Member] = Field(description="Who is called next")
    calling: list[CallingMember] = Field(description="Who is being called")


class Pace(Record):
    calls_per_minute: float = Field(
        description="Over the last five minutes, or since the campaign started if that is shorter: then of calls that are over"
    )
    answer_rate: float | None = Field(description="The share of the contacts called that were answered; null before the first")
    slots_used: int
    slots: int
    eta: datetime | None = Field(
        description="When all that are left would have been called once more at this pace; null before 20 calls or five minutes,"
        " and where the campaign's end comes before"
    )


class DashboardAnswer(Answer):
    campaign: CampaignSeen
    counts: Counts
    queue: Queue
    recent_calls: list[Call]
    pace: Pace


@router.get("/campaigns/{id}/dashboard", summary="Counts, queue, newest calls and pace")
async def dashboard(id: str, query: Annotated[DashboardQuery, FromQuery()], caller: Reader, context: Context) -> DashboardAnswer:
    seen = await dashboard_of(
        context, caller.team_id, id, pending=query.limit_pending, calling=query.limit_calling, recent=query.limit_calls
    )
    return DashboardAnswer.model_validate(seen)
