"""Natural batching: alone at once, together in one, and nobody suffers for another's cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from dialer.flows.gather import Gather


class Flush:
    """Answers ten times each item; waits for `gate` while it is shut."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.begun.set()
        await self.gate.wait()
        if 13 in items:
            raise ValueError("13")
        return [item * 10 for item in items]


@asynccontextmanager
async def gathering(flush: Flush, most: int = 500) -> AsyncIterator[Gather[int, int]]:
    gather: Gather[int, int] = Gather(flush, most=most)
    task = asyncio.create_task(gather.run())
    try:
        yield gather
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_one_alone_is_flushed_at_once() -> None:
    flush = Flush()
    async with gathering(flush) as gather:
        assert await gather(4) == 40
    assert flush.batches == [[4]]


async def test_whoever_comes_during_a_flush_shares_the_next() -> None:
    flush = Flush()
    flush.gate.clear()
    async with gathering(flush) as gather, asyncio.TaskGroup() as group:
        first = group.create_task(gather(1))
        await flush.begun.wait()
        others = [group.create_task(gather(n)) for n in range(2, 9)]
        await asyncio.sleep(0)
        flush.gate.set()
        assert [await task for task in (first, *others)] == [n * 10 for n in range(1, 9)]
    assert flush.batches == [[1], [2, 3, 4, 5, 6, 7, 8]]


async def test_a_batch_is_bounded_by_rows() -> None:
    flush = Flush()
    async with gathering(flush, most=3) as gather:
        assert await asyncio.gather(*(gather(n) for n in range(7))) == [n * 10 for n in range(7)]
    assert [len(batch) for batch in flush.batches] == [3, 3, 1]


async def test_a_failed_flush_fails_its_own_items_only() -> None:
    flush = Flush()
    async with gathering(flush) as gather:
        with pytest.raises(ValueError):
            await gather(13)
        assert await gather(5) == 50


async def test_a_cancelled_caller_harms_nobody_else() -> None:
    flush = Flush()
    flush.gate.clear()
    async with gathering(flush) as gather:
        gone, stays = asyncio.create_task(gather(1)), asyncio.create_task(gather(2))
        await flush.begun.wait()
        gone.cancel()
        flush.gate.set()
        assert await stays == 20
        with pytest.raises(asyncio.CancelledError):
            await gone
