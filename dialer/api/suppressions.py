"""Numbers that may not be called (section 4 of the contract, but for files).

Global entries hold for every team. Over HTTP they are for keys that name the scope `admin`: `*` is all that a team may do, and
no team may silence the calls of another one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import ConfigDict, Field

from dialer.api.auth import may, own_team
from dialer.api.context import Context
from dialer.api.idempotency import once
from dialer.api.shapes import Answer, Body, Id, Line, Page, PageQuery, Record
from dialer.domain.cursor import SUPPRESSIONS
from dialer.domain.errors import Forbidden, NotFound
from dialer.domain.instant import Instant
from dialer.domain.keys import Caller
from dialer.flows.suppressions import lift, list_suppressions, suppress
from dialer.store.suppressions import Entry

router = APIRouter(tags=["suppressions"])
Reader = Annotated[Caller, may("contacts:read")]
Writer = Annotated[Caller, may("contacts:write")]
Scope = Annotated[Literal["team", "campaign", "global"], Field(description="`global` holds for every team: for `admin` keys")]


class SuppressionBody(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"scope": {"const": "campaign"}}, "required": ["scope"]},
            "then": {"required": ["campaignId"], "properties": {"campaignId": {"type": "string"}}},
            "else": {"properties": {"campaignId": {"type": "null"}}},
        }
    )

    team_id: Id
    phone_number: Line = Field(description="Any spelling; kept as E.164", examples=["+14155552671"])
    scope: Scope = "team"
    campaign_id: Id | None = Field(default=None, description="For the scope `campaign`")
    reason: Line | None = None
    source: Line | None = None
    expires_at: Instant | None = Field(default=None, description="Contacts are put off until then; without it, for ever")


class SuppressionQuery(PageQuery):
    phone_number: Line | None = None
    campaign_id: Id | None = None
    scope: Scope | None = Field(default=None, description="Without it the team's own entries, those of its campaigns too")


class Suppression(Record):
    id: str
    scope: str
    team_id: str | None
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


def owner(caller: Caller, team_id: str, scope: str | None) -> str | None:
    """The team whose entries are meant; None for the global ones. Raises Forbidden."""
    team = own_team(caller, team_id)
    if scope != "global":
        return team
    if "admin" not in caller.scopes:
        raise Forbidden("scope: global entries hold for every team; only a key that names the scope admin may use them.")
    return None


@router.post("/suppressions", summary="Never call a number; after the answer no call to it starts")
async def create(body: SuppressionBody, caller: Writer, context: Context) -> SuppressionAnswer:
    team = owner(caller, body.team_id, body.scope)
    entry = Entry(body.scope, team, body.campaign_id, body.phone_number, body.reason, body.source, body.expires_at)
    return await once(_answer, suppress(context, caller.actor, entry))


@router.get("/suppressions", summary="List suppressed numbers, newest first")
async def index(query: Annotated[SuppressionQuery, FromQuery()], caller: Reader, context: Context) -> SuppressionPage:
    team = owner(caller, query.team_id, query.scope)
    rows, count = await list_suppressions(
        context.database,
        team,
        number=query.phone_number,
        campaign=query.campaign_id,
        scope=query.scope,
        limit=query.limit,
        offset=query.offset,
        after=query.after(SUPPRESSIONS),
    )
    return SuppressionPage.model_validate({"suppressions": rows, **query.page(SUPPRESSIONS, rows, count)})


@router.delete("/suppressions/{id}", summary="Let a number be called again")
async def delete(id: str, caller: Writer, context: Context) -> SuppressionAnswer:
    try:
        return _answer(await lift(context, caller.team_id, caller.actor, id))
    except NotFound:
        if "admin" not in caller.scopes:
            raise
    return _answer(await lift(context, None, caller.actor, id))
