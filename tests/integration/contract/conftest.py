"""Read side by side with the contract: one file a section, one test a claim."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dialer.store.database import Database
from tests.support.api import Api, fresh_team
from tests.support.desk import Desk, open_desk
from tests.support.laws import laws_hold


@pytest.fixture
async def desk(database: Database, redis_url: str) -> AsyncIterator[Desk]:
    """A team at work, at noon on a Monday. Whatever a test did, the laws of the ledger hold after it."""
    async with open_desk(database, redis_url) as opened:
        yield opened
    await laws_hold(database.pool)


@pytest.fixture
def api(desk: Desk) -> Api:
    return desk.api


@pytest.fixture
async def stranger(api: Api) -> Api:
    """The same API with the key of another team."""
    team, key = await fresh_team(api.context.database, "Strangers", api.context.clock.now())
    return Api(api.app, api.context, api.bell, api.waits, team, key)
