"""Phone numbers: which caller ID is shown (section 4 of the contract)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import Field

from dialer.api.auth import may, own_team
from dialer.api.context import Context
from dialer.api.idempotency import once
from dialer.api.shapes import OMITTED, Answer, Body, Count, Id, Line, Name, Page, PageQuery, Record
from dialer.domain.cursor import PHONE_NUMBERS
from dialer.domain.keys import Caller
from dialer.flows import voices

router = APIRouter(tags=["phone numbers"])
Reader = Annotated[Caller, may("campaigns:read")]
Writer = Annotated[Caller, may("campaigns:write")]
Status = Literal["active", "inactive"]
Weight = Annotated[int, Field(ge=1, le=20)]


class NumberFields(Body):
    assistant_id: Id | None = None
    status: Status = OMITTED
    max_concurrent_calls: Count | None = None
    daily_limit: Count | None = Field(default=None, description="Calls per UTC day")
    weight: Weight = OMITTED


class NewNumber(NumberFields):
    team_id: Id
    phone_number: Line = Field(description="Any spelling; kept as E.164", examples=["+14155552671"])
    adapter: Name = Field(description="The name of a configured telephony adapter", examples=["simulated"])


class NumberChange(NumberFields):
    phone_number: Line = OMITTED
    adapter: Name = OMITTED
    resting_until: None = Field(default=None, description="null ends the number's rest; its record begins anew")


class NumberQuery(PageQuery):
    assistant_id: Id | None = None
    status: Status | None = None


class PhoneNumber(Record):
    id: str
    team_id: str
    phone_number: str
    assistant_id: str | None
    adapter: str
    status: str
    max_concurrent_calls: int | None
    daily_limit: int | None
    weight: int
    resting_until: datetime | None = Field(description="Not shown until then, for too many of its calls were blocked")
    resting_reason: str | None
    calls_today: int = Field(description="Calls of the current UTC day")
    recent_calls: int = Field(
        description="How many of its newest calls the two shares are of, at most 100; from its last rest on"
    )
    answer_share: float | None = Field(description="Share (0 to 1) of them that a person or a machine picked up")
    blocked_share: float | None = Field(description="Share (0 to 1) of them that the callee's side blocked or marked as spam")
    created_at: datetime
    updated_at: datetime


class NumberAnswer(Answer):
    phone_number: PhoneNumber


class NumberPage(Page):
    phone_numbers: list[PhoneNumber]


@router.post("/phone-numbers", summary="Add a phone number")
async def create(body: NewNumber, caller: Writer, context: Context) -> NumberAnswer:
    team = own_team(caller, body.team_id)
    values = body.given(without=frozenset({"team_id"}))
    work = voices.create_number(context, team, caller.actor, values)
    return await once(lambda row: NumberAnswer.model_validate({"phone_number": row}), work)


@router.get("/phone-numbers", summary="List phone numbers, newest first")
async def index(query: Annotated[NumberQuery, FromQuery()], caller: Reader, context: Context) -> NumberPage:
    team = own_team(caller, query.team_id)
    rows, count = await voices.list_numbers(
        context,
        team,
        assistant_id=query.assistant_id,
        status=query.status,
        limit=query.limit,
        offset=query.offset,
        after=query.after(PHONE_NUMBERS),
    )
    return NumberPage.model_validate({"phone_numbers": rows, **query.page(PHONE_NUMBERS, rows, count)})


@router.get("/phone-numbers/{id}", summary="One phone number")
async def show(id: str, caller: Reader, context: Context) -> NumberAnswer:
    return NumberAnswer.model_validate({"phone_number": await voices.get_number(context, caller.team_id, id)})


@router.put("/phone-numbers/{id}", summary="Change the given fields; null clears")
@router.patch("/phone-numbers/{id}", summary="Change the given fields; null clears")
async def change(id: str, body: NumberChange, caller: Writer, context: Context) -> NumberAnswer:
    row = await voices.change_number(context, caller.team_id, caller.actor, id, body.given())
    return NumberAnswer.model_validate({"phone_number": row})


@router.delete("/phone-numbers/{id}", summary="Delete a phone number that nothing refers to")
async def delete(id: str, caller: Writer, context: Context) -> Answer:
    await voices.delete_number(context.database, caller.team_id, caller.actor, id)
    return Answer()
