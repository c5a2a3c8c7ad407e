"""A carrier in trouble: found out by a few calls, left alone as long as it asks, tried with one call, and nobody pays for it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from adapters.base import Call
from adapters.simulated.adapter import SimulatedAdapter
from adapters.simulated.carrier.script import Faults
from dialer.domain.breaker import Cause, Failure
from dialer.flows.breakers import Breakers
from dialer.store import breakers
from tests.support.carrier import carrier, quick
from tests.support.engine import TRUNK, Engine, engine
from tests.support.laws import laws_hold, nothing_left
from tests.support.ledger import Seed, seed

KEY = f"trunk:{TRUNK}"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """When the carrier was asked to place a call (monotonic seconds)."""
    moments: list[float] = []
    real = SimulatedAdapter.place

    async def place(self: SimulatedAdapter, call: Call) -> str:
        moments.append(time.monotonic())
        return await real(self, call)

    monkeypatch.setattr(SimulatedAdapter, "place", place)
    yield moments


async def dial(e: Engine, s: Seed) -> int:
    """Release what is due and place it; how many."""
    claimed = await e.book.run(s.campaign)
    await asyncio.gather(*(e.placer.place(c.attempt, c.campaign, c.trunk) for c in claimed))
    return len(claimed)


async def due_now(e: Engine) -> None:
    """Time passes: whoever waits is due, and so is the next probe."""
    await e.pool.execute("update campaign_contacts set next_attempt_at = now() where status = 'pending'")
    await e.pool.execute("update breakers set probe_at = now() where state <> 'closed'")


async def asked_times(asked: list[float], count: int, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while len(asked) < count:  # noqa: ASYNC110 - the carrier's own counts have no bell
            await asyncio.sleep(0.02)


async def test_a_dead_carrier_is_found_out_tried_seldom_and_back_at_once(
    database_url: str, redis_url: str, asked: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scenario 24 in small: the probes half a second apart instead of five."""
    monkeypatch.setattr("dialer.domain.breaker.PROBE", timedelta(seconds=0.5))
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    async with engine(database_url, redis_url, quick(), tick=0.2, base_url=f"http://127.0.0.1:{port}") as e:
        s = await seed(e.pool, contacts=60, concurrency=50)
        await e.until("select state <> 'closed' from breakers where key = $1", KEY)
        opened = len(asked)
        assert opened <= 10
        await asked_times(asked, opened + 4)
        assert all(later - earlier >= 0.49 for earlier, later in pairwise(asked[opened:]))
        tried = await e.pool.fetchrow("select sum(attempts), max(excused), bool_or(status <> 'pending') from campaign_contacts")
        assert tried["sum"] == 0 and tried["max"] <= 1, "a probe is at nobody's expense"
        async with carrier(quick(), port=port) as revived:
            back = time.monotonic()
            await e.until("select status = 'completed' from campaigns where id = $1", s.campaign)
            assert time.monotonic() - back < 10
            assert len(revived.journal.entries) == 60
        assert await e.pool.fetchval("select count(*) from campaign_contacts where outcome = 'answered' and attempts = 1") == 60
        assert await breakers.all_of(e.pool) == {}
        await nothing_left(e.pool)
        await laws_hold(e.pool)


@pytest.mark.parametrize("refusal", ["refuse_429", "refuse_503"])
async def test_the_whole_trunk_waits_as_long_as_the_carrier_asks(
    database_url: str, redis_url: str, asked: list[float], refusal: str
) -> None:
    """Scenario 23: within a tenth of two seconds, though everything is looked at every three seconds only."""
    script = quick(faults=Faults(**{refusal: 1.0}, retry_after=1))
    async with engine(database_url, redis_url, script, tick=3.0) as e:
        await seed(e.pool, contacts=20, concurrency=10)
        other = await seed(e.pool, contacts=5, prefix="+4940")
        await asked_times(asked, 3)
        gaps = [later - earlier for earlier, later in pairwise(asked)]
        assert all(1.0 <= gap <= 1.2 for gap in gaps), gaps
        e.carrier.script = quick()
        await e.until("select bool_and(status in ('completed', 'calling')) from campaign_contacts")
        answered = "select count(*) from campaign_contacts where outcome = 'answered'"
        await e.until(f"select ({answered}) >= $1", 25 - len(gaps) - 1)
        assert await e.pool.fetchval(f"{answered} and campaign_id = $1", other.campaign) >= 5 - len(gaps) - 1
        assert await e.pool.fetchval("select max(excused) from campaign_contacts") == 0
        await laws_hold(e.pool)


async def test_what_the_carrier_asks_to_wait_begins_with_its_answer_and_not_with_our_turn_to_write_it_down(
    database_url: str, redis_url: str
) -> None:
    """Found by scenario 23: of twenty refused at once the last one waited half a second for the others to be written."""
    async with engine(database_url, redis_url, quick(), running=False) as e:
        told = Failure(Cause.RATE, retry_after=30)
        await e.house.breakers.failed(KEY, told)
        async with e.pool.acquire() as other, other.transaction():
            await other.execute("update breakers set failures = failures + 1 where key = $1", KEY)
            telling = asyncio.create_task(e.house.breakers.failed(KEY, told))
            heard = await e.pool.fetchval("select clock_timestamp()")
            await e.until("select exists (select from pg_stat_activity where wait_event_type = 'Lock')")
            await asyncio.sleep(0.15)  # what passes is what is measured; below the time that a lock is waited for
        became = await telling
        assert became.probe_at is not None
        assert 29.9 < (became.probe_at - heard).total_seconds() < 30.1


async def test_a_wrong_key_pauses_the_trunk_after_three_answers_until_somebody_starts_it_anew(
    database_url: str, redis_url: str, asked: list[float]
) -> None:
    async with engine(database_url, redis_url, quick(faults=Faults(refuse_401=1.0))) as e:
        s = await seed(e.pool, contacts=20, concurrency=10)
        await e.until("select state = 'open' and cause = 'config' from breakers where key = $1", KEY)
        assert len(asked) <= 3
        left = await e.pool.fetchval("select extract(epoch from probe_at - clock_timestamp()) from breakers")
        assert 50 < left <= 60
        e.carrier.script = quick()
        await e.house.breakers.started([TRUNK])
        await e.until("select status = 'completed' from campaigns where id = $1", s.campaign)
        assert await e.pool.fetchval("select sum(attempts) from campaign_contacts") == 20
        assert await e.pool.fetchval("select max(excused) from campaign_contacts") <= 1
        await laws_hold(e.pool)


async def test_successes_of_other_processes_before_the_first_failure_do_not_begin_the_count_anew(
    database_url: str, redis_url: str
) -> None:
    """Found by scenario 24: each of four workers had its own last success, and twelve requests failed before it opened."""
    async with engine(database_url, redis_url, quick(), running=False) as e:
        processes = [e.house.breakers, *(Breakers(e.pool, e.house.ringer, e.house.clock) for _ in range(3))]
        for each in processes:
            each.well(KEY)
        told = [await each.failed(KEY, Failure(Cause.TRUNK)) for each in processes]
        assert [each.failures for each in told] == [1, 2, 3, 4]
        processes[1].well(KEY)
        assert (await processes[1].failed(KEY, Failure(Cause.TRUNK))).failures == 1, "one in between does"


async def test_what_was_released_before_it_opened_is_not_dialled_but_by_one_that_tries(
    database_url: str, redis_url: str, asked: list[float]
) -> None:
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=5, concurrency=5)
        claimed = await e.book.run(s.campaign)
        await e.pool.execute(
            "insert into breakers (key, state, cause, opened_at, probe_at) values ($1, 'open', 'endings', now(), now())", KEY
        )
        await asyncio.gather(*(e.placer.place(c.attempt, c.campaign, c.trunk) for c in claimed))
        assert len(asked) == 1 == len(e.carrier.journal.entries)
        await e.until("select ringing_at is not null from call_attempts where state <> 'recalled'")
        assert await e.pool.fetchval("select state from breakers") == "half_open", "calls were taken before, too"
        await e.house.breakers.watch([TRUNK])
        assert await breakers.all_of(e.pool) == {}
        rows = await e.pool.fetch("select reason, count(*) as n from call_attempts where state = 'recalled' group by 1")
        assert [(r["reason"], r["n"]) for r in rows] == [("trunk_breaker", 4)]
        await laws_hold(e.pool)


async def test_of_a_trunk_whose_breaker_is_open_nothing_is_released_but_one_call_that_tries(
    database_url: str, redis_url: str, asked: list[float]
) -> None:
    async with engine(database_url, redis_url, quick(faults=Faults(refuse_401=1.0)), running=False) as e:
        s = await seed(e.pool, contacts=9, concurrency=9)
        other = await seed(e.pool, contacts=3, prefix="+4940")
        while not await e.pool.fetchval("select state = 'open' from breakers where key = $1", KEY):
            await dial(e, s)
            await e.pool.execute("update campaign_contacts set next_attempt_at = now() where status = 'pending'")
        assert len(asked) == 3
        assert await dial(e, s) == await dial(e, other) == 0
        await due_now(e)
        assert [await dial(e, s), await dial(e, other)] == [1, 0]
        assert len(asked) == 4
        await laws_hold(e.pool)


async def test_a_contact_of_which_no_call_can_be_made_is_given_up_with_a_reason_and_holds_nobody_up(
    database_url: str, redis_url: str, asked: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scenario 28: one at which our code raises, one whose order the carrier refuses for its size."""
    monkeypatch.setattr("dialer.domain.retry.EXCUSED_FIRST_SECONDS", 0.05)
    placing = SimulatedAdapter.place

    async def stumble(self: SimulatedAdapter, call: Call) -> str:
        if call.to.endswith("10"):
            raise KeyError("no such voice")
        return await placing(self, call)

    monkeypatch.setattr(SimulatedAdapter, "place", stumble)
    async with engine(database_url, redis_url, quick()) as e:
        s = await seed(e.pool, contacts=80, concurrency=10, status="draft")
        await e.pool.execute("update contacts set first_name = repeat('x', 1200000) where phone like '%20'")
        await e.pool.execute("update campaigns set status = 'running', started_at = now()")
        await e.until("select status = 'completed' from campaigns where id = $1", s.campaign)
        rows = await e.pool.fetch(
            "select to_number, status, outcome, reason, attempts from campaign_contacts where status = 'failed'"
        )
        assert {r["to_number"][-2:] for r in rows} == {"10", "20"}
        assert {tuple(r)[1:] for r in rows} == {("failed", "error", "quarantined", 0)}
        tries = "select fault, cause, state, count(*) as n from call_attempts where fault = 'request' group by 1, 2, 3 order by 2"
        assert [tuple(r) for r in await e.pool.fetch(tries)] == [
            ("request", "defect", "recalled", 3),
            ("request", "http_413", "recalled", 3),
        ]
        assert await e.pool.fetchval("select count(*) from campaign_contacts where outcome = 'answered' and attempts = 1") == 78
        assert len(e.carrier.journal.entries) == 78
        await nothing_left(e.pool)
        await laws_hold(e.pool)


async def test_a_defect_after_the_request_was_sent_is_a_call_that_was_maybe_placed(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    placing = SimulatedAdapter.place

    async def stumble(self: SimulatedAdapter, call: Call) -> str:
        await placing(self, call)
        raise AttributeError("no such field in the answer")

    monkeypatch.setattr(SimulatedAdapter, "place", stumble)
    async with engine(database_url, redis_url, quick(faults=Faults(callback_lost=1.0)), running=False) as e:
        s = await seed(e.pool, contacts=1)
        await dial(e, s)
        assert await e.pool.fetchval("select state from call_attempts") == "unknown"
        assert len(e.carrier.journal.entries) == 1


async def test_when_every_call_of_a_campaign_is_refused_it_alone_is_held_back_and_loses_nobody(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong voice, say: each contact's call is refused for its own sake, and none of them is to blame."""
    placing = SimulatedAdapter.place
    broken = True

    async def refuse(self: SimulatedAdapter, call: Call) -> str:
        if broken and call.to.startswith("+4930"):
            raise KeyError("no such voice")
        return await placing(self, call)

    monkeypatch.setattr(SimulatedAdapter, "place", refuse)
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=12, concurrency=4)
        other = await seed(e.pool, contacts=12, concurrency=4, prefix="+4940")
        await dial(e, s)
        assert await dial(e, s) > 0
        for _ in range(10):
            await due_now(e)
            await dial(e, s)
            await dial(e, other)
        assert list(await breakers.all_of(e.pool)) == [f"campaign:{s.campaign}"]
        assert await e.pool.fetchval("select count(*) from campaign_contacts where status = 'failed'") == 0
        assert {entry.campaign for entry in e.carrier.journal.entries.values()} == {other.campaign}
        broken = False
        answered = "select count(*) from campaign_contacts where outcome = 'answered' and campaign_id = $1"
        async with asyncio.timeout(20):
            while await e.pool.fetchval(answered, s.campaign) < 12:
                await due_now(e)
                await dial(e, s)
        assert await breakers.all_of(e.pool) == {}
        await laws_hold(e.pool)


async def test_whose_calls_are_refused_while_others_are_taken_is_given_up_though_only_such_are_left(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by scenario 28: when only poisoned contacts were left, each probe was one of them, for ever."""
    monkeypatch.setattr("dialer.domain.retry.EXCUSED_FIRST_SECONDS", 0)
    placing = SimulatedAdapter.place
    poison: set[str] = set()
    first = True

    async def refuse(self: SimulatedAdapter, call: Call) -> str:
        if first:
            poison.add(call.to)
        if call.to in poison:
            raise KeyError("no such name")
        return await placing(self, call)

    monkeypatch.setattr(SimulatedAdapter, "place", refuse)
    async with engine(database_url, redis_url, quick(), running=False) as e:
        s = await seed(e.pool, contacts=12, concurrency=6)
        await dial(e, s)
        first = False
        assert len(poison) >= 5 and (await breakers.all_of(e.pool))[f"campaign:{s.campaign}"].is_open
        async with asyncio.timeout(20):
            while await e.pool.fetchval("select count(*) from campaign_contacts where status in ('pending', 'queued')"):
                await e.pool.execute("update breakers set probe_at = now() where state <> 'closed'")
                await dial(e, s)
        await e.until("select count(*) = $1 from campaign_contacts where outcome = 'answered'", 12 - len(poison))
        assert await e.pool.fetchval("select count(*) from campaign_contacts where reason = 'quarantined'") == len(poison)
        tries = (
            "select max(n) from (select count(*) as n from call_attempts where fault = 'request' group by campaign_contact_id) t"
        )
        assert await e.pool.fetchval(tries) == 3
        assert {entry.to for entry in e.carrier.journal.entries.values()}.isdisjoint(poison)
        await laws_hold(e.pool)


async def test_a_carrier_that_takes_calls_of_which_none_rings_is_held_back(database_url: str, redis_url: str) -> None:
    async with engine(database_url, redis_url, quick(answer=0.0, unreachable=1.0)) as e:
        await seed(e.pool, contacts=60, concurrency=8)
        await e.until("select state <> 'closed' and cause = 'endings' from breakers where key = $1", KEY)
        assert await e.pool.fetchval("select count(*) from campaign_contacts where attempts > 0 or status = 'failed'") == 0
        await laws_hold(e.pool)


async def test_a_carrier_that_cannot_be_reached_is_not_one_that_does_not_know(database_url: str, redis_url: str) -> None:
    """Nobody is given up as unknown because the carrier was dead for ten minutes."""
    script = quick(faults=Faults(error_before=1.0))
    async with engine(database_url, redis_url, script, running=False) as e:
        s = await seed(e.pool, contacts=1)
        await dial(e, s)
        assert await e.pool.fetchval("select state from call_attempts") == "unknown"
        port = e.carrier.port
        await e.carrier.__aexit__(None, None, None)
        await e.pool.execute("update call_attempts set placing_at = placing_at - interval '11 minutes'")
        assert await e.reconciler.sweep() == 1
        assert await e.pool.fetchval("select state from call_attempts") == "unknown"
        async with carrier(port=port):
            await e.pool.execute("update call_attempts set asked_at = null")
            assert await e.reconciler.sweep() == 1
        assert await e.pool.fetchval("select state from call_attempts") == "recalled"
        assert await e.pool.fetchval("select status from campaign_contacts") == "pending"
