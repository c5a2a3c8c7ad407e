"""Which days a campaign calls on, from the release to the dial."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from tests.support.carrier import quick
from tests.support.engine import engine
from tests.support.laws import laws_hold
from tests.support.ledger import seed

ZONE = ("UTC",)


def kept(*days: date) -> dict[str, object]:
    return {"holiday_calendar": {"dates": [day.isoformat() for day in days]}}


async def test_nobody_is_released_on_a_holiday(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        today = datetime.now(UTC).date()
        s = await seed(e.pool, contacts=2, zones=ZONE, settings=kept(today, today + timedelta(days=1)))
        assert await e.book.run(s.campaign) == []
        await e.pool.execute("update campaigns set settings = '{}', rules_version = rules_version + 1")
        assert len(await e.book.run(s.campaign)) == 2
        await laws_hold(e.pool)


async def test_what_is_released_may_not_ring_into_a_holiday(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        holiday = datetime.now(UTC).date() + timedelta(days=2)
        s = await seed(e.pool, contacts=1, zones=ZONE, settings=kept(holiday))
        assert len(await e.book.run(s.campaign)) == 1
        midnight = datetime.combine(holiday, time(), UTC)
        assert await e.pool.fetchval("select not_after from call_attempts") == midnight - timedelta(seconds=30 + 60)


async def test_at_its_end_a_campaign_pauses_and_nothing_of_it_is_dialled(database_url: str, redis_url: str) -> None:
    """By the sweep, whatever the clock of the ledger's campaign says until then."""
    async with engine(database_url, redis_url, quick(), running=False) as e:
        ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        s = await seed(e.pool, contacts=2, concurrency=1, zones=ZONE, settings={"scheduled_end_at": ends.isoformat()})
        [claimed] = await e.book.run(s.campaign)
        assert await e.pool.fetchval("select not_after from call_attempts") == ends - timedelta(seconds=30 + 60)
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select status from campaigns") == "running"
        gone = (ends - timedelta(hours=2)).isoformat()
        await e.pool.execute("update campaigns set settings = jsonb_build_object('scheduled_end_at', $1::text)", gone)
        await e.house.bell.wait(0.01)
        await e.sweeper.sweep()
        assert f"campaign:{s.campaign}" in await e.house.bell.wait(1)
        assert tuple(await e.pool.fetchrow("select status, pause_reason from campaigns")) == ("paused", "window_ended")
        await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
        assert not e.carrier.journal.entries
        assert await e.pool.fetchval("select state from call_attempts") == "recalled"
        await laws_hold(e.pool)


async def test_what_an_earlier_version_kept_as_no_end_is_none(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1, settings={"scheduled_end_at": ""})
        await e.sweeper.sweep()
        assert len(await e.book.run(s.campaign)) == 1
