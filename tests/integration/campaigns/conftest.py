from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dialer.store.database import Database
from tests.support.api import Api, fresh_team
from tests.support.desk import Desk, open_desk
from tests.support.laws import laws_hold


@pytest.fixture
async def desk(database: Database, redis_url: str) -> AsyncIterator[Desk]:
    """A team at work. Whatever a test did, the laws of the ledger hold after it."""
    async with open_desk(database, redis_url) as opened:
        yield opened
    await laws_hold(database.pool)


@pytest.fixture
async def stranger(desk: Desk) -> Api:
    """The same API with the key of another team."""
    api = desk.api
    team, key = await fresh_team(api.context.database, "Strangers")
    return Api(api.app, api.context, api.bell, api.waits, team, key)
