"""A database whose clock stands still, for every test of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from dialer.queue import close, connect
from dialer.store.database import Database
from tests.stateful.world import World, world
from tests.support.standstill import stand_still


@pytest.fixture
async def still_url(database_url: str) -> str:
    async with await Database.open(database_url) as first:
        await stand_still(first.pool)
    return database_url


@pytest.fixture
async def worlds(still_url: str, redis_url: str) -> AsyncIterator[Callable[[], AbstractAsyncContextManager[World]]]:
    """One world after the other, each as if it were the first."""
    redis = connect(redis_url)
    async with await Database.open(still_url) as database:
        yield lambda: world(database, redis)
    await close(redis)


@pytest.fixture
async def w(worlds: Callable[[], AbstractAsyncContextManager[World]]) -> AsyncIterator[World]:
    async with worlds() as made:
        yield made
