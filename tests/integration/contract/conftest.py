"""Read side by side with the contract: one file a section, one test a claim."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from dialer.embedded import Endpoints
from dialer.store.database import Database, Pool
from tests.support.api import Api, fresh_team
from tests.support.desk import Desk, open_desk
from tests.support.laws import laws_hold


@pytest.fixture
async def desk(database: Database, redis_url: str) -> AsyncIterator[Desk]:
    """A team at work, at noon on a Monday. Whatever a test did, the laws of the ledger hold after it."""
    async with open_desk(database, redis_url) as opened:
        yield opened
    await laws_hold(database.pool)


@pytest.fixture(scope="module")
async def shut(new_database: Callable[[], AbstractAsyncContextManager[str]], servers: Endpoints) -> AsyncIterator[Desk]:
    """One desk for all tests of a file that ask only for what is refused. After all of them nothing is written."""
    async with new_database() as url, await Database.open(url) as database, open_desk(database, servers.redis_url) as opened:
        before = await _rows(database.pool)
        yield opened
        assert await _rows(database.pool) == before


async def _rows(pool: Pool) -> dict[str, int]:
    """How many there are in each table."""
    tables = await pool.fetch("select tablename from pg_tables where schemaname = 'public' order by 1")
    return {table: await pool.fetchval(f'select count(*) from "{table}"') for (table,) in tables}


@pytest.fixture
def api(desk: Desk) -> Api:
    return desk.api


@pytest.fixture
async def stranger(api: Api) -> Api:
    """The same API with the key of another team."""
    team, key = await fresh_team(api.context.database, "Strangers")
    return Api(api.app, api.context, api.bell, api.waits, team, key)
