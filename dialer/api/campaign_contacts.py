"""The contacts of a campaign (section 5 of the contract)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import ConfigDict, Field

from dialer.api.auth import may, own_team
from dialer.api.contacts import ContactFields
from dialer.api.context import Context
from dialer.api.idempotency import once
from dialer.api.shapes import Answer, Body, Id, Line, Name, Page, Paging, Record, WaitingFor
from dialer.domain.campaign import Missed
from dialer.domain.cursor import MEMBERS
from dialer.domain.errors import Invalid
from dialer.domain.instant import Instant
from dialer.domain.keys import Caller
from dialer.domain.machine import ContactStatus
from dialer.domain.outcome import Disposition
from dialer.flows import callbacks, enrolment
from dialer.flows.campaigns.members import list_members, remove_members
from dialer.store.enrolments import Audience

router = APIRouter(tags=["campaign contacts"])
Reader = Annotated[Caller, may("campaigns:read")]
Writer = Annotated[Caller, may("campaigns:write")]
Ids = Annotated[list[Id], Field(min_length=1, max_length=enrolment.MOST_AT_ONCE)]


class EnrolledContact(ContactFields):
    team_id: Id | None = Field(default=None, description="May be left out: the campaign has a team")
    first_name: Name
    last_name: Name


class AudienceBody(Body):
    mode: Literal["all_eligible"]
    company_id: Id | None = None
    search: Line | None = None
    lead_status: Line | None = None
    tags: Annotated[list[Line], Field(max_length=100)] = Field(default_factory=list, description="All of them")
    has_phone_only: bool = True
    exclude_dnc: bool = True
    max_to_add: Annotated[int, Field(ge=1, le=enrolment.MOST_AT_ONCE)] = 50_000


class EnrolBody(Body):
    """Exactly one of `contactIds`, `contact` and `audience`."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
                for name in ("contactIds", "contact", "audience")
            ]
        }
    )

    contact_ids: Ids | None = None
    contact: EnrolledContact | None = None
    audience: AudienceBody | None = None
    priority: Annotated[int, Field(ge=0, le=enrolment.HIGHEST_PRIORITY)] = 0


class RemoveBody(Body):
    contact_ids: Ids


class MemberQuery(Paging):
    team_id: Id | None = Field(default=None, description="May be left out: the campaign has a team")
    status: ContactStatus | None = None
    outcome: Disposition | None = None


class InvalidContact(Record):
    contact_id: str
    reason: str


class EnrolledAnswer(Answer):
    added: int
    skipped: int
    invalid: list[InvalidContact]
    message: str


class Person(Record):
    id: str
    first_name: str
    last_name: str
    phone: str | None
    email: str | None
    timezone: str | None
    do_not_call: bool


class Member(Record):
    id: str
    status: ContactStatus
    priority: int
    attempts: int
    outcome: Disposition | None
    to_number: str | None = Field(description="The number that is called next, or was called last")
    callback_at: datetime | None = Field(description="When a call was asked for, while it waits or is made")
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None = Field(
        description="Not before this time, by the rule for retries or by whatever puts the call off. Hours come on top: until"
        " when, `waiting_for` says"
    )
    completed_at: datetime | None
    created_at: datetime
    contact: Person
    waiting_for: WaitingFor | None = Field(description="Why it is not being called now, and until when")


class StatusCounts(Record):
    pending: int
    queued: int
    calling: int
    completed: int
    skipped: int
    failed: int


class MemberPage(Page):
    contacts: list[Member]
    status_counts: StatusCounts = Field(description="Of the whole campaign, whatever the filters")


class CallbackBody(Body):
    callback_at: Instant = Field(description="When, ISO 8601 with its zone; inside the call window of the contact's number")
    tolerance_minutes: Annotated[int, Field(ge=1, le=1440)] | None = Field(
        default=None, description="How long after it the call still makes sense; as the campaign says (15) if left out"
    )
    missed_action: Annotated[Missed, Field(strict=False)] | None = Field(
        default=None,
        description="What if it could not be made by then: called as if no callback had been asked for, not called any more, or"
        " called however late; as the campaign says (retry_normally) if left out",
    )


class AgreedCallback(Record):
    campaign_contact_id: str
    contact_id: str
    to_number: str
    callback_at: datetime
    callback_until: datetime | None = Field(description="null: however late")
    missed_action: Missed


class CallbackAnswer(Answer):
    callback: AgreedCallback


class WithdrawnAnswer(Answer):
    campaign_contact_id: str
    contact_id: str
    status: ContactStatus = Field(description="pending: as if no callback had been asked for; skipped or failed: called no more")


class RemovedAnswer(Answer):
    removed: int
    message: str


@router.post("/campaigns/{id}/contacts", summary="Enrol contacts: some, a new one, or an audience")
async def enrol(id: str, body: EnrolBody, caller: Writer, context: Context) -> EnrolledAnswer:
    who = (caller.team_id, caller.actor, id)
    match (body.contact_ids, body.contact, body.audience):
        case (list() as ids, None, None):
            return await once(_sums, enrolment.enrol_contacts(context, *who, ids, body.priority))
        case (None, EnrolledContact() as contact, None):
            own_team(caller, contact.team_id)
            values = contact.given(without=frozenset({"team_id"}))
            return await once(lambda new: _sums(new.sums), enrolment.enrol_new(context, *who, values, body.priority))
        case (None, None, AudienceBody() as audience):
            return await once(_sums, enrolment.enrol_audience(context, *who, _audience(audience), body.priority))
        case _:
            raise Invalid({}, form=["Send exactly one of contactIds, contact and audience."])


def _sums(sums: enrolment.Enrolled) -> EnrolledAnswer:
    return EnrolledAnswer.model_validate(sums)


def _audience(asked: AudienceBody) -> Audience:
    return Audience(
        company=asked.company_id,
        search=asked.search,
        lead_status=asked.lead_status,
        tags=tuple(asked.tags),
        has_phone_only=asked.has_phone_only,
        exclude_dnc=asked.exclude_dnc,
        most=asked.max_to_add,
    )


@router.get("/campaigns/{id}/contacts", summary="List a campaign's contacts: by priority, then in the order of enrolment")
async def index(id: str, query: Annotated[MemberQuery, FromQuery()], caller: Reader, context: Context) -> MemberPage:
    team = own_team(caller, query.team_id)
    seen = await list_members(
        context,
        team,
        id,
        status=query.status,
        outcome=query.outcome,
        limit=query.limit,
        offset=query.offset,
        after=query.after(MEMBERS),
    )
    page = {**query.page(MEMBERS, seen.rows, seen.count), "status_counts": seen.by_status}
    return MemberPage.model_validate({"contacts": seen.rows, **page})


@router.post("/campaigns/{id}/contacts/{campaign_contact_id}/callback", summary="Call a contact at a time that was asked for")
async def call_back(id: str, campaign_contact_id: str, body: CallbackBody, caller: Writer, context: Context) -> CallbackAnswer:
    """The contact waits for this call before all others, whatever became of its calls before; not after a no. A time at which
    nobody may be called is refused, and the next possible one told. Another time replaces the one before."""
    agreed = callbacks.call_back(
        context,
        caller.team_id,
        caller.actor,
        id,
        campaign_contact_id,
        body.callback_at,
        tolerance=None if body.tolerance_minutes is None else timedelta(minutes=body.tolerance_minutes),
        missed=body.missed_action,
    )
    return await once(lambda done: CallbackAnswer.model_validate({"callback": done}), agreed)


@router.delete("/campaigns/{id}/contacts/{campaign_contact_id}/callback", summary="Take a callback back")
async def withdraw_callback(id: str, campaign_contact_id: str, caller: Writer, context: Context) -> WithdrawnAnswer:
    done = await callbacks.withdraw(context, caller.team_id, caller.actor, id, campaign_contact_id)
    return WithdrawnAnswer.model_validate(done)


@router.delete("/campaigns/{id}/contacts", summary="Take contacts out that wait or were skipped")
async def remove(id: str, body: RemoveBody, caller: Writer, context: Context) -> RemovedAnswer:
    done = await remove_members(context, caller.team_id, caller.actor, id, body.contact_ids)
    return RemovedAnswer.model_validate(done)
