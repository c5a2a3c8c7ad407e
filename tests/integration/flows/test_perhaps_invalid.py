"""A number of which the carrier is not certain that nobody has it: it has to say so twice, on different days or trunks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.events import CallEvent, Fault, Outcome, Phase
from tests.support.carrier import quick
from tests.support.engine import TRUNK, Engine, engine
from tests.support.laws import laws_hold
from tests.support.ledger import Seed, seed

DAY = timedelta(hours=24)
CONTACT = "select status, outcome, attempts, reason from campaign_contacts"


async def perhaps_invalid(e: Engine, s: Seed) -> str:
    """The contact is called, and the call ends so; the fault that it is written down with."""
    await e.pool.execute("update campaign_contacts set next_attempt_at = now()")
    [claimed] = await e.book.run(s.campaign)
    await e.pool.execute("update call_attempts set state = 'placing', placing_at = now() where state = 'queued'")
    await e.pool.execute("update campaign_contacts set status = 'calling', last_attempt_at = now() where status = 'queued'")
    end = CallEvent(Phase.ENDED, datetime.now(UTC), claimed.attempt, "ref", claimed.attempt, Outcome.INVALID_NUMBER, Fault.CALLEE)
    await e.house.follower.follow(TRUNK, [end])
    await e.house.follower.follow(TRUNK, [end])
    await e.house.follower.refollow([claimed.attempt])
    fault: str = await e.pool.fetchval("select fault from call_attempts where id = $1", claimed.attempt)
    return fault


async def test_twice_on_one_day_is_once(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        for attempts in (1, 2):
            assert await perhaps_invalid(e, s) == "callee"
            assert tuple(await e.pool.fetchrow(CONTACT)) == ("pending", "invalid_number", attempts, "perhaps_invalid")
            waits: timedelta = await e.pool.fetchval("select next_attempt_at - now() from campaign_contacts")
            assert DAY - timedelta(minutes=1) < waits <= DAY
        await laws_hold(e.pool)


DAY_BEFORE = "claimed_at = claimed_at - interval '24 hours'"


@pytest.mark.parametrize(
    ("before", "fault"),
    [
        (DAY_BEFORE, "number"),
        ("trunk = 'another'", "number"),
        (f"{DAY_BEFORE}, to_number = '+4930111111'", "callee"),
    ],
    ids=["another day", "another trunk", "another number"],
)
async def test_it_is_believed_when_it_comes_again_of_the_same_number_on_another_day_or_trunk(
    database_url: str, redis_url: str, before: str, fault: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=1)
        assert await perhaps_invalid(e, s) == "callee"
        await e.pool.execute(f"update call_attempts set {before}")
        assert await perhaps_invalid(e, s) == fault
        status = "failed" if fault == "number" else "pending"
        assert await e.pool.fetchval("select status from campaign_contacts") == status
        await laws_hold(e.pool)


async def test_what_the_trunk_reads_in_a_word_is_what_is_believed(database_url: str, redis_url: str) -> None:
    reasons = [{"match": "not in service", "means": "invalid"}, {"match": "service", "means": "trunk"}]
    async with engine(database_url, redis_url, quick(unreachable=1.0, answer=0), running=False, reasons=reasons) as e:
        s = await seed(e.pool, contacts=2)
        claimed = await e.book.run(s.campaign)
        await e.pool.execute("update call_attempts set state = 'placing', placing_at = now() where state = 'queued'")
        await e.pool.execute("update campaign_contacts set status = 'calling', last_attempt_at = now() where status = 'queued'")
        for each, cause in zip(claimed, ("Not In Service", "out of service"), strict=True):
            end = CallEvent(Phase.ENDED, datetime.now(UTC), each.attempt, "ref", each.attempt, Outcome.BUSY, None, cause)
            await e.house.follower.follow(TRUNK, [end])
            await e.house.follower.refollow([each.attempt])
        rows = [tuple(row) for row in await e.pool.fetch("select outcome, fault, cause from call_attempts order by cause")]
        assert rows == [("invalid_number", "number", "Not In Service"), ("unreachable", "trunk", "out of service")]
        await laws_hold(e.pool)
