"""Many schedulers and workers, few numbers: no number and no person is called more often than the team lets. The same with real
processes and many more of everything: `make chaos ARGS=40`."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import asyncpg

from dialer.flows.place import Placer
from dialer.flows.release import LedgerBook, RulesReader
from dialer.queue import RateBuckets
from scheduler.frequency import MARGIN, FrequencyCap
from scheduler.planner import plan
from tests.support.carrier import quick
from tests.support.crossed import crossed
from tests.support.engine import TRUNK, Engine, engine
from tests.support.laws import carrier_agrees, laws_hold, too_often

NUMBERS, PEOPLE, CAMPAIGNS = 4, 3, 6
BY_NUMBER = FrequencyCap(4, 24, "number", "attempts", "team")
BY_PERSON = FrequencyCap(2, 24, "person", "attempts", "team")
AT_ONCE = "update campaign_contacts set next_attempt_at = now() where waiting and reason = 'number_busy'"
LEFT = "select count(*) from campaign_contacts where reason is distinct from 'frequency_cap' and status <> 'completed'"


async def test_whoever_calls_no_number_and_no_person_is_called_too_often(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(answer=0.0, busy=1.0), running=False) as e:
        caps: list[object] = [{"calls": cap.calls, "hours": cap.hours, "per": cap.per} for cap in (BY_NUMBER, BY_PERSON)]
        await crossed(e.pool, numbers=NUMBERS, people=PEOPLE, campaigns=CAMPAIGNS, concurrency=3, caps=caps)
        async with asyncio.timeout(90), asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in (*(schedule(e) for _ in range(4)), *(dial(e) for _ in range(8)))]
            while await e.pool.fetchval(LEFT):
                await asyncio.sleep(0.05)
                with suppress(asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                    await e.pool.execute(AT_ONCE)
            for task in tasks:
                task.cancel()
        await e.until("select count(*) = 0 from call_attempts where ended_at is null")
        entries = list(e.carrier.journal.entries.values())
        assert too_often(entries, BY_NUMBER) == too_often(entries, BY_PERSON) == []
        assert set(Counter(entry.to for entry in entries).values()) == {BY_NUMBER.calls}, "nor less often, where they wait"
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)


async def test_who_is_called_too_often_by_the_time_of_the_dial_is_taken_back_until_the_cap_lets_go(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(answer=0.0, busy=1.0), running=False) as e:
        caps: list[object] = [{"calls": 1, "hours": 24, "per": "number"}]
        first, _ = await crossed(e.pool, numbers=1, people=2, campaigns=1, concurrency=1, caps=caps)
        [one] = await e.book.run(first.campaign)
        await e.placer.place(one.attempt, one.campaign, one.trunk)
        await e.until("select count(*) = 1 from call_attempts where state = 'ended'")
        move = "update call_attempts set placing_at = placing_at + $2::interval where id = $1"
        await e.pool.execute(move, one.attempt, timedelta(days=-2))
        [other] = await e.book.run(first.campaign)
        await e.pool.execute(move, one.attempt, timedelta(days=2))
        await e.placer.place(other.attempt, other.campaign, other.trunk)
        assert len(e.carrier.journal.entries) == 1
        row = await e.pool.fetchrow(
            """select a.state, a.reason, t.status, t.reason as why, t.next_attempt_at - b.placing_at as waits
               from call_attempts a join campaign_contacts t on t.id = a.campaign_contact_id, call_attempts b
               where a.id = $1 and b.id = $2""",
            other.attempt, one.attempt,
        )  # fmt: skip
        told = ("recalled", "frequency_cap", "pending", "frequency_cap", timedelta(hours=24) + MARGIN)
        assert tuple(row) == told
        await laws_hold(e.pool)


async def schedule(e: Engine) -> None:
    book = LedgerBook(e.pool, e.house.ringer, e.house.clock, [TRUNK], RulesReader(e.pool))
    while True:
        with suppress(asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):  # as the ticker would, it goes on
            await book.release(plan(await book.snapshot(None)))
        await asyncio.sleep(0.02)


async def dial(e: Engine) -> None:
    placer = Placer(e.pool, e.house.settler, RateBuckets(e.house.redis), e.trunks, e.house.breakers, e.house.clock, first=10)
    async with asyncio.TaskGroup() as group:
        group.create_task(placer.run_fence())
        group.create_task(placer.run_accepted())
        while True:
            for row in await e.pool.fetch("select id, campaign_id from call_attempts where state = 'queued' order by random()"):
                await placer.place(row["id"], row["campaign_id"], TRUNK)
            await asyncio.sleep(0.02)
