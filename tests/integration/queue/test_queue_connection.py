from __future__ import annotations

import asyncio
import time

import pytest

from dialer.queue import Bell, Job, JobQueue, QueueUnavailable, close, connect
from dialer.queue.connection import BoundedRedis
from tests.support.valkey import Valkey


@pytest.mark.parametrize("steps", range(14))
async def test_a_cancellation_is_never_swallowed(redis: BoundedRedis, steps: int) -> None:
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


async def test_more_callers_than_connections_wait_their_turn(redis: BoundedRedis) -> None:
    bell = Bell(redis)
    await asyncio.gather(*(bell.ring([f"campaign:{i}"]) for i in range(300)))
    assert len(await bell.wait(1)) == 300
    assert len(await redis.client_list()) <= 33


async def test_a_connection_that_redis_closed_while_it_was_at_hand_is_replaced(redis: BoundedRedis) -> None:
    bell = Bell(redis)
    await bell.ring(["campaign:a"])
    await redis.client_kill_filter(_type="normal", skipme=True)
    async with asyncio.timeout(2):
        while len(await redis.client_list()) > 1:
            pass
    await bell.ring(["campaign:b"])
    assert await bell.wait(1) == {"campaign:a", "campaign:b"}


async def test_a_script_that_redis_has_forgotten_is_sent_whole(redis: BoundedRedis) -> None:
    bell = Bell(redis)
    await bell.ring(["campaign:a"])
    await redis.script_flush()
    await bell.ring(["campaign:b"])
    assert await bell.wait(1) == {"campaign:a", "campaign:b"}


async def test_whoever_gives_up_leaves_no_reply_to_the_next(redis: BoundedRedis) -> None:
    bell, other = Bell(redis), Bell(redis, "other")
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await bell.wait(5)
    await other.ring(["campaign:b"])
    assert await other.wait(1) == {"campaign:b"}
