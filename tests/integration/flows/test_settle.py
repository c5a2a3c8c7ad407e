"""Settling many at once: one that is stuck or broken holds up nobody else."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from random import Random

from adapters.events import CallEvent, Outcome, Phase
from dialer.domain.attempt import Turn
from dialer.flows.follow import Follower
from dialer.flows.settle import Case, Settler
from tests.support.carrier import quick
from tests.support.engine import TRUNK, Engine, engine
from tests.support.laws import laws_hold
from tests.support.ledger import Seed, seed


def ended(attempt: str) -> CallEvent:
    return CallEvent(Phase.ENDED, datetime.now(UTC), attempt, "ref", f"end of {attempt}", outcome=Outcome.HUMAN)


async def placed(e: Engine, s: Seed) -> list[str]:
    """Calls that the carrier was asked for, as far as the ledger knows."""
    claimed = await e.book.run(s.campaign)
    await e.pool.execute("update call_attempts set state = 'placing', placing_at = now() where state = 'queued'")
    await e.pool.execute("update campaign_contacts set status = 'calling', last_attempt_at = now() where status = 'queued'")
    return [each.attempt for each in claimed]


async def test_a_locked_campaign_keeps_its_events_and_stalls_no_other(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        stuck, free = await seed(e.pool, contacts=2), await seed(e.pool, contacts=2, prefix="+4989")
        [one, _], [other, _] = await placed(e, stuck), await placed(e, free)
        async with e.pool.acquire() as connection, connection.transaction():
            await connection.fetch("select from scopes where key = $1 for update", f"campaign:{stuck.campaign}")
            started = time.monotonic()
            await asyncio.gather(*(e.house.follower.follow(TRUNK, [ended(attempt)]) for attempt in (one, other)))
            assert time.monotonic() - started < 1
            assert await e.pool.fetchval("select state from call_attempts where id = $1", other) == "ended"
            assert await e.pool.fetchval("select state from call_attempts where id = $1", one) == "placing"
            assert await e.pool.fetchval("select count(*) from call_events") == 2, "what was told is kept"
        await e.pool.execute("update call_events set received_at = received_at - interval '5 seconds'")
        await e.sweeper.sweep()
        assert await e.pool.fetchval("select state from call_attempts where id = $1", one) == "ended"
        await laws_hold(e.pool)


async def test_an_attempt_that_cannot_be_decided_holds_up_no_other(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        [poison, healthy] = await placed(e, await seed(e.pool, contacts=2))

        def fails(case: Case) -> Turn | None:
            raise ZeroDivisionError

        await asyncio.gather(
            e.house.settler.settle(poison, fails), e.house.follower.follow(TRUNK, [ended(healthy)]), return_exceptions=False
        )
        assert await e.pool.fetchval("select state from call_attempts where id = $1", healthy) == "ended"
        assert await e.pool.fetchval("select state from call_attempts where id = $1", poison) == "placing"
        await laws_hold(e.pool)


async def test_another_trunk_has_nothing_to_say_about_a_call(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        [attempt, _] = await placed(e, await seed(e.pool, contacts=2))
        await e.house.follower.follow("another", [ended(attempt)])
        assert await e.pool.fetchval("select state from call_attempts where id = $1", attempt) == "placing"
        assert await e.pool.fetchval("select count(*) from call_events") == 0
        await laws_hold(e.pool)


def told(attempt: str, phase: Phase, outcome: Outcome | None = None) -> CallEvent:
    return CallEvent(phase, datetime.now(UTC), attempt, "ref", f"{phase} of {attempt}", outcome=outcome)


async def test_what_was_remembered_of_an_attempt_that_others_moved_on_changes_nothing(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        [attempt, _] = await placed(e, await seed(e.pool, contacts=2))
        await e.house.follower.follow(TRUNK, [told(attempt, Phase.RINGING)])
        elsewhere = Settler(e.pool, e.house.ringer, e.house.rules, e.house.clock, Random(0))  # as in another process
        running = asyncio.create_task(elsewhere.run())
        await Follower(e.pool, elsewhere, e.house.breakers).follow(TRUNK, [ended(attempt)])
        running.cancel()
        await e.house.follower.follow(TRUNK, [told(attempt, Phase.ANSWERED)])
        assert await e.pool.fetchval("select state from call_attempts where id = $1", attempt) == "ended"
        assert await e.pool.fetchval("select count(*) from call_events") == 3, "and the late event is kept"
        await laws_hold(e.pool)


async def test_a_no_between_two_events_is_heard_before_a_retry_is_decided(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        [attempt, _] = await placed(e, await seed(e.pool, contacts=2))
        await e.house.follower.follow(TRUNK, [told(attempt, Phase.RINGING)])
        await e.pool.execute("update contacts set do_not_call = true")
        await e.house.follower.follow(TRUNK, [told(attempt, Phase.ENDED, Outcome.BUSY)])
        row = await e.pool.fetchrow(
            """select t.status, t.outcome from campaign_contacts t join call_attempts a on a.campaign_contact_id = t.id
               where a.id = $1""",
            attempt,
        )
        assert tuple(row) == ("skipped", "do_not_call")
        await laws_hold(e.pool)


async def test_a_fact_that_is_told_again_is_one_row_and_frees_one_slot(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        attempt, _ = await placed(e, await seed(e.pool, contacts=2))
        facts = [told(attempt, Phase.RINGING), ended(attempt)]
        for again in (facts, facts[1:], facts, [*facts, *facts]):
            await e.house.follower.follow(TRUNK, again)
        assert await e.pool.fetchval("select count(*) from call_events") == 2
        assert await e.pool.fetchval("select active from scopes where key = 'trunk:sim'") == 1
        await laws_hold(e.pool)


async def test_an_ending_that_is_known_better_afterwards_frees_nothing_again(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        attempt, _ = await placed(e, await seed(e.pool, contacts=2, numbers=1))
        await e.house.follower.follow(TRUNK, [told(attempt, Phase.ENDED, Outcome.UNKNOWN)])
        assert await e.pool.fetchval("select outcome from call_attempts where id = $1", attempt) == "unknown"
        await e.house.follower.follow(TRUNK, [ended(attempt)])
        assert await e.pool.fetchval("select outcome from call_attempts where id = $1", attempt) == "human"
        assert await e.pool.fetchval("select active from scopes where key = 'trunk:sim'") == 1
        await laws_hold(e.pool)


async def test_a_result_after_the_end_is_kept_and_frees_nothing_again(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        [attempt, _] = await placed(e, await seed(e.pool, contacts=2))
        await e.house.follower.follow(TRUNK, [ended(attempt)])
        rung = await e.house.bell.wait(1)
        assert rung, "the end rings"
        result = CallEvent(Phase.RESULT, datetime.now(UTC), attempt, "ref", "result", data={"summary": "called back"})
        await e.house.follower.follow(TRUNK, [result])
        row = await e.pool.fetchrow("select result, counted, outcome from call_attempts where id = $1", attempt)
        assert (row["result"], row["counted"], row["outcome"]) == ({"summary": "called back"}, True, "human")
        assert await e.house.bell.wait(0.05) == frozenset(), "the result does not"
        await laws_hold(e.pool)
