"""A fresh team's view of the API for every test that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dialer.store.database import Database
from tests.support.api import Api, fresh_team, open_api


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    async with open_api(database, redis_url) as opened:
        yield opened


@pytest.fixture
async def stranger(api: Api) -> Api:
    """The same API with the key of another team."""
    team, key = await fresh_team(api.context.database, "Strangers")
    return Api(api.app, api.context, api.bell, api.waits, team, key)
