"""Scenario 10: Postgres is far away, stands still for moments, and has a row that somebody keeps locked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from tests.support.ledger import Seed
from tests.system.frame import Row, Scenario, Task
from tests.system.judge import refills
from tests.system.stage import Layout, Stage, stage
from tests.system.trial import CAP, PER_SECOND, Fault, steady, trial, verdict, warm, while_it_lasts

LATENCY = 0.5
FAR_SECONDS = 40.0
STALL_SECONDS = 2.0
STALLS = 6
STALL_EVERY_SECONDS = 5.0
LOCK_SECONDS = 30.0
LOOK_SECONDS = 0.05
REST_SECONDS = 12.0
RESUME_SECONDS = 10.0
REFILL_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
"""The statement timeout; nothing may be under way for longer."""


class Watch:
    """What is under way in Postgres, looked at 20 times a second: how many claims at once, and for how long anything."""

    def __init__(self) -> None:
        self.claims = 0
        self.longest = 0.0

    @asynccontextmanager
    async def over(self, on: Stage) -> AsyncIterator[None]:
        connection = await asyncpg.connect(on.stores.database_url)
        watching = asyncio.create_task(self._look(connection))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait({watching})
            await connection.close()
        if not watching.cancelled():
            watching.result()

    async def _look(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        while True:
            found = await connection.fetchrow(
                """select count(*) filter (where query like '%scope_room(s, ($1::timestamptz%') as claims,
                     coalesce(max(extract(epoch from clock_timestamp() - query_start)), 0)::float8 as longest
                   from pg_stat_activity where application_name = 'dialer' and state = 'active'"""
            )
            assert found is not None
            self.claims = max(self.claims, found["claims"])
            self.longest = max(self.longest, found["longest"])
            await asyncio.sleep(LOOK_SECONDS)

    @property
    def notes(self) -> str:
        return f"{self.claims} claims at once, the longest statement took {self.longest:.1f} s"

    @property
    def good(self) -> bool:
        return self.claims <= 1 and self.longest <= PATIENCE_SECONDS + 1


async def far(task: Task) -> Row:
    seconds = max(6.0, FAR_SECONDS * task.scale)
    return await _through_proxy(task, "far", 1, seconds, 0.0)


async def stalls(task: Task) -> Row:
    return await _through_proxy(task, "stalls", task.scaled(STALLS, 2), STALL_SECONDS, STALL_EVERY_SECONDS)


async def _through_proxy(task: Task, case: str, times: int, seconds: float, rest: float) -> Row:
    watch = Watch()

    async def harm(on: Stage, campaign: Seed) -> Sequence[Fault]:
        proxy = on.proxies["postgres"]

        def begin() -> None:
            if case == "far":
                proxy.latency = LATENCY
            else:
                proxy.mode = "blackhole"

        def end() -> None:
            proxy.latency = 0.0
            proxy.mode = "pass"

        faults = []
        async with watch.over(on):
            for _ in range(times):
                faults.append(await while_it_lasts(seconds, begin, end))
                await asyncio.sleep(rest)
            await asyncio.sleep(REST_SECONDS)
        return faults

    layout = Layout(cap=CAP, script=steady(), proxied=frozenset({"postgres"}))
    made = await trial(task, layout, round((times * rest + REST_SECONDS + 5) * PER_SECOND), harm)
    dialled = sum(any(fault.began < start < fault.over for fault in made.faults) for start in made.starts)
    notes = f"{dialled} calls meanwhile; {watch.notes}"
    return made.row(SCENARIO, case, within=RESUME_SECONDS, notes=notes, passed=watch.good)


async def locked(task: Task) -> Row:
    """Two campaigns; somebody holds the rows of one."""
    seconds = max(8.0, LOCK_SECONDS * task.scale)
    contacts = round((seconds + 6) * PER_SECOND)
    watch = Watch()
    async with stage(Layout(cap=CAP, script=steady()), task) as on:
        stuck = await on.campaign(contacts // 3, concurrency=CAP // 3)
        other = await on.campaign(contacts, concurrency=CAP, prefix="+4940")
        await warm(on)
        holder = await asyncpg.connect(on.stores.database_url)
        try:
            began = time.time()
            async with watch.over(on), holder.transaction():
                await holder.execute("select from campaigns where id = $1 for update", stuck.campaign)
                await holder.execute("select from scopes where key = $1 for update", f"campaign:{stuck.campaign}")
                await asyncio.sleep(seconds)
        finally:
            await holder.close()
        fault = Fault(began, time.time())
        quiet = [await on.quiet(each, within=180) for each in (stuck, other)]
        waits = await refills(on, other, fault.began, fault.over)
        made = await verdict(on, stuck, [fault], () if all(quiet) else ("it did not come to rest",))
        spared = await verdict(on, other, [fault], ())
    p95 = sorted(waits)[int(0.95 * (len(waits) - 1))] if waits else float("inf")
    during = sum(fault.began < start < fault.over for start in made.starts)
    notes = (
        f"the other campaign's {len(waits)} refills: p95 {p95:.2f} s; the locked one's calls meanwhile: {during}; {watch.notes}"
    )
    passed = p95 <= REFILL_SECONDS and watch.longest < seconds and spared.found.lawful
    return made.row(SCENARIO, "locked", within=RESUME_SECONDS, notes=notes, passed=passed)


CASES = {"far": far, "stalls": stalls, "locked": locked}


async def run(task: Task) -> list[Row]:
    rows = []
    for case, work in CASES.items():
        if task.wants(case):
            task.say(f"Postgres {case} …")
            rows.append(await work(task))
    return rows


SCENARIO = Scenario(
    10,
    "Postgres slow",
    does=f"{LATENCY * 1000:.0f} ms on every packet for {FAR_SECONDS:.0f} s; {STALLS} stalls of {STALL_SECONDS:.0f} s; "
    f"a campaign's rows locked for {LOCK_SECONDS:.0f} s beside another campaign",
    passes=f"the laws; one claim at a time; no statement beyond its timeout; dialling again ≤ {RESUME_SECONDS:.0f} s after; "
    f"the other campaign's refill p95 ≤ {REFILL_SECONDS:.0f} s",
    run=run,
    cases=tuple((case,) for case in CASES),
    beside=dict.fromkeys(CASES, 1),
)
