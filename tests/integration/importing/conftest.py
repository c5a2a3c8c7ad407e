"""A team's ledger to import into."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dialer.store.database import Database
from tests.support.api import Api, open_api


@pytest.fixture
async def api(database: Database, redis_url: str) -> AsyncIterator[Api]:
    async with open_api(database, redis_url) as opened:
        yield opened
