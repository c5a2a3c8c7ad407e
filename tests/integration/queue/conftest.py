from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from dialer.queue import DoorbellWorker, close, connect, func
from dialer.queue.connection import BoundedRedis
from tests.support.valkey import Valkey, own_valkey, shared_valkey

__all__ = ["own_valkey", "shared_valkey"]

Eventually = Callable[..., Awaitable[None]]
Working = Callable[..., AbstractAsyncContextManager[DoorbellWorker]]


@pytest_asyncio.fixture
async def redis(shared_valkey: Valkey) -> AsyncIterator[BoundedRedis]:
    """A client of an empty server."""
    client = connect(shared_valkey.url)
    await client.flushall()
    yield client
    await close(client)


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds; fail when it does not within so many seconds."""

    async def wait(condition: Callable[[], bool | Awaitable[bool]], within: float = 5.0) -> None:
        async with asyncio.timeout(within):
            while True:
                holds = condition()
                if holds if isinstance(holds, bool) else await holds:
                    return
                await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def working() -> Working:
    """A worker on queue `q` with the given functions (by name), running within the context."""

    @asynccontextmanager
    async def start(client: BoundedRedis, **functions: Any) -> AsyncIterator[DoorbellWorker]:
        options = functions.pop("options", {})
        worker = DoorbellWorker(client, [func(each, name=name) for name, each in functions.items()], queue_name="q", **options)
        async with asyncio.TaskGroup() as tasks:
            run = tasks.create_task(worker.run())
            try:
                yield worker
            finally:
                await worker.drain(0)
                await run

    return start
