from __future__ import annotations

import asyncio
import logging
import signal
import time

import pytest

from dialer.queue import Bell, QueueUnavailable, close, connect
from dialer.queue.connection import BoundedRedis
from tests.support.valkey import Valkey


async def test_a_ring_wakes_a_waiter_with_all_keys(redis: BoundedRedis) -> None:
    bell = Bell(redis)
    async with asyncio.TaskGroup() as tasks:
        waiter = tasks.create_task(bell.wait(5))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await bell.ring(["campaign:a", "number:b"])
    assert waiter.result() == {"campaign:a", "number:b"}
    assert time.monotonic() - began < 1


async def test_rings_add_up_until_somebody_takes_them_all(redis: BoundedRedis) -> None:
    bell = Bell(redis)
    many = [f"campaign:{i}" for i in range(2500)]
    await bell.ring(many)
    await bell.ring(["campaign:1", "team:x"])
    assert await redis.llen("dialer:bell:wake") == 1
    assert await bell.wait(1) == {*many, "team:x"}
    assert await bell.wait(0) == frozenset()


async def test_a_wait_in_vain_ends_empty_and_on_time(redis: BoundedRedis) -> None:
    began = time.monotonic()
    assert await Bell(redis).wait(0.2) == frozenset()
    assert 0.15 < time.monotonic() - began < 1.5


async def test_a_wait_may_be_longer_than_one_blocking_command(redis: BoundedRedis) -> None:
    bell = Bell(redis)
    async with asyncio.TaskGroup() as tasks:
        waiter = tasks.create_task(bell.wait(10))
        await asyncio.sleep(2.2)
        await bell.ring(["campaign:a"])
    assert waiter.result() == {"campaign:a"}


async def test_nothing_rung_is_nothing_pushed(redis: BoundedRedis) -> None:
    await Bell(redis).ring([])
    assert await redis.dbsize() == 0


async def test_no_key_is_lost_or_doubled_between_many_waiters(redis: BoundedRedis, shared_valkey: Valkey) -> None:
    clients = [connect(shared_valkey.url) for _ in range(3)]
    taken: list[str] = []
    rung = {f"campaign:{i}" for i in range(300)}

    async def wait(bell: Bell) -> None:
        while len(taken) < len(rung):
            taken.extend(await bell.wait(0.5))

    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(wait(Bell(client)))
        for key in sorted(rung):
            await Bell(redis).ring([key])
    assert sorted(taken) == sorted(rung)
    for client in clients:
        await close(client)


async def test_a_waiter_outlives_a_restart_of_redis_and_says_so_once(
    own_valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dialer.queue")
    redis = connect(own_valkey.url)
    bell = Bell(redis)
    assert await bell.wait(0.01) == frozenset()
    own_valkey.stop(signal.SIGKILL)
    with pytest.raises(QueueUnavailable):
        await bell.ring(["campaign:a"])
    began = time.monotonic()
    assert await bell.wait(0.5) == frozenset()
    assert 0.4 < time.monotonic() - began < 1.5
    async with asyncio.TaskGroup() as tasks:
        waiter = tasks.create_task(bell.wait(20))
        await asyncio.sleep(0.2)
        own_valkey.start()
        await bell.ring(["campaign:b"])
    assert waiter.result() == {"campaign:b"}
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    await close(redis)


async def test_a_frozen_redis_does_not_hold_up_a_waiter(own_valkey: Valkey) -> None:
    redis = connect(own_valkey.url)
    bell = Bell(redis)
    await bell.ring(["campaign:a"])
    assert await bell.wait(1) == {"campaign:a"}
    own_valkey.freeze()
    began = time.monotonic()
    assert await bell.wait(0.2) == frozenset()
    assert time.monotonic() - began < 1
    own_valkey.thaw()
    await bell.ring(["campaign:b"])
    assert await bell.wait(1) == {"campaign:b"}
    await close(redis)


async def test_a_cancelled_wait_ends_cancelled_and_leaves_the_client_usable(redis: BoundedRedis) -> None:
    bell = Bell(redis)
    for _ in range(50):
        waiter = asyncio.ensure_future(bell.wait(5))
        await asyncio.sleep(0.002)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
    await bell.ring(["campaign:a"])
    assert await bell.wait(1) == {"campaign:a"}
