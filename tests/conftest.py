"""Real servers for the whole run: one Postgres and one Valkey per test process; an empty database for each test that asks."""

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
from hypothesis import settings

from dialer.embedded import EmbeddedServers, Endpoints
from dialer.store.database import Database
from dialer.store.migrate import migrate
from tests.support.memory import quickest
from tests.support.reused import NOTES, Reused

_numbers = itertools.count(1)

# How long one example takes is the machine's doing: a rule that is slow is measured, not met by chance.
# Whether a commit passes is not drawn by lot: its examples are the same on every machine. "search" draws others each time.
settings.register_profile("house", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile("house")


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
        connection = await asyncpg.connect(_at(servers, "template_ledger"))
        await connection.execute(NOTES)
        await connection.close()

    asyncio.run(make())
    return "template_ledger"


def _at(servers: Endpoints, name: str) -> str:
    return servers.database_url.rsplit("/", 1)[0] + "/" + name


class Databases:
    """Made and dropped in the server of this process."""

    def __init__(self, servers: Endpoints, template: str) -> None:
        self._servers = servers
        self._template = template

    async def make(self) -> str:
        """The URL of a new one, migrated and empty."""
        name = f"test_{next(_numbers)}"
        await self._say(f"create database {name} template {self._template} strategy {STRATEGY}")
        return _at(self._servers, name)

    async def drop(self, url: str) -> None:
        await self._say(f"drop database {url.rpartition('/')[2]} with (force)")

    async def _say(self, statement: str) -> None:
        connection = await asyncpg.connect(self._servers.database_url)
        await connection.execute(statement)
        await connection.close()


@pytest.fixture(scope="session")
def databases(servers: Endpoints, template: str) -> Databases:
    return Databases(servers, template)


@pytest.fixture(scope="session")
def new_database(databases: Databases) -> Callable[[], AbstractAsyncContextManager[str]]:
    """Makes a migrated, empty database; its URL."""

    @asynccontextmanager
    async def make() -> AsyncIterator[str]:
        url = await databases.make()
        try:
            yield url
        finally:
            await databases.drop(url)

    return make


@pytest.fixture(scope="session")
async def reused(databases: Databases) -> AsyncIterator[Reused]:
    ledger = Reused(databases.make, databases.drop)
    yield ledger
    await ledger.close()


@pytest.fixture
async def anew(reused: Reused) -> None:
    """To be used by whoever measures: the test's database is a new copy, in which no plan was made and nothing deleted yet."""
    await reused.close()


@pytest.fixture
async def database_url(reused: Reused) -> AsyncIterator[str]:
    """A migrated, empty database of the test's own."""
    yield await reused.url()
    await reused.clear()


@pytest.fixture
async def database(reused: Reused, database_url: str) -> Database:
    return await reused.database()


@pytest.fixture(autouse=True)
async def nothing_goes_on() -> AsyncIterator[None]:
    """What a test left running ends with it, though the event loop goes on."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@pytest.fixture
def redis_url(servers: Endpoints) -> str:
    """A database of the Valkey server that no other test of this process uses at the same time; tests flush it themselves."""
    return servers.redis_url.rsplit("/", 1)[0] + f"/{1 + next(_numbers) % 15}"
