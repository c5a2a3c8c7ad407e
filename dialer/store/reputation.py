"""What is known of caller IDs: how their calls end, and until when they rest. Rows in, values out; the caller decides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from dialer.domain.reputation import Record, Rest
from dialer.store.database import Pool
from dialer.store.statements import fetch


async def judge(pool: Pool, decide: Callable[[Record], Rest | None], now: datetime) -> dict[str, Rest]:
    """Ask `decide` about each number of which a call was blocked since the last time: number id → its rest, which is written.
    What ended before a rest, or in it, does not count after it. Numbers that are being written are left for the next time."""
    ids = [r["number_id"] for r in await fetch(pool, "unjudged_numbers")]
    if not ids:
        return {}
    async with pool.acquire() as connection, connection.transaction():
        held = [r["id"] for r in await fetch(connection, "hold_numbers", ids)]
        rows = await fetch(connection, "hold_reputations", held)
        records = {r["number_id"]: Record(r["recent"], r["rests"], r["resting_until"]) for r in rows}
        decided = {id: decide(record) for id, record in records.items()}
        rests = {id: rest for id, rest in decided.items() if rest is not None}
        resting = {id for id, each in records.items() if each.resting_until is not None and each.resting_until > now}
        counts = [rests[id].rests if id in rests else each.rests for id, each in records.items()]
        await fetch(connection, "judged", list(records), [id in rests or id in resting for id in records], counts)
        if rests:
            whys = [rest.reason for rest in rests.values()]
            await fetch(connection, "rest_numbers", list(rests), [rest.until for rest in rests.values()], whys)
    return rests


async def resting(pool: Pool, now: datetime) -> int:
    """How many caller IDs rest."""
    [r] = await fetch(pool, "resting_numbers", now)
    count: int = r["n"]
    return count
