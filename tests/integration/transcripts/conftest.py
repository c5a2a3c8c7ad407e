"""An endpoint that answers well, a desk whose team wants fields filled, and the duty that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dialer.flows.transcripts import Transcripts
from dialer.store.database import Database
from tests.support.asked import GOOD, open_asking_desk, open_duty
from tests.support.chat import Chat
from tests.support.desk import Desk


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with Chat([GOOD]) as opened:
        yield opened


@pytest.fixture
async def desk(database: Database, redis_url: str) -> AsyncIterator[Desk]:
    async with open_asking_desk(database, redis_url) as opened:
        yield opened


@pytest.fixture
async def duty(desk: Desk, chat: Chat) -> AsyncIterator[Transcripts]:
    async with open_duty(desk, chat) as made:
        yield made
