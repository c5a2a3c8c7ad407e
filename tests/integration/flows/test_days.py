"""Which days a campaign calls on, until when, and how long a contact may wait: from the release to the dial."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta

import pytest

from adapters.simulated.carrier.script import Span
from dialer.store import claims
from tests.support.carrier import quick
from tests.support.engine import Engine, engine
from tests.support.laws import laws_hold, nothing_left
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


async def enrolled(e: Engine, ago: timedelta, where: str = "true") -> None:
    await e.pool.execute(f"update campaign_contacts set created_at = now() - $1::interval where {where}", ago)


TWO_DAYS: dict[str, object] = {"contact_expiry_days": 2}
MINUTE = timedelta(minutes=1)


async def test_nobody_is_claimed_who_has_expired_though_no_sweep_came_by(database_url: str, redis_url: str) -> None:
    """Nor stands such a one in the way of those behind, whoever asks."""
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=5, zones=ZONE, settings=TWO_DAYS)
        await enrolled(e, timedelta(days=2) - MINUTE)
        await enrolled(e, timedelta(days=2), "to_number like '%1' or to_number like '%2' or to_number like '%3'")
        assert {each.to_number[-1] for each in await e.book.preview(s.campaign, None)} == {"4", "5"}
        assert {each.to_number[-1] for each in await e.book.run(s.campaign)} == {"4", "5"}
        assert await e.book.run(s.campaign) == []
        await laws_hold(e.pool)


async def test_who_expires_between_the_claim_and_the_dial_is_not_dialled(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1, zones=ZONE, settings=TWO_DAYS)
        [claimed] = await e.book.run(s.campaign)
        await enrolled(e, timedelta(days=2))
        await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
        assert not e.carrier.journal.entries
        row = await e.pool.fetchrow("select status, reason, outcome, attempts from campaign_contacts")
        assert tuple(row) == ("skipped", "expired", None, 0)
        assert tuple(await e.pool.fetchrow("select state, reason from call_attempts")) == ("recalled", "expired")
        await laws_hold(e.pool)


async def test_the_sweep_skips_who_has_expired_piece_by_piece_and_the_campaign_completes(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "EXPIRE_AT_ONCE", 2)
    monkeypatch.setattr(claims, "EXPIRE_ROUNDS", 2)
    async with engine(database_url, redis_url, quick(), running=False) as e:
        await seed(e.pool, contacts=7, zones=ZONE, settings=TWO_DAYS)
        await enrolled(e, timedelta(days=3), "to_number not like '%7'")
        left = []
        for _ in range(3):
            await e.sweeper.sweep()
            left.append(await e.pool.fetchval("select count(*) from campaign_contacts where status = 'pending'"))
            await laws_hold(e.pool)
        assert left == [3, 1, 1]
        told = await e.pool.fetch(
            "select before, after, reason, actor from history where entity = 'contact' and after = 'skipped'"
        )
        assert {tuple(each) for each in told} == {("pending", "skipped", "expired", "engine")} and len(told) == 6
        assert await e.pool.fetchval("select status from campaigns") == "running"
        await enrolled(e, timedelta(days=2))
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select status from campaigns") == "completed"
        await laws_hold(e.pool)


@pytest.mark.parametrize("status", ["draft", "paused"])
async def test_contacts_of_a_campaign_that_does_not_run_expire_too(database_url: str, redis_url: str, status: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        await seed(e.pool, contacts=1, zones=ZONE, settings=TWO_DAYS, status="draft")
        if status == "paused":
            await e.pool.execute("update campaigns set status = 'running'")
            await e.pool.execute("update campaigns set status = 'paused', pause_reason = 'user'")
        await enrolled(e, timedelta(days=2))
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select status from campaign_contacts") == "skipped"
        assert await e.pool.fetchval("select status from campaigns") == status


async def test_a_retry_that_would_come_after_the_contact_expired_is_not_made(database_url: str, redis_url: str) -> None:
    """It is busy, and would be called again in an hour; that is half an hour too late."""
    async with engine(database_url, redis_url, quick(answer=0.0, busy=1.0), tick=0.2) as e:
        await seed(e.pool, contacts=1, zones=ZONE, settings=TWO_DAYS, status="draft")
        await e.pool.execute("update campaigns set retry_delay_minutes = 60")
        await enrolled(e, timedelta(days=2) - 30 * MINUTE)
        await e.pool.execute("update campaigns set status = 'running', started_at = now()")
        await e.until("select status = 'completed' from campaigns")
        row = await e.pool.fetchrow("select status, reason, outcome, attempts from campaign_contacts")
        assert tuple(row) == ("skipped", "expired", "busy", 1)
        await nothing_left(e.pool)
        await laws_hold(e.pool)


async def test_a_call_that_is_up_when_its_contact_expires_goes_on(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(talk=Span(600, 600)), tick=0.2) as e:
        await seed(e.pool, contacts=1, zones=ZONE, settings=TWO_DAYS)
        await e.until("select state = 'answered' from call_attempts")
        await enrolled(e, timedelta(days=3))
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select status from campaign_contacts") == "calling"
        assert e.carrier.journal.live == 1
        await laws_hold(e.pool)


async def test_claims_and_expiry_at_once_stall_nobody_and_take_nobody_twice(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=200, concurrency=1000, zones=ZONE, settings=TWO_DAYS)
        await enrolled(e, timedelta(days=3), "to_number like '%1' or to_number like '%2'")
        now = datetime.now(UTC)

        async def claim() -> int:
            return sum([len(await e.book.run(s.campaign)) for _ in range(3)])

        async def expire() -> int:
            return sum((await claims.expire(e.pool, now)).values())

        claimed, *gone = await asyncio.gather(claim(), expire(), expire(), expire())
        assert (claimed, sum(gone)) == (160, 40)
        await laws_hold(e.pool)
