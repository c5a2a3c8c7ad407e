"""Contacts as people see and change them. Rows in, rows out, no decisions.

An erased contact (`deleted_at`) is in no answer; its row is kept where past calls refer to it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, text, update

from dialer.domain.cursor import After
from dialer.domain.machine import FINAL_CAMPAIGN, OPEN_CONTACT
from dialer.store.errors import InUse, laws
from dialer.store.rows import Row, all_rows, row_or_none
from dialer.store.tables import campaign_contacts, campaigns, companies, contacts, place_sets
from dialer.store.transaction import Transaction
from dialer.store.written import written

c = contacts.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Every field that is set must hold. `search` is a part of first name, last name, both, email or phone, in any case; of one
    or two letters, how a word of these begins."""

    team_id: str
    company_id: str | None = None
    search: str | None = None
    lead_status: str | None = None
    do_not_call: bool | None = None
    has_phone: bool | None = None
    tag: str | None = None


def _with_surroundings() -> Select[Any]:
    own = (column for column in contacts.c if column.computed is None)
    place = (place_sets.c.zones, place_sets.c.regions, place_sets.c.told_by)
    return (
        select(*own, companies.c.name.label("company_name"), *place)
        .outerjoin(companies, companies.c.id == c.company_id)
        .join(place_sets, place_sets.c.id == c.place_set_id)
    )


FOUND = """
select ids, total from contacts_found(cast(:filters as jsonb), :limit, :offset, cast(:since as timestamptz), cast(:last as text))
"""


async def listing(
    on: Transaction, wanted: Filter, *, limit: int, offset: int, after: After | None = None
) -> tuple[list[Row], int]:
    """One page, newest first, and how many there are in all.

    Found by a function of the ledger, which reads past row-level security and takes the team from the transaction: behind the
    wall, the planner would use no index for parts of texts or for tags.
    """
    await on.execute(text("select set_config('dialer.team', :team, true) where team() is null"), {"team": wanted.team_id})
    filters = {name: value for name, value in asdict(wanted).items() if value is not None and name != "team_id"}
    if filters.get("search") == "":
        del filters["search"]
    since, last = after or (None, None)
    given = {"filters": json.dumps(filters), "limit": limit, "offset": offset, "since": since, "last": last}
    found = (await on.execute(written(FOUND), given)).one()
    page = _with_surroundings().where(c.id.in_(found.ids), c.team_id == wanted.team_id).order_by(c.created_at.desc(), c.id.desc())
    return all_rows(await on.execute(page)) if found.ids else [], found.total


async def find(on: Transaction, team_id: str, contact_id: str) -> Row | None:
    return _alive(row_or_none(await on.execute(_with_surroundings().where(c.id == contact_id, c.team_id == team_id))))


async def lock(on: Transaction, team_id: str, contact_id: str) -> Row | None:
    """Hold the contact's row until the transaction ends."""
    return _alive(
        row_or_none(await on.execute(select(contacts).where(c.id == contact_id, c.team_id == team_id).with_for_update()))
    )


def _alive(row: Row | None) -> Row | None:
    """Looked at here, not in the statement: while the table has no statistics, until a minute after the first large import,
    Postgres believes that one row in two hundred is not erased, and reads all of a team to find the contact among these."""
    return None if row is None or row["deleted_at"] is not None else row


async def with_number(on: Transaction, team_id: str, number: str) -> Row | None:
    """The team's contact with this number: one who said no before others, then whose first number it is, then the oldest."""
    found = await on.execute(
        select(contacts)
        .where(c.team_id == team_id, (c.phone == number) | (c.phone_secondary == number))  # an erased contact has none
        .order_by(c.do_not_call.desc(), (c.phone == number).desc(), c.created_at, c.id)
        .limit(1)
    )
    return row_or_none(found)


async def add(on: Transaction, values: Mapping[str, Any]) -> str:
    """The new contact's id."""
    born: str = (await on.execute(insert(contacts).values(**values).returning(c.id))).scalar_one()
    return born


async def change(on: Transaction, contact_id: str, now: datetime, values: Mapping[str, Any]) -> None:
    """`values` are columns. The place of the second number is written last: writing the number or the zone makes it unknown."""
    place = {name: value for name, value in values.items() if name == "second_place_set_id"}
    rest = {name: value for name, value in values.items() if name not in place}
    await on.execute(update(contacts).where(c.id == contact_id).values(**rest, updated_at=now))
    if place:
        await on.execute(update(contacts).where(c.id == contact_id).values(**place))


def _placed(*where: ColumnElement[bool], after: str, limit: int) -> Select[Any]:
    own = (c.id, c.timezone, c.region, c.phone, c.phone_secondary, c.place_set_id, c.second_place_set_id)
    return select(*own).where(*where, c.id > after).order_by(c.id).limit(limit)


async def placed(on: Transaction, team_id: str, after: str, limit: int) -> list[Row]:
    """Contacts of a team by their ids, with what their place follows from."""
    there = (c.team_id == team_id, c.deleted_at.is_(None))
    return all_rows(await on.execute(_placed(*there, after=after, limit=limit)))


async def placed_among(on: Transaction, ids: Collection[str], after: str, limit: int) -> list[Row]:
    """The same of these contacts."""
    return all_rows(await on.execute(_placed(c.id.in_(ids), c.deleted_at.is_(None), after=after, limit=limit)))


async def lock_all(on: Transaction, ids: Collection[str]) -> None:
    """Hold these contacts until the transaction ends, in the order of an enrolment, which locks many too."""
    held = select(c.id).where(c.id.in_(ids)).order_by(c.created_at, c.id).with_for_update()
    await on.execute(held)


async def put(on: Transaction, places: Mapping[str, tuple[int, str, int | None]], now: datetime) -> None:
    """Contact id → the place set it belongs to, how its zones are known, and the place set of its second number."""
    statement = written("""
        update contacts c
        set place_set_id = w.place, place_source = w.source, second_place_set_id = w.second, updated_at = :now
        from unnest(cast(:ids as text[]), cast(:places as integer[]), cast(:sources as text[]), cast(:seconds as integer[]))
          w(id, place, source, second)
        where c.id = w.id""")
    sets, sources, seconds = (list(column) for column in zip(*places.values(), strict=True))
    given = {"ids": list(places), "places": sets, "sources": sources, "seconds": seconds, "now": now}
    await on.execute(statement, given)


async def open_enrolments(on: Transaction, contact_id: str) -> int:
    """In how many unfinished campaigns the contact waits or is being called."""
    e = campaign_contacts.c
    counted = (
        select(func.count())
        .select_from(campaign_contacts.join(campaigns, campaigns.c.id == e.campaign_id))
        .where(
            e.contact_id == contact_id,
            e.status.in_(OPEN_CONTACT),
            campaigns.c.status.not_in(FINAL_CAMPAIGN),
            campaigns.c.deleted_at.is_(None),  # a draft that was put away never starts
        )
    )
    return await on.scalar(counted) or 0


async def remove(on: Transaction, contact_id: str, erased: Mapping[str, Any]) -> None:
    """Delete the row or, when enrolments and calls refer to it, set it to `erased`."""
    try:
        async with laws(on):
            await on.execute(delete(contacts).where(c.id == contact_id))
    except InUse:
        await on.execute(update(contacts).where(c.id == contact_id).values(**erased))


async def campaign_history(on: Transaction, contact_id: str, limit: int) -> list[Row]:
    """The newest enrolments of a contact in campaigns; direct calls are among its calls."""
    e = campaign_contacts.c
    campaign = (campaigns.c.name.label("campaign_name"), campaigns.c.status.label("campaign_status"))
    own = (e.campaign_id, e.status, e.outcome, e.attempts, e.last_attempt_at, e.completed_at, e.created_at)
    rows = (
        select(e.id.label("campaign_contact_id"), *campaign, *own)
        .join(campaigns, campaigns.c.id == e.campaign_id)
        .where(e.contact_id == contact_id, campaigns.c.kind == "campaign")
        .order_by(e.created_at.desc(), e.id.desc())
        .limit(limit)
    )
    return all_rows(await on.execute(rows))
