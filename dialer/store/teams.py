"""Teams in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, update

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
    policy_packs: tuple[str, ...] = ()
    """Ids of the packs that hold for all its calls."""
    frequency_caps: Sequence[Any] = ()


COLUMNS = (
    teams.c.id,
    teams.c.name,
    teams.c.default_region,
    teams.c.max_concurrent_calls,
    teams.c.created_at,
    teams.c.policy_packs,
    teams.c.frequency_caps,
)


async def add(
    on: Transaction, *, name: str, default_region: str, max_concurrent_calls: int | None, policy_packs: Sequence[str] = ()
) -> Team:
    """Raises Taken for a name that is taken."""
    values = {
        "name": name,
        "default_region": default_region,
        "max_concurrent_calls": max_concurrent_calls,
        "policy_packs": list(policy_packs),
    }
    async with laws(on):
        rows = await on.execute(insert(teams).values(values).returning(*COLUMNS))
    return _team(rows.mappings().one())


def _team(row: RowMapping) -> Team:
    return Team(**{**row, "policy_packs": tuple(row["policy_packs"])})


async def set_packs(on: Transaction, team_id: str, policy_packs: Sequence[str]) -> None:
    await on.execute(update(teams).where(teams.c.id == team_id).values(policy_packs=list(policy_packs)))


async def limit(on: Transaction, team_id: str, max_concurrent_calls: int | None) -> Team | None:
    """The team with this limit on its calls at once, None = no limit; None where there is no such team."""
    changed = update(teams).where(teams.c.id == team_id).values(max_concurrent_calls=max_concurrent_calls).returning(*COLUMNS)
    row = (await on.execute(changed)).mappings().one_or_none()
    return None if row is None else _team(row)


async def get(on: Transaction, team_id: str) -> Team | None:
    row = (await on.execute(select(*COLUMNS).where(teams.c.id == team_id))).mappings().one_or_none()
    return None if row is None else _team(row)


async def named(on: Transaction, name: str) -> Team | None:
    row = (await on.execute(select(*COLUMNS).where(teams.c.name == name))).mappings().one_or_none()
    return None if row is None else _team(row)


async def every(on: Transaction) -> list[Team]:
    """Oldest first."""
    return [_team(row) for row in (await on.execute(select(*COLUMNS).order_by(teams.c.created_at, teams.c.id))).mappings()]


async def set_caps(on: Transaction, team_id: str, caps: list[Any]) -> None:
    """Whoever calls holds the team's lock."""
    await on.execute(update(teams).where(teams.c.id == team_id).values(frequency_caps=caps))
