"""Counts against what they count. A disagreement is a defect: it is told, and the count is set right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dialer.store.database import Connection, Pool
from dialer.store.statements import fetch


@dataclass(frozen=True, slots=True)
class Disagreement:
    """`counted` is what the ledger kept, `found` what a recount says."""

    what: str
    counted: int
    found: int


@asynccontextmanager
async def _wide(pool: Pool) -> AsyncIterator[Connection]:
    """For the few statements of the pool that read much: planned for what is there, with every kind of join."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "set local plan_cache_mode = force_custom_plan; set local enable_seqscan = on; set local enable_mergejoin = on"
        )
        yield connection


async def scopes(pool: Pool) -> list[Disagreement]:
    async with _wide(pool) as connection:
        return [Disagreement(r["key"], r["active"], r["live"]) for r in await fetch(connection, "recount_scopes")]


async def mend_scopes(pool: Pool, keys: Collection[str]) -> None:
    """Set these semaphores to the count of their live attempts, under their locks."""
    async with pool.acquire() as connection, connection.transaction():
        await fetch(connection, "lock_scopes", list(keys))
        await fetch(connection, "mend_scopes", list(keys))


async def tallies(pool: Pool, campaigns: Collection[str]) -> list[Disagreement]:
    async with _wide(pool) as connection:
        return [
            Disagreement(f"{r['campaign_id']} {r['status']} {r['outcome']} called={r['called']}", r["tally"], r["rows"])
            for r in await fetch(connection, "recount_tallies", list(campaigns))
        ]


async def active_campaigns(pool: Pool) -> dict[str, str]:
    """Running and paused campaigns: id → status."""
    return {r["id"]: r["status"] for r in await fetch(pool, "active_campaigns")}
