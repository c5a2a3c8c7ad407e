from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from dialer.queue import Bell, Job, JobQueue, QueueUnavailable, close, connect
from tests.support.valkey import Valkey


@pytest.mark.parametrize("steps", range(14))
async def test_a_cancellation_is_never_swallowed(redis: Redis, steps: int) -> None:
    await redis.ping()
    blocked = asyncio.ensure_future(redis.blpop(["nothing"], timeout=1))
    for _ in range(steps):
        await asyncio.sleep(0)
    blocked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await blocked


async def test_a_frozen_redis_is_an_outage_after_a_bounded_wait(own_valkey: Valkey) -> None:
    redis = connect(own_valkey.url)
    queue = JobQueue(redis, "q")
    await queue.enqueue([Job("dial", {}, "call_1")])
    own_valkey.freeze()
    began = time.monotonic()
    with pytest.raises(QueueUnavailable, match="TimeoutError"):
        await queue.enqueue([Job("dial", {}, "call_2")])
    assert time.monotonic() - began < 5
    own_valkey.thaw()
    await Bell(redis).ring(["campaign:a"])
    assert await Bell(redis).wait(1) == {"campaign:a"}
    await close(redis)


async def test_more_callers_than_connections_wait_their_turn(redis: Redis) -> None:
    bell = Bell(redis)
    await asyncio.gather(*(bell.ring([f"campaign:{i}"]) for i in range(300)))
    assert len(await bell.wait(1)) == 300
    assert len(await redis.client_list()) <= 33
