"""Calls at once of a team and of all together, and the slow start of a campaign and of a trunk that is well again."""

from __future__ import annotations

import asyncio

import pytest

from adapters.simulated.carrier.script import Span
from dialer.domain.errors import Invalid, NotFound
from dialer.flows.teams import limit_team
from dialer.store import breakers, claims
from dialer.store.teams import Team
from scheduler.slow_start import FIRST, allowed
from tests.support.carrier import eventually, quick
from tests.support.engine import TRUNK, Engine, engine
from tests.support.laws import carrier_agrees, laws_hold, nothing_left
from tests.support.ledger import Seed, seed

NEVER = 3600.0
"""Seconds of a tick that does not come in a test."""
SOON = 10.0


async def limited(e: Engine, s: Seed, most: int | None) -> Team:
    return await limit_team(e.house.database, e.house.ringer, e.house.clock.sleep, team_id=s.team, max_concurrent_calls=most)


async def test_all_calls_together_stay_within_the_limit_of_the_fleet(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), limit=3, schedulers=2, workers=2) as e:
        for prefix in ("+4930", "+4940", "+4950"):
            await seed(e.pool, contacts=15, concurrency=5, prefix=prefix)
        await e.until("select bool_and(status = 'completed') from campaigns")
        seen = e.carrier.journal.summary()
        assert (seen.accepted, seen.peak) == (45, 3)
        await carrier_agrees(e.pool, e.carrier)
        await nothing_left(e.pool)
        await laws_hold(e.pool)


async def test_a_slot_of_the_fleet_that_is_freed_goes_to_whoever_waits_for_it(database_url: str, redis_url: str) -> None:
    """By the bell: no tick comes."""
    async with engine(database_url, redis_url, quick(), limit=1, tick=NEVER) as e:
        first = await seed(e.pool, contacts=1)
        await seed(e.pool, contacts=1, prefix="+4940")
        await e.house.ringer.wake([f"campaign:{first.campaign}"])
        await e.until("select bool_and(status = 'completed') from campaigns", timeout=SOON)
        assert e.carrier.journal.summary().peak == 1


async def test_what_was_released_under_a_higher_limit_of_the_fleet_is_not_dialled(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(talk=Span(600, 600)), limit=5, running=False) as e:
        s = await seed(e.pool, contacts=5)
        released = await e.book.run(s.campaign)
        assert len(released) == 5
        await claims.declare_fleet(e.pool, 4)
        await asyncio.gather(*(e.placer.place(c.attempt, c.campaign, c.trunk) for c in released))
        assert len(e.carrier.journal.entries) == 4, "each that is taken back makes room for those after it"
        await laws_hold(e.pool)


async def test_without_a_limit_there_is_no_semaphore_of_the_fleet_and_one_that_is_lifted_counts_on(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=6, concurrency=6)
        row = "select cap, active from scopes where key = 'fleet'"
        assert await e.pool.fetchrow(row) is None
        await claims.declare_fleet(e.pool, 2)
        assert len(await e.book.run(s.campaign)) == 2
        await claims.declare_fleet(e.pool, None)
        assert tuple(await e.pool.fetchrow(row)) == (None, 2)
        assert len(await e.book.run(s.campaign)) == 4
        assert tuple(await e.pool.fetchrow(row)) == (None, 6)
        await laws_hold(e.pool)


async def test_a_teams_limit_holds_from_the_answer_on_and_ends_no_call(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(talk=Span(2, 2)), tick=NEVER) as e:
        s = await seed(e.pool, contacts=14, concurrency=6)
        await e.house.ringer.wake([f"campaign:{s.campaign}"])
        await eventually(lambda: e.carrier.journal.live == 6, SOON)
        assert (await limited(e, s, 2)).max_concurrent_calls == 2
        begun = len(e.carrier.journal.entries)
        assert e.carrier.journal.live == 6, "those that are up go on"
        await eventually(lambda: e.carrier.journal.live <= 2, SOON)
        assert len(e.carrier.journal.entries) == begun
        await eventually(lambda: len(e.carrier.journal.entries) > begun, SOON)
        assert e.carrier.journal.live <= 2
        await limited(e, s, None)
        await eventually(lambda: e.carrier.journal.live == 6, SOON)
        await laws_hold(e.pool)


async def test_a_limit_of_a_team_that_makes_no_sense(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=0)
        with pytest.raises(Invalid):
            await limited(e, s, 0)
        with pytest.raises(NotFound):
            await limited(e, Seed("team_nobody", "", (), ""), 1)


async def test_a_campaign_begins_with_few_calls_at_once_and_doubles_them(database_url: str, redis_url: str) -> None:
    doubling = 0.5
    script = quick(setup=Span(0, 0), ring=Span(0.01, 0.01), talk=Span(600, 600))
    async with engine(database_url, redis_url, script, slow_start=doubling, tick=0.1) as e:
        await seed(e.pool, contacts=70, concurrency=60, status="draft")
        await e.pool.execute("update campaigns set status = 'running', started_at = now()")
        began = (await e.pool.fetchval("select eased_at from scopes where key like 'campaign:%'")).timestamp()
        await eventually(lambda: e.carrier.journal.live == 60, SOON)
        moments = sorted(each.accepted for each in e.carrier.journal.entries.values())
        for count, at in enumerate(moments, start=1):
            assert count <= (allowed(at - began, doubling) or 60)
        await laws_hold(e.pool)


async def test_a_run_releases_what_its_dry_run_said_and_no_more_than_slow_start_lets(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), slow_start=60, running=False) as e:
        s = await seed(e.pool, contacts=30, concurrency=30, status="draft")
        assert len(await e.book.preview(s.campaign, None)) == FIRST
        await e.pool.execute("update campaigns set status = 'running'")
        assert len(await e.book.run(s.campaign)) == FIRST
        assert len(await e.book.run(s.campaign)) == 0
        await e.pool.execute("update scopes set eased_at = eased_at - interval '60 seconds'")
        assert len(await e.book.run(s.campaign)) == FIRST


async def test_a_trunk_whose_breaker_has_closed_begins_anew(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), slow_start=60, running=False) as e:
        s = await seed(e.pool, contacts=50, concurrency=50)
        await e.pool.execute("update scopes set eased_at = null")
        await e.pool.execute(
            "insert into breakers (key, state, cause, opened_at, probe_at) values ($1, 'open', 'trunk', now(), now())",
            f"trunk:{TRUNK}",
        )
        assert len(await e.book.run(s.campaign)) == 1, "the probe"
        await breakers.close(e.pool, [f"trunk:{TRUNK}"])
        assert len(await e.book.run(s.campaign)) == FIRST - 1
        await e.pool.execute("update scopes set eased_at = eased_at - interval '1 hour'")
        assert len(await e.book.run(s.campaign)) == 40
        await laws_hold(e.pool)
