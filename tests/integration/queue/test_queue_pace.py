from __future__ import annotations

import asyncio
import time

import pytest

from dialer.queue import Pace, QueueUnavailable, close, connect
from dialer.queue.connection import BoundedRedis
from scheduler.pacing import Burst
from tests.support.valkey import Valkey

KEY = "campaign:x"
TEN = {KEY: Burst(10, 1.0)}


async def test_an_unknown_bucket_is_full_and_looking_takes_nothing(redis: BoundedRedis) -> None:
    pace = Pace(redis)
    for _ in range(2):
        assert (await pace.look(TEN))[KEY].calls == 10
    assert await pace.take(TEN, {KEY: 7}) == {KEY: 7}
    left = (await pace.look(TEN))[KEY]
    assert left.calls == 3 and left.seconds == pytest.approx(0.7, abs=0.05)
    assert await pace.take(TEN, {KEY: 7}) == {KEY: 3}
    assert await pace.take(TEN, {KEY: 7}) == {KEY: 0}


async def test_it_fills_at_the_rate_and_not_beyond_a_burst(redis: BoundedRedis) -> None:
    pace, began = Pace(redis), time.monotonic()
    taken = 0
    while time.monotonic() - began < 0.6:
        taken += (await pace.take(TEN, {KEY: 10}))[KEY]
        assert taken <= 10 + 10 * (time.monotonic() - began) + 0.1
        await asyncio.sleep(0.02)
    taken += (await pace.take(TEN, {KEY: 10}))[KEY]
    assert taken >= 15
    await pace.take(TEN, {KEY: -100})
    assert (await pace.look(TEN))[KEY].calls == 10


async def test_what_was_not_used_is_given_back(redis: BoundedRedis) -> None:
    pace = Pace(redis)
    await pace.take(TEN, {KEY: 10})
    assert await pace.take(TEN, {KEY: -4}) == {KEY: -4}
    assert (await pace.look(TEN))[KEY].calls == 4


async def test_all_processes_together_take_one_burst(redis: BoundedRedis, shared_valkey: Valkey) -> None:
    others = [connect(shared_valkey.url) for _ in range(4)]
    slow = {KEY: Burst(10, 100.0), "trunk:y": Burst(3, 100.0)}
    got = await asyncio.gather(*(Pace(other).take(slow, {KEY: 4, "trunk:y": 1}) for other in others))
    assert (sum(each[KEY] for each in got), sum(each["trunk:y"] for each in got)) == (10, 3)
    for other in others:
        await close(other)


async def test_a_bucket_written_by_a_clock_ahead_is_empty_for_a_burst_and_not_for_longer(redis: BoundedRedis) -> None:
    seconds, _ = await redis.time()
    await redis.set(f"dialer:pace:{KEY}", (seconds + 3600) * 1_000_000)
    left = (await Pace(redis).look(TEN))[KEY]
    assert left.calls == 0 and left.seconds == pytest.approx(1.0)


async def test_without_redis_nothing_is_taken() -> None:
    with pytest.raises(QueueUnavailable):
        await Pace(connect("redis://127.0.0.1:1")).take(TEN, {KEY: 1})
    assert await Pace(connect("redis://127.0.0.1:1")).look({}) == {}
