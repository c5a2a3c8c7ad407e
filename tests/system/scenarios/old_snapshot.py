"""Scenario 11: somebody's transaction stays open, so that nothing which dies meanwhile can be cleared away."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence

import asyncpg

from dialer.app import house
from dialer.flows.release import LedgerBook
from dialer.settings import load
from scheduler.planner import Plan
from scheduler.ticker import Carried, Ticker
from tests.support.engine import TRUNK
from tests.system.frame import Row, Scenario, Task
from tests.system.stage import Layout, Stage, stage
from tests.system.trial import CAP, PER_SECOND, Fault, steady, verdict, warm

SECONDS = 40.0
"""Of dialling before, and again under the old snapshot."""
WORTH = 10 * 60 * 100
"""Contacts that are called in ten minutes at 100 calls a second. They are taken out of the head of the line at once, which leaves
as many dead entries in its index as calling them would."""
SLOWER = 2.0
LEAST_MS = 5.0
"""Below that a claim is quick, however much quicker it was before: the noise of two processors."""


class Timed(LedgerBook):
    """Notes how long each release took, in seconds."""

    def watch(self, into: list[float]) -> None:
        self._took = into

    async def release(self, made: Plan) -> Carried:
        began = time.perf_counter()
        carried = await super().release(made)
        if made.releases:
            self._took.append(time.perf_counter() - began)
        return carried


def rank(seconds: Sequence[float], share: float) -> float:
    """In milliseconds; for ever where nothing was measured."""
    return sorted(seconds)[int(share * (len(seconds) - 1))] * 1000 if seconds else math.inf


async def run(task: Task) -> list[Row]:
    """The scheduler runs in our own process, to be timed; everything else as ever."""
    seconds, worth = max(6.0, SECONDS * task.scale), task.scaled(WORTH, 5_000)
    contacts = worth + round((2 * seconds + 3) * PER_SECOND)
    async with stage(Layout(schedulers=0, cap=CAP, script=steady()), task) as on:
        settings = load(on.directory / "config.toml", {"DATABASE_URL": on.stores.database_url, "REDIS_URL": on.stores.redis_url})
        async with house(settings) as h:
            campaign = await on.campaign(contacts)
            book = Timed(h.database.pool, h.ringer, h.clock, {TRUNK}, h.rules)
            fresh: list[float] = []
            old: list[float] = []
            book.watch(fresh)
            stop = asyncio.Event()
            faults: list[BaseException] = []
            ticking = asyncio.create_task(Ticker(book, h.bell, h.clock, 1.0, faults.append).run(stop))
            await warm(on)
            await asyncio.sleep(seconds)
            holder = await asyncpg.connect(on.stores.database_url)
            transaction = holder.transaction(isolation="repeatable_read")
            await transaction.start()
            await holder.execute("select count(*) from campaign_contacts")
            await _take_out(on, campaign.campaign, worth)
            book.watch(old)
            began = time.time()
            await asyncio.sleep(seconds)
            book.watch([])
            await transaction.rollback()
            await holder.close()
            fault = Fault(began, time.time())
            on.start("scheduler-1", "scheduler")  # it also sweeps and brings the campaign to its end
            quiet = await on.quiet(campaign, within=120 + 4 * seconds)
            stop.set()
            await ticking
        troubles = [*(() if quiet else ("it did not come to rest",)), *(repr(each) for each in faults)]
        made = await verdict(on, campaign, [fault], troubles)
    before, under = rank(fresh, 0.99), rank(old, 0.99)
    notes = (
        f"claim p99 {before:.1f} ms before ({len(fresh)}), {under:.1f} ms under it ({len(old)}); "
        f"median {rank(fresh, 0.5):.1f} and {rank(old, 0.5):.1f} ms; {worth:,} contacts taken out"
    )
    passed = under <= max(SLOWER * before, LEAST_MS)
    return [made.row(SCENARIO, "", within=10.0, notes=notes, passed=passed)]


async def _take_out(on: Stage, campaign: str, count: int) -> None:
    """The head of the line is done with, a thousand at a time."""
    for _ in range(0, count, 1000):
        async with on.pool.acquire() as connection:
            await connection.execute(
                """update campaign_contacts set status = 'skipped', completed_at = now() where id in (
                     select id from campaign_contacts where campaign_id = $1 and status = 'pending'
                     order by next_attempt_at, id limit 1000 for update skip locked)""",
                campaign,
                timeout=60,
            )


SCENARIO = Scenario(
    11,
    "old snapshot",
    does=f"a transaction stays open for {SECONDS:.0f} s of dialling; what ten minutes at 100 calls/s leave dead is made at once",
    passes=f"the laws; claims' p99 ≤ {SLOWER:.0f} × that before (or ≤ {LEAST_MS:.0f} ms)",
    run=run,
)
