"""Assistants: who speaks (section 4 of the contract)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import Field

from dialer.api.auth import may, own_team
from dialer.api.context import Context
from dialer.api.idempotency import once
from dialer.api.phone_numbers import PhoneNumber
from dialer.api.shapes import OMITTED, Answer, Body, Count, Id, JsonObject, Line, Name, Page, PageQuery, Record
from dialer.domain.cursor import ASSISTANTS
from dialer.domain.keys import Caller
from dialer.flows import voices

router = APIRouter(tags=["assistants"])
Reader = Annotated[Caller, may("campaigns:read")]
Writer = Annotated[Caller, may("campaigns:write")]


class AssistantFields(Body):
    external_id: Line | None = Field(default=None, description="The provider's agent, dialplan context or stream URL")
    outbound_enabled: bool = OMITTED
    max_concurrent_calls: Count | None = None
    voicemail_action: Literal["leave_message", "hangup"] | None = None
    settings: JsonObject | None = None


class NewAssistant(AssistantFields):
    team_id: Id
    name: Name
    adapter: Name = Field(description="The name of a configured telephony adapter", examples=["simulated"])


class AssistantChange(AssistantFields):
    name: Name = OMITTED
    adapter: Name = OMITTED


class AssistantQuery(PageQuery):
    outbound_enabled: Literal["true", "false"] | None = None


class Assistant(Record):
    id: str
    team_id: str
    name: str
    adapter: str
    external_id: str
    outbound_enabled: bool
    max_concurrent_calls: int | None
    voicemail_action: str | None
    settings: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class OutboundAssistant(Assistant):
    assigned_numbers: list[PhoneNumber]


class AssistantAnswer(Answer):
    assistant: Assistant


class AssistantPage(Page):
    assistants: list[Assistant]


class OutboundPage(Page):
    assistants: list[OutboundAssistant]


@router.post("/assistants", summary="Create an assistant")
async def create(body: NewAssistant, caller: Writer, context: Context) -> AssistantAnswer:
    team = own_team(caller, body.team_id)
    values = body.given(without=frozenset({"team_id"}))
    work = voices.create_assistant(context, team, caller.actor, values)
    return await once(lambda row: AssistantAnswer.model_validate({"assistant": row}), work)


@router.get("/assistants", summary="List assistants, newest first")
async def index(query: Annotated[AssistantQuery, FromQuery()], caller: Reader, context: Context) -> AssistantPage:
    team = own_team(caller, query.team_id)
    enabled = None if query.outbound_enabled is None else query.outbound_enabled == "true"
    rows, count = await voices.list_assistants(
        context.database, team, outbound_enabled=enabled, limit=query.limit, offset=query.offset, after=query.after(ASSISTANTS)
    )
    return AssistantPage.model_validate({"assistants": rows, **query.page(ASSISTANTS, rows, count)})


@router.get("/outbound-assistants", summary="List assistants that may call out, newest first, with their active numbers")
async def outbound(query: Annotated[PageQuery, FromQuery()], caller: Reader, context: Context) -> OutboundPage:
    team = own_team(caller, query.team_id)
    found, count = await voices.outbound_assistants(
        context, team, limit=query.limit, offset=query.offset, after=query.after(ASSISTANTS)
    )
    rows = [{**row, "assigned_numbers": assigned} for row, assigned in found]
    return OutboundPage.model_validate({"assistants": rows, **query.page(ASSISTANTS, [row for row, _ in found], count)})


@router.get("/assistants/{id}", summary="One assistant")
async def show(id: str, caller: Reader, context: Context) -> AssistantAnswer:
    return AssistantAnswer.model_validate({"assistant": await voices.get_assistant(context.database, caller.team_id, id)})


@router.put("/assistants/{id}", summary="Change the given fields; null clears")
@router.patch("/assistants/{id}", summary="Change the given fields; null clears")
async def change(id: str, body: AssistantChange, caller: Writer, context: Context) -> AssistantAnswer:
    row = await voices.change_assistant(context, caller.team_id, caller.actor, id, body.given())
    return AssistantAnswer.model_validate({"assistant": row})


@router.delete("/assistants/{id}", summary="Delete an assistant that nothing refers to")
async def delete(id: str, caller: Writer, context: Context) -> Answer:
    await voices.delete_assistant(context.database, caller.team_id, caller.actor, id)
    return Answer()
