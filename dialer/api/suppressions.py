"""Numbers that may not be called (section 4 of the contract, but for files)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import Field

from dialer.api.auth import may, own_team
from dialer.api.context import Context
from dialer.api.shapes import Answer, Body, Id, Instant, Line, Page, PageQuery, Record
from dialer.domain.cursor import SUPPRESSIONS
from dialer.domain.keys import Caller
from dialer.flows.suppressions import lift, list_suppressions, suppress
from dialer.store.suppressions import Entry

router = APIRouter(tags=["suppressions"])
Reader = Annotated[Caller, may("contacts:read")]
Writer = Annotated[Caller, may("contacts:write")]


class SuppressionBody(Body):
    team_id: Id
    phone_number: Line = Field(description="Any spelling; kept as E.164", examples=["+14155552671"])
    scope: Literal["team", "campaign"] = "team"
    campaign_id: Id | None = Field(default=None, description="For the scope `campaign`")
    reason: Line | None = None
    source: Line | None = None
    expires_at: Instant | None = Field(default=None, description="Contacts are put off until then; without it, for ever")


class SuppressionQuery(PageQuery):
    phone_number: Line | None = None
    campaign_id: Id | None = None


class Suppression(Record):
    id: str
    scope: str
    team_id: str
    campaign_id: str | None
    phone_number: str
    reason: str | None
    source: str | None
    expires_at: datetime | None
    created_at: datetime


class SuppressionAnswer(Answer):
    suppression: Suppression


class SuppressionPage(Page):
    suppressions: list[Suppression]


def _answer(row: Any) -> SuppressionAnswer:
    return SuppressionAnswer.model_validate({"suppression": row})


@router.post("/suppressions", summary="Never call a number; after the answer no call to it starts")
async def create(body: SuppressionBody, caller: Writer, context: Context) -> SuppressionAnswer:
    team = own_team(caller, body.team_id)
    entry = Entry(body.scope, team, body.campaign_id, body.phone_number, body.reason, body.source, body.expires_at)
    return _answer(await suppress(context, caller.actor, entry))


@router.get("/suppressions", summary="List suppressed numbers, newest first")
async def index(query: Annotated[SuppressionQuery, FromQuery()], caller: Reader, context: Context) -> SuppressionPage:
    team = own_team(caller, query.team_id)
    rows, count = await list_suppressions(
        context.database,
        team,
        number=query.phone_number,
        campaign=query.campaign_id,
        limit=query.limit,
        offset=query.offset,
        after=query.after(SUPPRESSIONS),
    )
    return SuppressionPage.model_validate({"suppressions": rows, **query.page(SUPPRESSIONS, rows, count)})


@router.delete("/suppressions/{id}", summary="Let a number be called again")
async def delete(id: str, caller: Writer, context: Context) -> SuppressionAnswer:
    return _answer(await lift(context, caller.team_id, caller.actor, id))
