"""Companies. Rows in, rows out; each row has its `contact_count`. Names are unique in a team, whatever their case."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, delete, func, insert, select, tuple_, update

from dialer.domain.cursor import After
from dialer.store.errors import laws
from dialer.store.rows import Row, all_rows, row_or_none
from dialer.store.tables import companies, contacts
from dialer.store.transaction import Transaction

c = companies.c


def _with_count() -> Select[Any]:
    counted = select(func.count()).where(contacts.c.company_id == c.id).scalar_subquery()
    return select(companies, counted.label("contact_count"))


async def find(on: Transaction, team_id: str, company_id: str) -> Row | None:
    found = await on.execute(_with_count().where(c.id == company_id, c.team_id == team_id))
    return row_or_none(found)


async def lock(on: Transaction, company_id: str) -> None:
    """Hold the company until the transaction ends: nothing can come to belong to it meanwhile."""
    await on.execute(select(c.id).where(c.id == company_id).with_for_update())


async def listing(
    on: Transaction,
    team_id: str,
    *,
    search: str | None,
    industry: str | None,
    limit: int,
    offset: int,
    after: After | None = None,
) -> tuple[list[Row], int]:
    """One page, newest first, and how many there are in all. `search` is a part of the name or website, in any case."""
    wanted = [c.team_id == team_id]
    if search is not None:
        wanted.append(c.name.icontains(search, autoescape=True) | c.website.icontains(search, autoescape=True))
    if industry is not None:
        wanted.append(c.industry == industry)
    count = await on.scalar(select(func.count()).select_from(companies).where(and_(*wanted)))
    if after is not None:
        wanted.append(tuple_(c.created_at, c.id) < after)
    page = _with_count().where(and_(*wanted)).order_by(c.created_at.desc(), c.id.desc()).limit(limit).offset(offset)
    return all_rows(await on.execute(page)), count or 0


async def add(on: Transaction, values: Mapping[str, Any]) -> str:
    """The new company's id. Raises Taken for a name that is taken."""
    async with laws(on):
        born: str = (await on.execute(insert(companies).values(**values).returning(c.id))).scalar_one()
    return born


async def change(on: Transaction, company_id: str, now: datetime, values: Mapping[str, Any]) -> None:
    """Raises Taken for a name that is taken."""
    async with laws(on):
        await on.execute(update(companies).where(c.id == company_id).values(**values, updated_at=now))


async def remove(on: Transaction, company_id: str) -> None:
    """Raises InUse while contacts or campaigns refer to it."""
    async with laws(on):
        await on.execute(delete(companies).where(c.id == company_id))
