"""Assistants: who speaks. Rows in, rows out, no decisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, func, insert, select, tuple_, update

from dialer.domain.cursor import After
from dialer.store.errors import laws
from dialer.store.numbers import with_record
from dialer.store.rows import Row, all_rows, row_or_none
from dialer.store.tables import assistants, phone_numbers
from dialer.store.transaction import Transaction

c = assistants.c


async def find(on: Transaction, team_id: str, assistant_id: str, *, hold: bool = False) -> Row | None:
    """`hold`: it cannot be deleted until the transaction ends."""
    wanted = select(assistants).where(c.id == assistant_id, c.team_id == team_id)
    return row_or_none(await on.execute(wanted.with_for_update(read=True, key_share=True) if hold else wanted))


async def listing(
    on: Transaction, team_id: str, *, outbound_enabled: bool | None, limit: int, offset: int, after: After | None = None
) -> tuple[list[Row], int]:
    """One page, newest first, and how many there are in all."""
    wanted = [c.team_id == team_id]
    if outbound_enabled is not None:
        wanted.append(c.outbound_enabled.is_(outbound_enabled))
    count = await on.scalar(select(func.count()).select_from(assistants).where(and_(*wanted)))
    if after is not None:
        wanted.append(tuple_(c.created_at, c.id) < after)
    page = select(assistants).where(and_(*wanted)).order_by(c.created_at.desc(), c.id.desc()).limit(limit).offset(offset)
    return all_rows(await on.execute(page)), count or 0


async def numbers_of(on: Transaction, assistant_ids: list[str]) -> dict[str, list[Row]]:
    """The active phone numbers of each assistant that has some, oldest first."""
    n = phone_numbers.c
    rows = await on.execute(
        with_record().where(n.assistant_id.in_(assistant_ids), n.status == "active").order_by(n.created_at, n.id)
    )
    found: dict[str, list[Row]] = {}
    for row in all_rows(rows):
        found.setdefault(row["assistant_id"], []).append(row)
    return found


async def number_adapters(on: Transaction, assistant_id: str) -> set[str]:
    """The adapters of the numbers that are assigned to an assistant."""
    n = phone_numbers.c
    return set((await on.execute(select(n.adapter).where(n.assistant_id == assistant_id).distinct())).scalars())


async def add(on: Transaction, values: Mapping[str, Any]) -> str:
    """The new assistant's id."""
    born: str = (await on.execute(insert(assistants).values(**values).returning(c.id))).scalar_one()
    return born


async def change(on: Transaction, assistant_id: str, now: datetime, values: Mapping[str, Any]) -> None:
    await on.execute(update(assistants).where(c.id == assistant_id).values(**values, updated_at=now))


async def remove(on: Transaction, assistant_id: str) -> None:
    """Raises InUse while numbers, campaigns or calls refer to it."""
    async with laws(on):
        await on.execute(delete(assistants).where(c.id == assistant_id))
