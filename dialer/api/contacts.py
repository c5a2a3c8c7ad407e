"""Contacts (section 2 of the contract, but for the import of files)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import Field

from dialer.api.auth import may, own_team
from dialer.api.context import Context
from dialer.api.idempotency import once
from dialer.api.shapes import OMITTED, Answer, Body, Id, JsonObject, Line, Name, Page, PageQuery, Prose, Record
from dialer.domain.cursor import CONTACTS
from dialer.domain.errors import Forbidden
from dialer.domain.keys import Caller
from dialer.flows import contacts, enrolment
from dialer.store.contacts import Filter
from dialer.store.places import place_of
from scheduler.places import Source

router = APIRouter(tags=["contacts"])
Reader = Annotated[Caller, may("contacts:read")]
Writer = Annotated[Caller, may("contacts:write")]
Tags = Annotated[list[Line], Field(max_length=100)]


class ContactFields(Body):
    """What may be left out and cleared with null."""

    company_id: Id | None = None
    email: Line | None = None
    phone: Line | None = Field(default=None, description="Any spelling; kept as E.164", examples=["+14155552671"])
    phone_secondary: Line | None = None
    job_title: Line | None = None
    region: Line | None = Field(default=None, description="ISO 3166-2; else the area code tells", examples=["US-CA"])
    lead_status: Line | None = Field(default=None, description="`new` when not given", examples=["qualified"])
    source: Line | None = None
    timezone: Line | None = Field(default=None, description="IANA name", examples=["America/Los_Angeles"])
    preferred_contact_method: Line | None = None
    do_not_call: bool | None = Field(default=None, description="true stops calls that were not placed yet, at once")
    notes: Prose | None = None
    custom_fields: JsonObject | None = None
    tags: Tags | None = None


class NewContact(ContactFields):
    team_id: Id
    first_name: Name
    last_name: Name
    campaign_id: Id | None = Field(default=None, description="Enrol the contact in this campaign at once")
    campaign_priority: Annotated[int, Field(ge=0, le=99)] = 0


class ContactChange(ContactFields):
    first_name: Name = OMITTED
    last_name: Name = OMITTED


class ContactQuery(PageQuery):
    company_id: Id | None = None
    search: Line | None = Field(
        default=None,
        description="Part of first name, last name, full name, email or phone, in any case; one or two letters are looked for "
        "where a word of these begins (digits also behind the + of a phone)",
    )
    lead_status: Line | None = None
    do_not_call: Literal["true", "false"] | None = None
    has_phone: Literal["true", "false"] | None = None
    tag: Line | None = None


class CompanyRef(Record):
    id: str
    name: str


class Whereabouts(Record):
    """Where the phone may ring, which decides when it may be called: in all of these zones and by the rules of all these regions.
    No zones: nobody knows, and it is not called by its own clock. No regions: any of the country may be it."""

    zones: list[str]
    zones_from: Source = Field(description="contact: its `timezone`; region; number; country: no more than that of the number")
    regions: list[str] = Field(description="ISO 3166-2")
    regions_from: Literal["contact", "number", "unknown"]


class Contact(Record):
    id: str
    team_id: str
    company_id: str | None
    company: CompanyRef | None
    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    phone_secondary: str | None
    job_title: str | None
    region: str | None
    lead_status: str
    source: str | None
    timezone: str | None
    preferred_contact_method: str | None
    do_not_call: bool
    place: Whereabouts
    notes: str | None
    custom_fields: dict[str, Any]
    tags: list[str]
    last_contacted_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Enrolment(Record):
    """One campaign the contact was enrolled in."""

    campaign_id: str
    campaign_name: str
    campaign_status: str
    campaign_contact_id: str
    status: str
    outcome: str | None
    attempts: int
    last_attempt_at: datetime | None
    completed_at: datetime | None
    created_at: datetime


class ContactDetail(Contact):
    campaign_history: list[Enrolment]


class CampaignEnrollment(Record):
    campaign_contact_id: str
    status: str


class ContactAnswer(Answer):
    contact: Contact


class CreatedAnswer(ContactAnswer):
    campaign_enrollment: CampaignEnrollment | None = Field(default=None, exclude_if=lambda value: value is None)


class DetailAnswer(Answer):
    contact: ContactDetail


class ContactPage(Page):
    contacts: list[Contact]


def shown(row: contacts.Row) -> dict[str, Any]:
    """A row of the ledger as a contact of the API."""
    company = None if row["company_id"] is None else {"id": row["company_id"], "name": row["company_name"]}
    return {**row, "company": company, "place": _place(row)}


def _place(row: contacts.Row) -> dict[str, Any]:
    place = place_of(row)
    from_ = "contact" if row["region"] is not None else "number" if place.regions else "unknown"
    return {"zones": place.zones, "zones_from": place.source, "regions": place.regions, "regions_from": from_}


@router.post("/contacts", summary="Create a contact")
async def create(body: NewContact, caller: Writer, context: Context) -> CreatedAnswer:
    team = own_team(caller, body.team_id)
    values = body.given(without=frozenset({"team_id", "campaign_id", "campaign_priority"}))
    if body.campaign_id is None:
        return await once(_created, contacts.create(context.database, team, caller.actor, values))
    if not caller.may("campaigns:write"):
        raise Forbidden("campaignId: this key may not enrol contacts; it lacks the scope campaigns:write.")
    work = enrolment.enrol_new(context, team, caller.actor, body.campaign_id, values, body.campaign_priority)
    return await once(_enrolled, work)


def _created(row: contacts.Row) -> CreatedAnswer:
    return CreatedAnswer.model_validate({"contact": shown(row)})


def _enrolled(born: enrolment.Newcomer) -> CreatedAnswer:
    enrolled = {"campaign_contact_id": born.enrolment, "status": born.status}
    return CreatedAnswer.model_validate({"contact": shown(born.contact), "campaign_enrollment": enrolled})


async def listed(context: Context, caller: Caller, query: ContactQuery) -> ContactPage:
    wanted = Filter(
        team_id=own_team(caller, query.team_id),
        company_id=query.company_id,
        search=query.search,
        lead_status=query.lead_status,
        do_not_call=None if query.do_not_call is None else query.do_not_call == "true",
        has_phone=None if query.has_phone is None else query.has_phone == "true",
        tag=query.tag,
    )
    rows, count = await contacts.listing(
        context.database, wanted, limit=query.limit, offset=query.offset, after=query.after(CONTACTS)
    )
    return ContactPage.model_validate({"contacts": [shown(row) for row in rows], **query.page(CONTACTS, rows, count)})


@router.get("/contacts", summary="List contacts, newest first")
async def index(query: Annotated[ContactQuery, FromQuery()], caller: Reader, context: Context) -> ContactPage:
    return await listed(context, caller, query)


@router.get("/contacts/{id}", summary="One contact and the campaigns it was in")
async def show(id: str, caller: Reader, context: Context) -> DetailAnswer:
    row, history = await contacts.get(context.database, caller.team_id, id)
    return DetailAnswer.model_validate({"contact": {**shown(row), "campaign_history": history}})


@router.put("/contacts/{id}", summary="Change the given fields; null clears")
@router.patch("/contacts/{id}", summary="Change the given fields; null clears")
async def change(id: str, body: ContactChange, caller: Writer, context: Context) -> ContactAnswer:
    row = await contacts.change(context, caller.team_id, caller.actor, id, body.given())
    return ContactAnswer.model_validate({"contact": shown(row)})


@router.delete("/contacts/{id}", summary="Delete a contact that waits in no unfinished campaign")
async def delete(id: str, caller: Writer, context: Context) -> Answer:
    """A "no" outlives the contact: the numbers of one who said it are suppressed for the team."""
    await contacts.erase(context, caller.team_id, caller.actor, id)
    return Answer()
