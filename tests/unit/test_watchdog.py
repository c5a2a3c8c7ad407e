"""A loop that stands still is noticed while it does, and told of when it runs again."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from dialer.telemetry import metrics
from dialer.watchdog import Watchdog
from scheduler.clock import SystemClock

HERE = "tests/unit/test_watchdog.py"


class Heard(logging.Handler):
    """Sets `said` when the watchdog's thread speaks, which is while the loop stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str]] = []
        self.said = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.threadName or "", record.getMessage()))
        self.said.set()


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler = Heard()
    log = logging.getLogger("dialer.watchdog")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


@asynccontextmanager
async def watched(again: asyncio.Event) -> AsyncIterator[None]:
    running = asyncio.ensure_future(Watchdog(SystemClock(), again.set, beat=0.02, patience=0.1).run())
    await asyncio.sleep(0)  # it has set its first mark
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_blocked_loop_is_told_of_while_it_is_blocked_with_the_place_where(heard: Heard) -> None:
    again = asyncio.Event()
    async with watched(again):
        assert heard.said.wait(20), "nobody said so while the loop stood still"
        [(thread, line)] = heard.lines
        assert thread == "watchdog" and HERE in line
        async with asyncio.timeout(20):
            await again.wait()


async def test_the_seconds_are_counted_and_one_standstill_is_told_once(heard: Heard) -> None:
    before = metrics.LOOP_STANDSTILL_SECONDS._value.get()
    again = asyncio.Event()
    async with watched(again):
        assert heard.said.wait(20)
        threading.Event().wait(0.1)  # several looks of the thread: it has nothing new to say
        async with asyncio.timeout(20):
            await again.wait()
    assert [thread for thread, _ in heard.lines] == ["watchdog", "MainThread"]
    assert 0.1 <= metrics.LOOP_STANDSTILL_SECONDS._value.get() - before < 20


async def test_the_thread_ends_with_the_watch() -> None:
    async with watched(asyncio.Event()):
        assert "watchdog" in {thread.name for thread in threading.enumerate()}
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}
