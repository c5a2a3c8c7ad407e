"""Definitions of the custom fields of contacts (section 4 of the contract)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import ConfigDict, Field

from dialer.api.auth import may, own_team
from dialer.api.context import Context
from dialer.api.idempotency import once
from dialer.api.shapes import OMITTED, Answer, Body, Id, Name, Page, PageQuery, Prose, Record
from dialer.domain.cursor import CUSTOM_FIELDS
from dialer.domain.custom_field import Kind
from dialer.domain.keys import Caller
from dialer.flows import custom_fields

router = APIRouter(tags=["custom fields"])
Reader = Annotated[Caller, may("contacts:read")]
Writer = Annotated[Caller, may("contacts:write")]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. \-]{0,92}$", examples=["shoe_size"])]
Options = Annotated[
    list[Name],
    Field(
        max_length=500, description="For `select` and `multi_select`, which need some", json_schema_extra={"uniqueItems": True}
    ),
]
# The words of `type` come as texts; strict bodies read no enumerations out of them by themselves.
Type = Annotated[
    Kind,
    Field(strict=False, description="Defined keys of `customFields` are checked against it whenever a contact is written"),
]


class NewCustomField(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"type": {"enum": ["select", "multi_select"]}}, "required": ["type"]},
            "then": {"required": ["options"], "properties": {"options": {"type": "array", "minItems": 1}}},
            "else": {"properties": {"options": {"type": ["array", "null"], "maxItems": 0}}},
        }
    )

    team_id: Id
    key: Key
    label: Name
    type: Type
    options: Options | None = None
    description: Prose | None = None
    extractable: bool = Field(default=False, description="Whether a call may fill it: by its key under `extracted` of the result")


class CustomFieldChange(Body):
    """`key` and `type` are accepted as they are, and cannot be changed."""

    key: Key = OMITTED
    label: Name = OMITTED
    type: Type = OMITTED
    options: Options | None = None
    description: Prose | None = None
    extractable: bool | None = None


class CustomField(Record):
    id: str
    team_id: str
    key: str
    label: str
    type: Kind
    options: list[str]
    description: str | None
    extractable: bool
    created_at: datetime
    updated_at: datetime


class CustomFieldAnswer(Answer):
    custom_field: CustomField


class CustomFieldPage(Page):
    custom_fields: list[CustomField]


def _answer(row: Any) -> CustomFieldAnswer:
    return CustomFieldAnswer.model_validate({"custom_field": row})


@router.post("/custom-fields", summary="Define a custom field")
async def create(body: NewCustomField, caller: Writer, context: Context) -> CustomFieldAnswer:
    team = own_team(caller, body.team_id)
    values = body.given(without=frozenset({"team_id"}))
    return await once(_answer, custom_fields.create(context.database, team, caller.actor, values))


@router.get("/custom-fields", summary="List the definitions of custom fields, in the order of their keys")
async def index(query: Annotated[PageQuery, FromQuery()], caller: Reader, context: Context) -> CustomFieldPage:
    team = own_team(caller, query.team_id)
    after = query.after(CUSTOM_FIELDS)
    rows, count = await custom_fields.listing(context.database, team, limit=query.limit, offset=query.offset, after=after)
    return CustomFieldPage.model_validate({"custom_fields": rows, **query.page(CUSTOM_FIELDS, rows, count)})


@router.get("/custom-fields/{id}", summary="One definition")
async def show(id: str, caller: Reader, context: Context) -> CustomFieldAnswer:
    return _answer(await custom_fields.get(context.database, caller.team_id, id))


@router.put("/custom-fields/{id}", summary="Change the given fields; null clears")
@router.patch("/custom-fields/{id}", summary="Change the given fields; null clears")
async def change(id: str, body: CustomFieldChange, caller: Writer, context: Context) -> CustomFieldAnswer:
    now = context.clock.now()
    return _answer(await custom_fields.change(context.database, caller.team_id, caller.actor, id, body.given(), now))


@router.delete("/custom-fields/{id}", summary="Delete a definition; what contacts hold stays")
async def delete(id: str, caller: Writer, context: Context) -> Answer:
    await custom_fields.delete(context.database, caller.team_id, caller.actor, id)
    return Answer()
