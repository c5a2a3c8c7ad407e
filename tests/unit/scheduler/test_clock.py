from __future__ import annotations

import asyncio
from datetime import UTC, timedelta

import pytest

from scheduler.clock import Clock, SystemClock, unless_stopped
from tests.support.clock import ManualClock


async def test_the_systems_clock() -> None:
    clock: Clock = SystemClock()
    instant, moment = clock.now(), clock.monotonic()
    await clock.sleep(0.01)
    await clock.sleep(-1)
    assert instant.tzinfo is UTC
    assert clock.now() - instant < timedelta(seconds=30)
    assert 0.005 < clock.monotonic() - moment < 30


async def test_a_manual_clock_wakes_who_is_due() -> None:
    clock = ManualClock()
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        late, early = group.create_task(sleeper("late", 2)), group.create_task(sleeper("early", 1))
        assert await clock.asleep(2) == 1
        clock.advance(1)
        await early
        assert woken == ["early"]
        clock.advance(1)
        await late
    assert woken == ["early", "late"]
    assert clock.monotonic() == 2


async def test_work_that_is_done_first_answers() -> None:
    async def answer() -> int:
        return 42

    assert await unless_stopped(asyncio.Event(), answer()) == 42


async def test_a_stop_cancels_the_work_and_waits_for_its_end() -> None:
    stop, ended = asyncio.Event(), asyncio.Event()

    async def work() -> bool:
        stop.set()
        try:
            return await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(5):
        assert await unless_stopped(stop, work()) is None
    assert ended.is_set()
    assert await unless_stopped(stop, work()) is None


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        await unless_stopped(asyncio.Event(), work())


async def test_cancellation_reaches_the_work() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(unless_stopped(asyncio.Event(), work()))
    async with asyncio.timeout(5):
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended.is_set()
