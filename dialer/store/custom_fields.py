"""What a team says of the custom fields of its contacts. Rows in, rows out, no decisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from dialer.domain.cursor import After
from dialer.store.errors import laws
from dialer.store.rows import Row, all_rows, row_or_none
from dialer.store.tables import custom_fields
from dialer.store.transaction import Transaction

c = custom_fields.c


async def find(on: Transaction, team_id: str, field_id: str) -> Row | None:
    found = await on.execute(select(custom_fields).where(c.id == field_id, c.team_id == team_id))
    return row_or_none(found)


async def listing(
    on: Transaction, team_id: str, *, limit: int | None, offset: int, after: After | None = None
) -> tuple[list[Row], int]:
    """One page (`limit` None = all) in the order of the keys, and how many there are in all."""
    count = await on.scalar(select(func.count()).select_from(custom_fields).where(c.team_id == team_id))
    in_order = c.key.collate("C")
    page = select(custom_fields).where(c.team_id == team_id).order_by(in_order).limit(limit).offset(offset)
    if after is not None:
        page = page.where(in_order > after[0])
    return all_rows(await on.execute(page)), count or 0


async def add(on: Transaction, values: Mapping[str, Any]) -> str:
    """The new field's id. Raises Taken for a key that the team has defined."""
    async with laws(on):
        born: str = (await on.execute(insert(custom_fields).values(**values).returning(c.id))).scalar_one()
    return born


async def change(on: Transaction, field_id: str, now: datetime, values: Mapping[str, Any]) -> None:
    await on.execute(update(custom_fields).where(c.id == field_id).values(**values, updated_at=now))


async def remove(on: Transaction, field_id: str) -> None:
    await on.execute(delete(custom_fields).where(c.id == field_id))
