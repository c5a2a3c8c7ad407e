"""Companies and their contacts (section 3 of the contract)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Query as FromQuery
from pydantic import Field

from dialer.api import contacts as contact_routes
from dialer.api.auth import may, own_team
from dialer.api.contacts import ContactAnswer, ContactFields, ContactPage, ContactQuery
from dialer.api.context import Context
from dialer.api.idempotency import once
from dialer.api.shapes import OMITTED, Answer, Body, Id, JsonObject, Line, Name, Page, PageQuery, Prose, Record
from dialer.domain.cursor import COMPANIES
from dialer.domain.errors import Invalid
from dialer.domain.keys import Caller
from dialer.flows import companies, contacts

router = APIRouter(tags=["companies"])
Reader = Annotated[Caller, may("contacts:read")]
Writer = Annotated[Caller, may("contacts:write")]


class CompanyFields(Body):
    """What may be left out and cleared with null."""

    website: Line | None = None
    industry: Line | None = None
    company_size: Line | None = None
    address_line1: Line | None = None
    address_line2: Line | None = None
    city: Line | None = None
    state: Line | None = None
    postal_code: Line | None = None
    country: Line | None = None
    phone: Line | None = Field(default=None, description="As it is written; it is not dialled")
    notes: Prose | None = None
    custom_fields: JsonObject | None = None


class NewCompany(CompanyFields):
    team_id: Id
    name: Name


class CompanyChange(CompanyFields):
    name: Name = OMITTED


class CompanyQuery(PageQuery):
    search: Line | None = Field(default=None, description="Part of the name or website, in any case")
    industry: Line | None = None


class NewCompanyContact(ContactFields):
    team_id: Id | None = Field(default=None, description="May be left out: the company has a team")
    first_name: Name
    last_name: Name


class Company(Record):
    id: str
    team_id: str
    name: str
    website: str | None
    industry: str | None
    company_size: str | None
    address_line1: str | None
    address_line2: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    country: str | None
    phone: str | None
    notes: str | None
    custom_fields: dict[str, Any]
    contact_count: int
    created_at: datetime
    updated_at: datetime


class CompanyAnswer(Answer):
    company: Company


class CompanyPage(Page):
    companies: list[Company]


@router.post("/companies", summary="Create a company")
async def create(body: NewCompany, caller: Writer, context: Context) -> CompanyAnswer:
    team = own_team(caller, body.team_id)
    values = body.given(without=frozenset({"team_id"}))
    return await once(_answer, companies.create(context.database, team, caller.actor, values))


def _answer(row: companies.Row) -> CompanyAnswer:
    return CompanyAnswer.model_validate({"company": row})


@router.get("/companies", summary="List companies, newest first")
async def index(query: Annotated[CompanyQuery, FromQuery()], caller: Reader, context: Context) -> CompanyPage:
    team = own_team(caller, query.team_id)
    rows, count = await companies.listing(
        context.database,
        team,
        search=query.search,
        industry=query.industry,
        limit=query.limit,
        offset=query.offset,
        after=query.after(COMPANIES),
    )
    return CompanyPage.model_validate({"companies": rows, **query.page(COMPANIES, rows, count)})


@router.get("/companies/{id}", summary="One company")
async def show(id: str, caller: Reader, context: Context) -> CompanyAnswer:
    return CompanyAnswer.model_validate({"company": await companies.get(context.database, caller.team_id, id)})


@router.put("/companies/{id}", summary="Change the given fields; null clears")
@router.patch("/companies/{id}", summary="Change the given fields; null clears")
async def change(id: str, body: CompanyChange, caller: Writer, context: Context) -> CompanyAnswer:
    row = await companies.change(context.database, caller.team_id, caller.actor, id, body.given(), context.clock.now())
    return CompanyAnswer.model_validate({"company": row})


@router.delete("/companies/{id}", summary="Delete a company without contacts")
async def delete(id: str, caller: Writer, context: Context) -> Answer:
    await companies.delete(context.database, caller.team_id, caller.actor, id)
    return Answer()


@router.post("/companies/{id}/contacts", summary="Create a contact of the company")
async def create_contact(id: str, body: NewCompanyContact, caller: Writer, context: Context) -> ContactAnswer:
    team = own_team(caller, body.team_id)
    _same(id, body.company_id)
    await companies.get(context.database, team, id)
    values = body.given(without=frozenset({"team_id"})) | {"company_id": id}
    work = contacts.create(context.database, team, caller.actor, values)
    return await once(lambda row: ContactAnswer.model_validate({"contact": contact_routes.shown(row)}), work)


@router.get("/companies/{id}/contacts", summary="List the contacts of the company, newest first")
async def list_contacts(id: str, query: Annotated[ContactQuery, FromQuery()], caller: Reader, context: Context) -> ContactPage:
    _same(id, query.company_id)
    await companies.get(context.database, caller.team_id, id)
    return await contact_routes.listed(context, caller, query.model_copy(update={"company_id": id}))


def _same(id: str, named: str | None) -> None:
    if named not in (None, id):
        raise Invalid({"companyId": "is another company than the one in the address; leave it out"})
