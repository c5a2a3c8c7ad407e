"""What time it is: nobody is called by an hour that is not certain, and a database whose clock was set back forgets nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dialer.flows.keep_hour import keep_hour
from scheduler.clock import SteadyClock, SystemClock
from scheduler.planner import plan
from tests.support.carrier import quick
from tests.support.engine import TRUNK, Engine, engine
from tests.support.laws import laws_hold
from tests.support.ledger import seed

HOUR = timedelta(hours=1)


class Ahead(SystemClock):
    """The clock of a machine that goes wrong by so much."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        return super().now() + self._by


def doubt(e: Engine) -> None:
    """The database is told to have said another hour than ours."""
    e.house.clock.compare(datetime.now(UTC) + HOUR, 0)
    assert not e.house.clock.sure


async def test_by_an_uncertain_hour_nobody_is_released(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=3)
        doubt(e)
        await e.book.release(plan(await e.book.snapshot(None)))
        assert await e.book.run(s.campaign) == []
        assert await e.pool.fetchval("select count(*) from call_attempts") == 0
        await keep_hour(e.pool, e.house.clock)
        assert len(await e.book.run(s.campaign)) == 3


async def test_by_an_uncertain_hour_nobody_is_placed(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [claimed] = await e.book.run(s.campaign)
        doubt(e)
        await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
        assert not e.carrier.journal.entries
        assert await e.pool.fetchval("select state from call_attempts") == "recalled"
        await laws_hold(e.pool)


@pytest.mark.parametrize("ahead", [2 * HOUR, 24 * HOUR, -2 * HOUR])
@pytest.mark.parametrize("who", ["the sweep", "a worker"])
async def test_whom_an_uncertain_hour_refuses_is_as_due_as_before(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, who: str, ahead: timedelta
) -> None:
    """Whoever starts on a machine whose clock is wrong has no other hour than that; by it a contact would wait until tomorrow."""
    ends = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (-100, 100))
    opens, shuts = (f"{end.astimezone(ZoneInfo('Europe/Berlin')):%H:%M}" for end in ends)
    async with engine(database_url, redis_url, quick(), running=False) as other:
        s = await seed(other.pool, contacts=1, window=(opens, shuts))
        [claimed] = await other.book.run(s.campaign)
        due = await other.pool.fetchval("select next_attempt_at from campaign_contacts")
        monkeypatch.setattr("dialer.app.SystemClock", lambda: Ahead(ahead))
        async with engine(database_url, redis_url, quick(), running=False) as e:
            assert not e.house.clock.sure
            if who == "the sweep":
                await e.pool.execute("update call_attempts set claimed_at = now() - interval '3 seconds'")
                await e.sweeper.sweep()
            else:
                await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
            row = await e.pool.fetchrow("select status, reason, next_attempt_at from campaign_contacts")
            assert tuple(row) == ("pending", "hour", due)
            assert not e.carrier.journal.entries
            await laws_hold(e.pool)


async def test_by_an_uncertain_hour_no_call_is_overdue(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [claimed] = await e.book.run(s.campaign)
        await e.pool.execute("update call_attempts set state = 'placing', placing_at = now() - interval '1 hour'")
        doubt(e)
        assert await e.reconciler.sweep() == 0
        await keep_hour(e.pool, e.house.clock)
        assert await e.reconciler.sweep() == 1
        assert await e.pool.fetchval("select state from call_attempts where id = $1", claimed.attempt) == "recalled"


async def test_by_an_uncertain_hour_no_campaign_starts(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        await seed(e.pool, contacts=1, status="draft")
        await e.pool.execute("update campaigns set status = 'scheduled', scheduled_start_at = now()")
        doubt(e)
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select status from campaigns") == "scheduled"
        await keep_hour(e.pool, e.house.clock)
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select status from campaigns") == "running"


@pytest.mark.parametrize("who", ["the sweep", "a worker"])
async def test_what_was_claimed_before_the_databases_clock_was_set_back_is_not_placed_but_recalled(
    database_url: str, redis_url: str, who: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        [claimed] = await e.book.run(s.campaign)
        await e.pool.execute("update call_attempts set claimed_at = now() + interval '1 hour'")
        if who == "the sweep":
            await e.sweeper.sweep()
        else:
            await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
        assert not e.carrier.journal.entries
        assert await e.pool.fetchval("select state from call_attempts") == "recalled"


async def test_who_was_asked_about_before_the_databases_clock_was_set_back_is_asked_about_again(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        await e.book.run(s.campaign)
        await e.pool.execute(
            """update call_attempts set state = 'placing', placing_at = now() - interval '1 minute',
                 asked_at = now() + interval '1 hour'"""
        )
        assert await e.reconciler.sweep() == 1


async def test_a_breaker_that_opened_before_the_databases_clock_was_set_back_is_due_for_its_probe(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=2)
        await e.pool.execute(
            """insert into breakers (key, state, cause, opened_at, probe_at)
                 values ($1, 'open', 'endings', now() + interval '1 hour', now() + interval '61 minutes')""",
            f"trunk:{TRUNK}",
        )
        assert await e.book.run(s.campaign) == []
        await e.house.breakers.watch([TRUNK])
        assert len(await e.book.run(s.campaign)) == 1


async def test_the_hour_of_the_house_is_the_databases(
    database_url: str, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        clock = SteadyClock(SystemClock())
        await keep_hour(e.pool, clock)
        assert clock.sure and abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
        assert caplog.records == []
        clock.compare(datetime.now(UTC) + HOUR, 0)
        assert not clock.sure
        await keep_hour(e.pool, clock)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
