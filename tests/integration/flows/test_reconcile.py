"""When the carrier's answer or its callbacks are lost: only what the carrier knows settles an attempt."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from adapters.simulated.carrier.script import Faults, Span
from dialer.flows.reconcile import GIVE_UP_UNREACHED
from tests.support.carrier import eventually, quick
from tests.support.engine import Engine, engine
from tests.support.laws import carrier_agrees, laws_hold, nothing_left
from tests.support.ledger import seed


async def settled(e: Engine, seconds: float = 30) -> None:
    """Sweep and look up until nothing is live any more."""
    async with asyncio.timeout(seconds):
        while await e.pool.fetchval("select count(*) from call_attempts where ended_at is null"):
            await e.pool.execute(
                """update call_attempts set asked_at = null, placing_at = placing_at - interval '5 seconds',
                     ringing_at = ringing_at - interval '60 seconds', answered_at = answered_at - interval '90 seconds'
                   where ended_at is null"""
            )
            await e.sweeper.sweep()
            await e.reconciler.sweep()
            await asyncio.sleep(0.05)


async def dial(e: Engine, campaign: str) -> None:
    claimed = await e.book.run(campaign)
    await asyncio.gather(*(e.placer.place(c.attempt, c.campaign, c.trunk) for c in claimed))


@pytest.mark.parametrize("loss", ["error_after", "reset_after", "hang_after", "garbage_after"])
async def test_a_call_that_was_maybe_placed_is_found_and_not_made_again(database_url: str, redis_url: str, loss: str) -> None:
    script = quick(faults=Faults(**{loss: 1.0}, callback_lost=1.0, hang_seconds=2))
    async with engine(database_url, redis_url, script, running=False, timeout=0.5) as e:
        s = await seed(e.pool, contacts=4, concurrency=10)
        await dial(e, s.campaign)
        assert await e.pool.fetchval("select count(*) from call_attempts where state = 'unknown'") == 4
        await eventually(lambda: all(entry.ended for entry in e.carrier.journal.entries.values()))
        await settled(e)
        assert len(e.carrier.journal.entries) == 4
        assert await e.pool.fetchval("select count(*) from campaign_contacts where outcome = 'answered'") == 4
        await nothing_left(e.pool)
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)


@pytest.mark.parametrize("refusal", ["error_before", "reset_before"])
async def test_a_call_that_the_carrier_certainly_never_had_is_taken_back(database_url: str, redis_url: str, refusal: str) -> None:
    script = quick(faults=Faults(**{refusal: 1.0}))
    async with engine(database_url, redis_url, script, running=False, timeout=0.5) as e:
        s = await seed(e.pool, contacts=3, concurrency=10)
        await dial(e, s.campaign)
        await settled(e)
        assert not e.carrier.journal.entries
        assert await e.pool.fetchval("select count(*) from campaign_contacts where status = 'pending' and attempts = 0") == 3
        await laws_hold(e.pool)


async def test_lost_callbacks_are_replaced_by_asking(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(faults=Faults(callback_lost=1.0)), running=False) as e:
        s = await seed(e.pool, contacts=5, concurrency=10)
        await dial(e, s.campaign)
        assert (
            await e.pool.fetchval("select count(*) from call_attempts where state = 'placing' and provider_ref is not null") == 5
        )
        await eventually(lambda: all(entry.ended for entry in e.carrier.journal.entries.values()))
        await e.pool.execute("update call_attempts set placing_at = placing_at - interval '60 seconds'")
        await settled(e)
        assert await e.pool.fetchval("select count(*) from campaign_contacts where outcome = 'answered' and attempts = 1") == 5
        await nothing_left(e.pool)
        await laws_hold(e.pool)


async def test_a_result_that_the_carrier_has_only_after_the_look_up_is_fetched(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by scenario 20: the look-up that found the end asked too early for the result, and nobody asked again."""
    monkeypatch.setattr("dialer.flows.results.FIRST_SECONDS", 0.2)
    script = quick(result_after=Span(1, 1), faults=Faults(callback_lost=1.0))
    async with engine(database_url, redis_url, script, running=False) as e:
        s = await seed(e.pool, contacts=3, concurrency=10)
        await dial(e, s.campaign)
        await eventually(lambda: all(entry.ended for entry in e.carrier.journal.entries.values()))
        await e.pool.execute("update call_attempts set placing_at = placing_at - interval '60 seconds'")
        assert await e.reconciler.sweep() == 3
        assert await e.pool.fetchval("select count(*) from call_attempts where state = 'ended' and result is null") == 3
        async with asyncio.timeout(20):
            while await e.pool.fetchval("select count(*) from call_attempts where result ? 'summary'") < 3:
                await e.reconciler.sweep()
                await asyncio.sleep(0.05)
        assert await e.pool.fetchval("select count(*) from call_events where phase = 'result'") == 3
        await laws_hold(e.pool)


async def test_an_ending_that_was_written_but_not_followed_is_followed_by_the_sweep(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(faults=Faults(callback_lost=1.0)), running=False) as e:
        s = await seed(e.pool, contacts=1)
        await dial(e, s.campaign)
        await e.pool.execute(
            """insert into call_events (attempt_id, adapter, event_key, phase, at, received_at, outcome)
               select id, trunk, 'told', 'ended', now(), now() - interval '5 seconds', 'busy' from call_attempts"""
        )
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select outcome from campaign_contacts") == "busy"
        await laws_hold(e.pool)


async def test_repeated_reordered_and_late_callbacks_come_to_the_same_end(database_url: str, redis_url: str) -> None:
    faults = Faults(callback_repeated=0.5, callback_reordered=0.3, callback_late=0.2, late_seconds=0.3)
    async with engine(database_url, redis_url, quick(faults=faults)) as e:
        s = await seed(e.pool, contacts=60, concurrency=10)
        await e.until("select status = 'completed' from campaigns where id = $1", s.campaign)
        assert len(e.carrier.journal.entries) == 60
        assert await e.pool.fetchval("select count(*) from campaign_contacts where outcome = 'answered' and attempts = 1") == 60
        await nothing_left(e.pool)
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)


async def test_a_refused_call_uses_up_no_attempt_and_a_busy_carrier_is_obeyed(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(faults=Faults(refuse_429=1.0, retry_after=7)), running=False) as e:
        s = await seed(e.pool, contacts=2)
        await dial(e, s.campaign)
        rows = await e.pool.fetch("select status, attempts, excused from campaign_contacts")
        assert [tuple(r) for r in rows] == [("pending", 0, 0)] * 2
        left = await e.pool.fetchval("select extract(epoch from probe_at - clock_timestamp()) from breakers where cause = 'rate'")
        assert 5.5 < left <= 7
        assert not e.carrier.journal.entries
        await laws_hold(e.pool)


async def test_a_call_that_may_be_up_is_not_given_up_because_the_carrier_cannot_be_asked(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(talk=Span(3600, 3600)), running=False) as e:
        s = await seed(e.pool, contacts=1)
        await dial(e, s.campaign)
        await e.until("select state = 'answered' from call_attempts")
        await e.carrier.__aexit__()
        long_ago = (
            "update call_attempts set asked_at = null, placing_at = now() - $1::interval, answered_at = now() - $1::interval"
        )
        longest = timedelta(seconds=await e.pool.fetchval("select limit_seconds from call_attempts"))
        for since in (timedelta(minutes=11), longest + GIVE_UP_UNREACHED - timedelta(minutes=1)):
            await e.pool.execute(long_ago, since)
            assert await e.reconciler.sweep() == 1
            assert await e.pool.fetchval("select state from call_attempts") == "answered", "its slot is the call's"
        await e.pool.execute(long_ago, longest + GIVE_UP_UNREACHED)
        assert await e.reconciler.sweep() == 1
        assert await e.pool.fetchval("select outcome from call_attempts") == "unknown"
        await laws_hold(e.pool)
