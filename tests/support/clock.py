"""A clock that stands still until it is told to move."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta


class ManualClock:
    """A `scheduler.clock.Clock` for tests: `advance` moves it and wakes the sleepers whose time has come, in order."""

    def __init__(self, start: datetime = datetime(2026, 1, 5, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._count = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._slept = asyncio.Event()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    @property
    def sure(self) -> bool:
        return True

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._elapsed + seconds, self._count, alarm))
        self._slept.set()
        await alarm

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            alarm = heapq.heappop(self._sleepers)[2]
            if not alarm.done():
                alarm.set_result(None)

    async def asleep(self, count: int = 1) -> float:
        """Wait until `count` sleepers are waiting; seconds until the first of them wakes."""
        while True:
            waiting = [due for due, _, alarm in self._sleepers if not alarm.done()]
            if len(waiting) >= count:
                return min(waiting) - self._elapsed
            self._slept.clear()
            await self._slept.wait()
