"""The command line on the test's own stores."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from tests.support.warm import Start, warm


class Shell:
    """`dialer …` as a process of its own."""

    def __init__(self, start: Start, database_url: str, redis_url: str) -> None:
        options = {"kind": "simulated", "base_url": "http://127.0.0.1:9", "api_key": "simulated", "signing_secret": "simulated"}
        trunk = {f"DIALER_ADAPTERS__SIM__{name.upper()}": value for name, value in options.items()}
        self.environ = {**os.environ, **trunk, "DATABASE_URL": database_url, "REDIS_URL": redis_url}
        self._start = start

    async def __call__(self, *arguments: str, code: int = 0) -> str:
        ended, said = await asyncio.to_thread(self._start, arguments, self.environ)
        assert ended == code, said
        return said


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    with warm() as commands:
        yield commands


@pytest.fixture
def dialer(start: Start, database_url: str, redis_url: str) -> Shell:
    return Shell(start, database_url, redis_url)
