"""Where contacts are, worked out anew: after an import that filled in zones or regions, and of all contacts of a team when they
were placed by an older version or by older tables of numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from dialer.domain.errors import Conflict
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows.campaigns.means import Means
from dialer.store import callability, contacts
from dialer.store.database import Pool
from dialer.store.places import place_set_ids
from dialer.store.rows import Row
from dialer.store.transaction import Transaction, reading, transaction
from scheduler.places import locate

AT_ONCE: Final = 5_000
"""Contacts that are read and written together."""


async def relocate(on: Transaction, pool: Pool, read: Callable[[str, int], Awaitable[Sequence[Row]]], now: datetime) -> list[str]:
    """The contacts that `read` gives (as `contacts.placed`; after an id, so many) are put where they are, with both numbers; the
    ids of those who were elsewhere before, whose enrolments are to follow. Whoever calls holds what `callability.hold` takes."""
    moved: list[str] = []
    after = ""
    while rows := await read(after, AT_ONCE):
        after = rows[-1]["id"]
        gone = await _elsewhere(pool, rows)
        if gone:
            await contacts.put(on, gone, now)
            moved += gone
    return moved


async def locate_contacts(means: Means, team_id: str, actor: str, progress: Callable[[int], None] | None = None) -> int:
    """All contacts of a team are put where they are by what is known today, and their enrolments with them; how many were
    elsewhere. `progress` gets how many were looked at. Raises Conflict."""
    pool = means.database.pool
    after, seen, moved = "", 0, 0
    while True:
        async with reading(means.database) as on:
            rows = await contacts.placed(on, team_id, after, AT_ONCE)
        if not rows:
            return moved
        after, seen = rows[-1]["id"], seen + len(rows)
        if gone := await _elsewhere(pool, rows):
            moved += await _move(means, actor, list(gone))
        if progress is not None:
            progress(seen)


async def _move(means: Means, actor: str, ids: Sequence[str]) -> int:
    now = means.clock.now()
    async with transaction(means.database, actor) as on:
        held = await callability.hold(on, partial(callability.waiting_in, on, ids), partial(contacts.lock_all, on, ids))
        if held is None:
            raise Conflict("Contacts were enrolled again and again meanwhile; do it again.")
        moved = await relocate(on, means.database.pool, partial(contacts.placed_among, on, ids), now)
        await callability.readdress(on, moved, held[0], now)
    await means.pause(FENCE_SECONDS)
    await means.ringer.wake(held[0].scopes)
    return len(moved)


async def _elsewhere(pool: Pool, rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, str, int | None]]:
    """Those of the contacts who are not where they were: the place set they belong to, how its zones are known, and the place set
    of the second number."""
    first = {row["id"]: locate(row["timezone"], row["region"], row["phone"]) for row in rows}
    second = {row["id"]: locate(row["timezone"], row["region"], row["phone_secondary"]) for row in rows if row["phone_secondary"]}
    ids = await place_set_ids(pool, [*first.values(), *second.values()])
    found = {id: (ids[at], at.source, ids[second[id]] if id in second else None) for id, at in first.items()}
    was = {row["id"]: (row["place_set_id"], row["second_place_set_id"]) for row in rows}
    return {id: there for id, there in found.items() if (there[0], there[2]) != was[id]}
