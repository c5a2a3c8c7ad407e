"""Real servers for the whole run: one Postgres and one Valkey per test process, one fresh database per test that asks."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from dialer.embedded import EmbeddedServers, Endpoints
from dialer.store.database import Database
from dialer.store.migrate import migrate
from tests.support.memory import quickest

_numbers = itertools.count(1)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # what was collected stays to the end; looking through it again and again takes a twentieth of the time


STRATEGY = "wal_log" if quickest() is None else "file_copy"
"""How a database is copied: by its files takes half the time and brings the cache of its catalogue along, but writes out all that
is dirty, which only memory does not mind."""


@pytest.fixture(scope="session")
def servers() -> Iterator[Endpoints]:
    with TemporaryDirectory(prefix="dialer-tests-", dir=quickest()) as place, EmbeddedServers(Path(place) / "data") as endpoints:
        yield endpoints


@pytest.fixture(scope="session")
def template(servers: Endpoints) -> str:
    """The name of a migrated database that new ones are copied from."""

    async def make() -> None:
        connection = await asyncpg.connect(servers.database_url)
        await connection.execute("create database template_ledger")
        await connection.close()
        await migrate(_at(servers, "template_ledger"))

    asyncio.run(make())
    return "template_ledger"


def _at(servers: Endpoints, name: str) -> str:
    return servers.database_url.rsplit("/", 1)[0] + "/" + name


@pytest.fixture(scope="session")
def new_database(servers: Endpoints, template: str) -> Callable[[], AbstractAsyncContextManager[str]]:
    """Makes a migrated, empty database; its URL."""

    @asynccontextmanager
    async def make() -> AsyncIterator[str]:
        name = f"test_{next(_numbers)}"
        connection = await asyncpg.connect(servers.database_url)
        await connection.execute(f"create database {name} template {template} strategy {STRATEGY}")
        try:
            yield _at(servers, name)
        finally:
            await connection.execute(f"drop database {name} with (force)")
            await connection.close()

    return make


@pytest.fixture
async def database_url(new_database: Callable[[], AbstractAsyncContextManager[str]]) -> AsyncIterator[str]:
    """A migrated, empty database of the test's own."""
    async with new_database() as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url) as opened:
        yield opened


@pytest.fixture
def redis_url(servers: Endpoints) -> str:
    """A database of the Valkey server that no other test of this process uses at the same time; tests flush it themselves."""
    return servers.redis_url.rsplit("/", 1)[0] + f"/{1 + next(_numbers) % 15}"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"
