"""Teams in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from dialer.store.errors import laws
from dialer.store.tables import teams
from dialer.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Team:
    id: str
    name: str
    default_region: str
    max_concurrent_calls: int | None
    created_at: datetime


COLUMNS = (teams.c.id, teams.c.name, teams.c.default_region, teams.c.max_concurrent_calls, teams.c.created_at)


async def add(on: Transaction, *, name: str, default_region: str, max_concurrent_calls: int | None) -> Team:
    """Raises Taken for a name that is taken."""
    values = {"name": name, "default_region": default_region, "max_concurrent_calls": max_concurrent_calls}
    async with laws(on):
        rows = await on.execute(insert(teams).values(values).returning(*COLUMNS))
    return Team(**rows.mappings().one())


async def limit(on: Transaction, team_id: str, max_concurrent_calls: int | None) -> Team | None:
    """The team with this limit on its calls at once, None = no limit; None where there is no such team."""
    changed = update(teams).where(teams.c.id == team_id).values(max_concurrent_calls=max_concurrent_calls).returning(*COLUMNS)
    row = (await on.execute(changed)).mappings().one_or_none()
    return None if row is None else Team(**row)


async def get(on: Transaction, team_id: str) -> Team | None:
    row = (await on.execute(select(*COLUMNS).where(teams.c.id == team_id))).mappings().one_or_none()
    return None if row is None else Team(**row)


async def named(on: Transaction, name: str) -> Team | None:
    row = (await on.execute(select(*COLUMNS).where(teams.c.name == name))).mappings().one_or_none()
    return None if row is None else Team(**row)


async def every(on: Transaction) -> list[Team]:
    """Oldest first."""
    return [Team(**row) for row in (await on.execute(select(*COLUMNS).order_by(teams.c.created_at, teams.c.id))).mappings()]
