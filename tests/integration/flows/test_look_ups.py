"""Asking a carrier about a call: nothing is made again that may have been made, and nothing goes on for too long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from adapters.base import Absent, Sighting, TelephonyAdapter
from adapters.simulated.adapter import SimulatedAdapter
from adapters.simulated.carrier.script import Faults, Span
from dialer.flows.reconcile import EVERY_SECONDS, GIVE_UP, Reconciler
from tests.support.carrier import API_KEY, SIGNING_SECRET, quick
from tests.support.engine import TRUNK, Engine, engine
from tests.support.laws import laws_hold
from tests.support.ledger import seed
from tests.support.line import Line

LOST = Faults(error_after=1.0, callback_lost=1.0)
"""The carrier takes every call and never says so."""


async def dial(e: Engine, contacts: int = 1) -> str:
    """All of a new campaign's contacts; its id."""
    s = await seed(e.pool, contacts=contacts, concurrency=contacts)
    claimed = await e.book.run(s.campaign)
    await asyncio.gather(*(e.placer.place(c.attempt, c.campaign, c.trunk) for c in claimed))
    assert len(e.carrier.journal.entries) == contacts
    return s.campaign


def asking(e: Engine, adapter: TelephonyAdapter) -> Reconciler:
    trunks = {TRUNK: replace(e.trunks[TRUNK], adapter=adapter)}
    return Reconciler(e.pool, e.house.settler, e.house.follower, trunks, e.house.clock)


async def ago(e: Engine, since: timedelta) -> None:
    """As if the calls had been placed so long ago."""
    await e.pool.execute("update call_attempts set asked_at = null, placing_at = now() - $1::interval", since)


async def test_nobody_is_looked_for_before_the_carrier_must_know(database_url: str, redis_url: str) -> None:
    """Until then an absent call may be one that is only not in the carrier's books yet."""
    async with engine(database_url, redis_url, quick(faults=LOST), running=False) as e:
        await dial(e, 2)
        assert await e.pool.fetchval("select array_agg(state) from call_attempts") == ["unknown"] * 2
        can = e.trunks[TRUNK].adapter.capabilities
        assert await e.reconciler.sweep() == 0
        await ago(e, timedelta(seconds=can.place_timeout + can.settle))
        assert await e.reconciler.sweep() == 0, "the fence lies before all that"
        await ago(e, timedelta(seconds=can.place_timeout + can.settle + 1))
        assert await e.reconciler.sweep() == 2
        await laws_hold(e.pool)


async def test_what_the_carrier_can_never_tell_ends_as_unknown_and_is_not_dialled_again(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(faults=LOST), running=False) as e:
        campaign = await dial(e)
        async with Line(e.carrier, e.house.clock) as line:
            line.blind = True
            reconciler = asking(e, line)
            await ago(e, GIVE_UP - timedelta(seconds=5))
            assert await reconciler.sweep() == 1
            assert await e.pool.fetchval("select state from call_attempts") == "unknown", "it may tell yet"
            await ago(e, GIVE_UP)
            assert await reconciler.sweep() == 1
        assert tuple(await e.pool.fetchrow("select state, outcome from call_attempts")) == ("ended", "unknown")
        await e.pool.execute("update campaign_contacts set next_attempt_at = now() where status = 'pending'")
        assert await e.book.run(campaign) == []
        assert tuple(await e.pool.fetchrow("select status, outcome from campaign_contacts")) == ("failed", "unknown")
        await laws_hold(e.pool)


async def test_what_was_asked_about_together_is_not_asked_about_together_for_ever(database_url: str, redis_url: str) -> None:
    """Whoever dies of one question (K10) took the answers to the same others with it, round after round: minutes unclear."""
    async with engine(database_url, redis_url, quick(faults=LOST), running=False) as e:
        await dial(e, 4)
        async with Line(e.carrier, e.house.clock) as line:
            line.blind = True
            await ago(e, timedelta(seconds=20))
            assert await asking(e, line).sweep() == 4
        rows = await e.pool.fetch("select extract(epoch from clock_timestamp() - asked_at)::float8 as ago from call_attempts")
        asked = [row["ago"] for row in rows]
        assert max(asked) - min(asked) > 0.01
        assert max(asked) < EVERY_SECONDS


class Overtaken(SimulatedAdapter):
    """Its carrier accepts the call while it is being looked for."""

    def __init__(self, e: Engine) -> None:
        super().__init__(TRUNK, base_url=e.carrier.url, api_key=API_KEY, signing_secret=SIGNING_SECRET)
        self._pool = e.pool

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        await self._pool.execute("update call_attempts set provider_ref = 'accepted' where id = $1", attempt)
        return Absent()


async def test_a_call_that_was_accepted_while_it_was_looked_for_is_not_made_again(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(faults=LOST), running=False) as e:
        campaign = await dial(e)
        await ago(e, timedelta(minutes=1))
        async with Overtaken(e) as adapter:
            assert await asking(e, adapter).sweep() == 1
        assert await e.pool.fetchval("select state from call_attempts") != "recalled"
        await e.pool.execute("update campaign_contacts set next_attempt_at = now() where status = 'pending'")
        assert await e.book.run(campaign) == []
        await laws_hold(e.pool)


ENDLESS = {
    "ring timeout": ("ringing", "ringing_at = now() - make_interval(secs => ring_seconds + 10)", "no_answer"),
    "window's end": ("ringing", "not_after = now() - interval '1 second'", "no_answer"),
    "longest call": ("answered", "answered_at = now() - make_interval(secs => limit_seconds + 1)", "answered"),
}


@pytest.mark.parametrize("limit", ENDLESS)
async def test_what_goes_on_for_too_long_is_hung_up_by_us(database_url: str, redis_url: str, limit: str) -> None:
    state, passed, outcome = ENDLESS[limit]
    hour = Span(3600, 3600)
    script = quick(answer=0.0, patience=hour) if state == "ringing" else quick(talk=hour)
    async with engine(database_url, redis_url, script, running=False) as e:
        await dial(e)
        await e.until("select state = $1 from call_attempts", state)
        await e.pool.execute("update call_attempts set placing_at = placing_at - interval '20 seconds'")
        assert await e.reconciler.sweep() == 0, "not yet"
        await e.pool.execute(f"update call_attempts set {passed}")
        assert await e.reconciler.sweep() == 1
        assert e.carrier.journal.live == 0
        await e.until("select ended_at is not null from call_attempts")
        assert await e.pool.fetchval("select outcome from campaign_contacts") == outcome
        await laws_hold(e.pool)
