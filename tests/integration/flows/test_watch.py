"""How long somebody has been due and nobody dialled: grows while nothing is placed, and only then."""

from __future__ import annotations

from datetime import timedelta

from dialer.flows.release import LedgerBook
from dialer.flows.watch import Watch
from tests.support.carrier import quick
from tests.support.clock import ManualClock
from tests.support.engine import TRUNK, Engine, engine
from tests.support.ledger import seed


def watch(e: Engine, clock: ManualClock) -> Watch:
    return Watch(e.pool, LedgerBook(e.pool, e.house.ringer, clock, [TRUNK], e.house.rules), clock)


async def test_it_grows_while_somebody_is_due_and_a_call_ends_it(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        clock = ManualClock(e.house.clock.now() + timedelta(seconds=5))
        looker = watch(e, clock)
        assert await looker.look() == 0
        s = await seed(e.pool, contacts=30, concurrency=1)
        assert await looker.look() == 0
        clock.advance(90)
        assert await looker.look() == 90
        await e.pool.execute("update campaign_contacts set next_attempt_at = now()")
        [claimed] = await e.book.run(s.campaign)
        await e.placer.place(claimed.attempt, claimed.campaign, claimed.trunk)
        await e.until("select ended_at is not null from call_attempts")
        await e.pool.execute("update call_attempts set placing_at = $1", clock.now() - timedelta(seconds=3))
        assert await looker.look() == 3


async def test_a_shut_window_a_taken_slot_and_an_open_breaker_are_no_reason_to_wake_somebody(
    database_url: str, redis_url: str
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        clock = ManualClock(e.house.clock.now() + timedelta(seconds=5))
        looker = watch(e, clock)
        opens, shuts = f"{(clock.now().hour + 3) % 24:02}:00", f"{(clock.now().hour + 4) % 24:02}:00"
        await seed(e.pool, contacts=2, window=(opens, shuts), zones=("Etc/UTC",))
        full = await seed(e.pool, contacts=2, concurrency=1, prefix="+4940")
        assert len(await e.book.run(full.campaign)) == 1
        held = await seed(e.pool, contacts=2, prefix="+4950")
        await e.pool.execute(
            """insert into breakers (key, state, cause, opened_at, probe_at)
               values ($1, 'open', 'request', now(), now() + interval '1 hour')""",
            f"campaign:{held.campaign}",
        )
        assert await looker.look() == 0
        clock.advance(600)
        assert await looker.look() == 0


async def test_released_again_and_again_and_never_placed_is_not_dialled(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        clock = ManualClock(e.house.clock.now() + timedelta(seconds=5))
        looker = watch(e, clock)
        s = await seed(e.pool, contacts=3, concurrency=1)
        await looker.look()
        for _ in range(3):
            assert len(await e.book.run(s.campaign)) == 1
            await e.pool.execute("update call_attempts set claimed_at = claimed_at - interval '3 seconds' where ended_at is null")
            await e.sweeper.sweep()
            await e.pool.execute("update campaign_contacts set next_attempt_at = now()")
            clock.advance(60)
        assert await looker.look() == 180
