"""Caller IDs that are blocked rest: from the carrier's word to the number that is not shown, and back."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from adapters.simulated.carrier.script import Span
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.reputation import FIRST_REST
from dialer.flows.reputation import judge_numbers
from dialer.store.database import Database
from scheduler.clock import SystemClock
from tests.support.carrier import quick
from tests.support.engine import engine
from tests.support.laws import carrier_agrees, laws_hold, nothing_left
from tests.support.ledger import seed

MARKED, CLEAN = "+49301234000", "+49301234001"


async def test_a_number_that_is_marked_as_spam_rests_and_the_campaign_goes_on_with_the_other(
    database_url: str, redis_url: str
) -> None:
    """By the carrier's journal: it is found out, shown no more, and whoever was blocked is called by the other one."""
    again: dict[str, object] = {"retry_on_error": True, "retry_delay_minutes_error": 0}
    script = quick(answer=0.5, busy=0.5, marked_as_spam={MARKED: 0.8}, ring=Span(0.05, 0.1), talk=Span(0.1, 0.2))
    async with engine(database_url, redis_url, script, tick=0.2) as e:
        s = await seed(e.pool, contacts=60, concurrency=5, max_attempts=9, settings=again)
        await e.until("select status = 'completed' from campaigns where id = $1", s.campaign)
        row = await e.pool.fetchrow("select id, resting_until, resting_reason from phone_numbers where resting_until is not null")
        assert row["id"] == s.numbers[0]
        assert abs(row["resting_until"] - (datetime.now(UTC) + FIRST_REST)) < timedelta(minutes=1)
        assert "were blocked" in row["resting_reason"]
        rests = (row["resting_until"] - FIRST_REST).timestamp()
        later = Counter(entry.caller_id for entry in e.carrier.journal.entries.values() if entry.accepted > rests + FENCE_SECONDS)
        assert later[CLEAN] > 0 == later[MARKED], "it is shown on and on"
        assert await e.pool.fetchval("select count(*) from campaign_contacts where outcome = 'answered'") == 60
        await nothing_left(e.pool)
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)


async def blocked(database: Database, number: str, count: int) -> None:
    """As the turns of `count` calls would have it."""
    await database.pool.execute(
        """insert into reputations (number_id, recent, unjudged) values ($1, repeat('x', $2), true) on conflict (number_id)
           do update set recent = right(reputations.recent || excluded.recent, 100), unjudged = true""",
        number, count,
    )  # fmt: skip


async def test_what_several_processes_saw_counts_together_and_a_restart_forgets_nothing(database_url: str) -> None:
    clock = SystemClock()
    async with await Database.open(database_url) as one:
        s = await seed(one.pool, contacts=1)
        await blocked(one, s.numbers[0], 3)
        await judge_numbers(one.pool, clock)
        assert await one.pool.fetchval("select count(*) from phone_numbers where resting_until is not null") == 0
    async with await Database.open(database_url) as other, await Database.open(database_url) as third:
        await blocked(other, s.numbers[0], 2)
        await asyncio.gather(*(judge_numbers(each.pool, clock) for each in (other, third)))
        row = await other.pool.fetchrow("select recent, rests, unjudged from reputations")
        assert tuple(row) == ("", 1, False), "it was judged once"
        assert await other.pool.fetchval("select resting_until > now() from phone_numbers where id = $1", s.numbers[0])


async def test_after_its_rest_a_number_is_used_again_and_rests_longer_when_it_is_blocked_again(database: Database) -> None:
    clock = SystemClock()
    s = await seed(database.pool, contacts=1, numbers=1)
    rest = "select resting_until - now() from phone_numbers"
    usable = "select number_id is not null from (select 1) x left join reputations on true"
    for days in (1, 2, 4, 8, 14, 14):
        await blocked(database, s.numbers[0], 5)
        await judge_numbers(database.pool, clock)
        assert abs(await database.pool.fetchval(rest) - timedelta(days=days)) < timedelta(minutes=1)
        await blocked(database, s.numbers[0], 9)  # of calls that were on their way
        await judge_numbers(database.pool, clock)
        assert abs(await database.pool.fetchval(rest) - timedelta(days=days)) < timedelta(minutes=1)
        assert await database.pool.fetchval("select recent from reputations") == ""
        await database.pool.execute("update phone_numbers set resting_until = now() - interval '1 second'")
    assert await database.pool.fetchval(usable)


async def test_while_its_only_number_rests_a_campaign_calls_nobody_and_afterwards_everybody(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=3, numbers=1)
        await blocked(e.house.database, s.numbers[0], 5)
        await e.sweeper.sweep()
        assert await e.book.run(s.campaign) == []
        assert await e.book.preview(s.campaign, None) == []
        await e.pool.execute("update phone_numbers set resting_until = now() - interval '1 second'")
        assert len(await e.book.run(s.campaign)) == 3
        await laws_hold(e.pool)
