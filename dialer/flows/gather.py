"""Natural batching: one flush at a time, and whoever comes meanwhile shares the next one.

Alone, an item is flushed at once and pays no delay; under load one statement carries hundreds. Bound by rows, never by
waiting. The flush runs in the gatherer's own task, so a caller that is cancelled leaves neither a half-done commit nor others
without an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Gather(Generic[Item, Result]):
    """`flush` gets up to `most` items and answers one result per item, in their order. `run` has to be running."""

    def __init__(self, flush: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], *, most: int = 500) -> None:
        self._flush = flush
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._some = asyncio.Event()

    async def __call__(self, item: Item) -> Result:
        """The result for `item`, or the exception of the flush it was in."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        self._some.set()
        return await answer

    async def run(self) -> None:
        """Flush until cancelled; whoever waits then is cancelled too."""
        try:
            while True:
                await self._some.wait()
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                if not self._waiting:
                    self._some.clear()
                await self._answer(batch)
        finally:
            for _, answer in self._waiting:
                answer.cancel()

    async def _answer(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._flush([item for item, _ in batch])
        except Exception as fault:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(fault)
        except BaseException:
            for _, answer in batch:
                answer.cancel()
            raise
        else:
            for (_, answer), result in zip(batch, results, strict=True):
                if not answer.done():
                    answer.set_result(result)
