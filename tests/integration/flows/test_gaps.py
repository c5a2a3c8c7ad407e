"""When what a carrier told may have been missed, its live calls are asked about once, and only then."""

from __future__ import annotations

import asyncio

from adapters.simulated.carrier.script import Faults, Script, Span
from tests.support.carrier import eventually, quick
from tests.support.engine import TRUNK, Engine, engine
from tests.support.laws import carrier_agrees, laws_hold, nothing_left
from tests.support.ledger import seed

SINCE = "update call_attempts set placing_at = placing_at - interval '20 seconds', asked_at = asked_at - interval '6 seconds'"
"""As if the calls had been placed longer ago than the carrier needs to know of them, and asked about before the last pause."""


def deaf(**changes: object) -> Script:
    return quick(faults=Faults(callback_lost=1.0), **changes)


async def dialled(e: Engine, contacts: int) -> None:
    """So many calls, all accepted; nothing is told of them."""
    s = await seed(e.pool, contacts=contacts, concurrency=contacts)
    claimed = await e.book.run(s.campaign)
    await asyncio.gather(*(e.placer.place(c.attempt, c.campaign, c.trunk) for c in claimed))
    await e.pool.execute(SINCE)


async def noted(e: Engine) -> None:
    before = await e.pool.fetchval("select clock_timestamp()")
    e.house.gaps.suspect([TRUNK])
    await e.until("select max(at) > $1::timestamptz from gaps", before)


async def test_an_ending_that_was_told_to_nobody_frees_its_slot_without_waiting_for_the_ring_timeout(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, deaf(), running=False) as e:
        await dialled(e, 6)
        await eventually(lambda: all(entry.ended for entry in e.carrier.journal.entries.values()))
        assert await e.reconciler.sweep() == 0, "no gap, no question"
        await noted(e)
        assert await e.reconciler.sweep() == 6
        await nothing_left(e.pool)
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)


async def test_a_call_that_is_still_up_is_asked_about_once_for_each_gap(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, deaf(talk=Span(60, 60)), running=False) as e:
        await dialled(e, 3)
        await eventually(lambda: all(entry.answered for entry in e.carrier.journal.entries.values()))
        await noted(e)
        assert await e.reconciler.sweep() == 3
        assert await e.pool.fetchval("select count(*) from call_attempts where state = 'answered'") == 3
        await e.pool.execute(SINCE + ", claimed_at = claimed_at - interval '20 seconds'")
        await e.pool.execute("update gaps set at = at - interval '6 seconds'")
        assert await e.reconciler.sweep() == 0
        await noted(e)
        assert await e.reconciler.sweep() == 3
        await laws_hold(e.pool)


async def test_nobody_is_asked_about_what_came_after_the_gap_or_too_early_for_the_carrier_to_know(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, deaf(talk=Span(60, 60)), running=False) as e:
        await noted(e)
        await dialled(e, 2)
        assert await e.reconciler.sweep() == 0, "what came later"
        await noted(e)
        await e.pool.execute("update call_attempts set placing_at = now()")
        assert await e.reconciler.sweep() == 0, "too early: an absent call would not be certainly absent"
        await e.pool.execute(SINCE)
        assert await e.reconciler.sweep() == 2
