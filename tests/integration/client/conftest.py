"""One API process of its own for all tests of the client, with the client pointed at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from dialer.client import DialerClient
from dialer.embedded import Endpoints
from tests.support.served import Served, served


@pytest.fixture(scope="session")
def daemon(servers: Endpoints, template: str) -> Iterator[Served]:
    async def make() -> None:
        connection = await asyncpg.connect(servers.database_url)
        await connection.execute(f"create database client_ledger template {template} strategy wal_log")
        await connection.close()

    asyncio.run(make())
    with served(servers.database_url.rsplit("/", 1)[0] + "/client_ledger", servers.redis_url.rsplit("/", 1)[0] + "/0") as api:
        yield api


@pytest.fixture
async def dialer(daemon: Served) -> AsyncIterator[DialerClient]:
    async with DialerClient(daemon.url, daemon.key, daemon.team) as client:
        yield client
