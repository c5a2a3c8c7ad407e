from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer.queue import RateBuckets, close, connect
from dialer.queue.connection import BoundedRedis
from tests.support.valkey import Valkey

GAP = 1 / 0.95


async def test_an_unknown_bucket_is_empty(redis: BoundedRedis) -> None:
    waits = await RateBuckets(redis).take("trunk:x", 10, 3)
    assert waits == pytest.approx((0.1 * GAP, 0.2 * GAP, 0.3 * GAP), abs=2e-5)


async def test_a_token_too_far_away_is_refused_and_not_reserved(redis: BoundedRedis) -> None:
    buckets = RateBuckets(redis, max_wait=1)
    assert len(await buckets.take("trunk:x", 10, 100)) == 9
    assert await buckets.take("trunk:x", 10) == ()
    await asyncio.sleep(0.2)
    assert len(await buckets.take("trunk:x", 10, 100)) in (1, 2)


async def test_an_idle_bucket_holds_one_token_not_more(redis: BoundedRedis) -> None:
    buckets = RateBuckets(redis)
    await buckets.take("trunk:x", 50)
    await asyncio.sleep(0.3)
    first, second = await buckets.take("trunk:x", 50, 2)
    assert first == 0
    assert second == pytest.approx(GAP / 50, abs=2e-5)


async def test_a_rate_below_one_a_second_is_served_in_the_end(redis: BoundedRedis) -> None:
    buckets = RateBuckets(redis, max_wait=0.1)
    began = time.monotonic()
    while not await buckets.take("trunk:x", 1):
        assert time.monotonic() - began < 3
        await asyncio.sleep(0.02)
    assert time.monotonic() - began > 0.8


async def test_a_lower_rate_holds_at_once(redis: BoundedRedis) -> None:
    buckets = RateBuckets(redis, max_wait=10)
    (last,) = await buckets.take("trunk:x", 100)
    (next_,) = await buckets.take("trunk:x", 1)
    assert next_ - last == pytest.approx(GAP, abs=0.1)


async def test_a_bucket_written_by_a_clock_ahead_is_empty_not_shut(redis: BoundedRedis) -> None:
    buckets = RateBuckets(redis)
    seconds, micros = await redis.time()
    await redis.set("dialer:rate:trunk:x", (seconds + 3600) * 1_000_000 + micros)
    assert await buckets.take("trunk:x", 10) == pytest.approx((0.1 * GAP,), abs=2e-5)


async def test_a_flush_allows_no_burst(redis: BoundedRedis) -> None:
    buckets = RateBuckets(redis)
    moments: list[float] = []
    for turn in range(40):
        began = time.monotonic()
        moments += [began + wait for wait in await buckets.take("trunk:x", 20, 2)]
        if turn % 10 == 5:
            await redis.flushall()
    assert all(after - before > GAP / 20 - 0.02 for before, after in pairwise(moments))


async def test_a_flush_allows_no_burst_to_who_knew_nothing_of_the_bucket(redis: BoundedRedis) -> None:
    await RateBuckets(redis).take("trunk:x", 20, 5)
    await redis.flushall()
    assert (await RateBuckets(redis).take("trunk:x", 20))[0] >= 0.05


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rate=st.integers(1, 200), asked=st.lists(st.integers(1, 50), min_size=1, max_size=8))
async def test_no_second_ever_holds_more_than_the_rate(shared_valkey: Valkey, rate: int, asked: list[int]) -> None:
    redis = connect(shared_valkey.url)
    await redis.flushall()
    buckets = RateBuckets(redis, max_wait=30)
    moments: list[float] = []
    slack = 0.02  # our clock is not Redis'
    for n in asked:
        before = time.monotonic()
        waits = await buckets.take("trunk:x", rate, n)
        slack = max(slack, 0.02 + time.monotonic() - before)  # nobody knows when between the two Redis was asked
        moments += [before + wait for wait in waits]
    await close(redis)
    assert all(later > earlier - slack for earlier, later in pairwise(moments))
    for i, first in enumerate(moments):
        within = sum(first <= moment < first + 1 - slack for moment in moments[i:])
        assert within <= rate


async def test_tokens_are_shared_by_all_processes(redis: BoundedRedis, shared_valkey: Valkey) -> None:
    others = [connect(shared_valkey.url) for _ in range(4)]
    waits = await asyncio.gather(*(RateBuckets(other, max_wait=1).take("trunk:x", 20, 10) for other in others))
    assert sum(map(len, waits)) in range(18, 21)
    for other in others:
        await close(other)


async def test_a_bucket_that_a_fail_over_set_back_gives_no_token_twice(redis: BoundedRedis) -> None:
    buckets = RateBuckets(redis, max_wait=5)
    await buckets.take("trunk:x", 20)
    before = await redis.get("dialer:rate:trunk:x")
    assert before is not None
    began = time.monotonic()
    given = [began + wait for wait in await buckets.take("trunk:x", 20, 10)]
    await redis.set("dialer:rate:trunk:x", before)
    [next_] = [time.monotonic() + wait for wait in await buckets.take("trunk:x", 20)]
    assert next_ > given[-1] + 0.04


async def test_a_call_under_two_rates_leaves_the_trunks_moments_before_it_to_others(redis: BoundedRedis) -> None:
    buckets = RateBuckets(redis)

    async def moment(bucket: str, own: tuple[str, float] | None = None) -> float:
        """When a call may begin, by what its bucket says then."""
        assert await buckets.take("trunk:x", 20, own=own)
        return int(await redis.get(f"dialer:rate:{bucket}") or 0) / 1_000_000

    slow = [await moment("campaign:a", ("campaign:a", 4)) for _ in range(3)]
    others = [await moment("trunk:x") for _ in range(8)]
    assert all(GAP / 4 <= after - before < GAP / 4 + GAP / 20 for before, after in pairwise(slow))
    assert all(after - before > GAP / 20 - 1e-5 for before, after in pairwise(sorted(slow + others))), "each moment once"
    assert sum(at < slow[1] for at in others) >= 4, "they did not have to wait for the slow campaign"


async def test_of_two_rates_the_one_that_comes_too_late_refuses_and_reserves_nothing(redis: BoundedRedis) -> None:
    buckets = RateBuckets(redis, max_wait=0.5)
    assert await buckets.take("trunk:x", 20, own=("campaign:a", 1)) == ()
    (first,) = await buckets.take("trunk:x", 20)
    assert first < 0.2


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trunk=st.integers(5, 100), own=st.integers(1, 12), calls=st.lists(st.booleans(), min_size=20, max_size=60))
async def test_no_second_ever_holds_more_than_either_rate(shared_valkey: Valkey, trunk: int, own: int, calls: list[bool]) -> None:
    redis = connect(shared_valkey.url)
    await redis.flushall()
    buckets = RateBuckets(redis, max_wait=30)
    moments: dict[bool, list[float]] = {False: [], True: []}
    for slow in calls:
        before = time.monotonic()
        moments[slow] += [
            before + wait for wait in await buckets.take("trunk:x", trunk, own=("campaign:a", own) if slow else None)
        ]
    await close(redis)
    assert moments[True] == sorted(moments[True])
    for rate, all_of_them in ((trunk, sorted(moments[False] + moments[True])), (own, moments[True])):
        for i, first in enumerate(all_of_them):
            assert sum(moment < first + 1 - 0.02 for moment in all_of_them[i:]) <= rate  # 20 ms: our clock is not Redis'
