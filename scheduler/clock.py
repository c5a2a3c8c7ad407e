"""Time as an argument: what "now" is and how to wait.

Owns the only `datetime.now` and `asyncio.sleep` of the scheduler. `monotonic` is for durations, `now` for instants; the two
may drift apart when the machine's clock is set.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """What time it is, for those who decide by it."""

    def now(self) -> datetime:
        """The instant, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once, but not before others had a turn, when that is 0 or less."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`, or None when `stop` was set first: then `work` is cancelled and has ended on return.

    What `work` raises is raised here, also when it fails while being cancelled.
    """
    if stop.is_set():
        work.close()
        return None
    task, halt = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((task, halt), return_when=asyncio.FIRST_COMPLETED)
    finally:
        halt.cancel()
        task.cancel()  # does nothing to a task that is done
        await asyncio.wait((task, halt))
    return None if task.cancelled() else task.result()
