"""Phone numbers: which caller ID is shown. Rows in, rows out, no decisions. A number is in a team once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, any_, delete, func, insert, select, tuple_, update

from dialer.domain.cursor import After
from dialer.domain.machine import FINAL_CAMPAIGN
from dialer.store.errors import laws
from dialer.store.rows import Row, all_rows, row_or_none
from dialer.store.tables import campaigns, phone_numbers, reputations, scopes
from dialer.store.transaction import Transaction

c = phone_numbers.c


def with_record() -> Select[Any]:
    """Numbers with how their `recent` calls ended (null = none yet) and what they have `day_used` on the UTC `day`."""
    return (
        select(phone_numbers, reputations.c.recent, scopes.c.day, scopes.c.day_used)
        .outerjoin(reputations, reputations.c.number_id == c.id)
        .join(scopes, scopes.c.key == "number:" + c.id)
    )


async def find(on: Transaction, team_id: str, number_id: str) -> Row | None:
    return row_or_none(await on.execute(with_record().where(c.id == number_id, c.team_id == team_id)))


async def lock(on: Transaction, number_id: str) -> None:
    """Hold the number until the transaction ends: no campaign can come to show it meanwhile."""
    await on.execute(select(c.id).where(c.id == number_id).with_for_update())


async def with_phone(on: Transaction, team_id: str, phone_number: str) -> Row | None:
    """The team's number of these digits (E.164)."""
    found = await on.execute(select(phone_numbers).where(c.team_id == team_id, c.phone_number == phone_number))
    return row_or_none(found)


async def listing(
    on: Transaction,
    team_id: str,
    *,
    assistant_id: str | None,
    status: str | None,
    limit: int,
    offset: int,
    after: After | None = None,
) -> tuple[list[Row], int]:
    """One page, newest first, and how many there are in all."""
    wanted = [c.team_id == team_id]
    if assistant_id is not None:
        wanted.append(c.assistant_id == assistant_id)
    if status is not None:
        wanted.append(c.status == status)
    count = await on.scalar(select(func.count()).select_from(phone_numbers).where(and_(*wanted)))
    if after is not None:
        wanted.append(tuple_(c.created_at, c.id) < after)
    page = with_record().where(and_(*wanted)).order_by(c.created_at.desc(), c.id.desc()).limit(limit).offset(offset)
    return all_rows(await on.execute(page)), count or 0


async def unfinished_campaigns(on: Transaction, number_id: str) -> int:
    """How many unfinished campaigns show this number."""
    counted = select(func.count()).where(
        any_(campaigns.c.from_number_ids) == number_id,
        campaigns.c.status.not_in(FINAL_CAMPAIGN),
        campaigns.c.deleted_at.is_(None),
    )
    return await on.scalar(counted) or 0


async def add(on: Transaction, values: Mapping[str, Any]) -> str:
    """The new number's id. Raises Taken when the team has the number already."""
    async with laws(on):
        born: str = (await on.execute(insert(phone_numbers).values(**values).returning(c.id))).scalar_one()
    return born


async def change(on: Transaction, number_id: str, now: datetime, values: Mapping[str, Any]) -> None:
    """Raises Taken when the team has the number already."""
    async with laws(on):
        await on.execute(update(phone_numbers).where(c.id == number_id).values(**values, updated_at=now))


async def end_rest(on: Transaction, number_id: str) -> None:
    """It is shown again at once, and what it has behind it counts no more."""
    await on.execute(update(phone_numbers).where(c.id == number_id).values(resting_until=None, resting_reason=None))
    await on.execute(update(reputations).where(reputations.c.number_id == number_id).values(recent="", rests=0, unjudged=False))


async def remove(on: Transaction, number_id: str) -> None:
    """Raises InUse while calls refer to it."""
    async with laws(on):
        await on.execute(delete(phone_numbers).where(c.id == number_id))
