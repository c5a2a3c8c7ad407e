"""Time as an argument: what "now" is and how to wait.

Owns the only `datetime.now` and `asyncio.sleep` of the scheduler. `monotonic` is for durations, `now` for instants; those of
`SystemClock` drift apart when the machine's clock is set, those of `SteadyClock` do not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

TOLERANCE = timedelta(seconds=60)
"""How far two clocks may be apart and still say the same hour."""

HOLD_SECONDS = 15.0
"""After the hour was moved by more than `JUMP` nobody is called for so long: others have not moved theirs yet."""

JUMP = timedelta(seconds=1)


class Clock(Protocol):
    """What time it is, for those who decide by it."""

    def now(self) -> datetime:
        """The instant, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    @property
    def sure(self) -> bool:
        """Whether `now` is good enough to call people by."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once, but not before others had a turn, when that is 0 or less."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    @property
    def sure(self) -> bool:
        return True

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))


class SteadyClock:
    """The hour that two clocks agree on, `wall` and another that `compare` is told of, carried on by the monotonic clock.

    Where they agree, the other's word counts, so that all who compare with it have one hour. Who sets `wall` while we run moves
    nothing. While the other one is away from our hour nobody can tell which is wrong, and `sure` is False. Before the first
    comparison the hour is that of `wall`; if that one fails, the later of the two, so that nobody is called again too soon.
    """

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._hour, self._at = wall.now(), wall.monotonic()
        self._moved = -HOLD_SECONDS
        self._agreed: bool | None = None
        self._confirmed = False
        self.offset = timedelta()
        """By how much `wall` was ahead of the other clock at the last comparison."""

    def now(self) -> datetime:
        return self._hour + timedelta(seconds=self._wall.monotonic() - self._at)

    def monotonic(self) -> float:
        return self._wall.monotonic()

    @property
    def sure(self) -> bool:
        return self._agreed is not False and self._wall.monotonic() - self._moved >= HOLD_SECONDS

    async def sleep(self, seconds: float) -> None:
        await self._wall.sleep(seconds)

    def compare(self, other: datetime, seconds: float) -> None:
        """The other clock said `other` at some moment of the last `seconds`."""
        latest = other + timedelta(seconds=seconds)
        self.offset = _beyond(self._wall.now(), other, latest)
        first = self._agreed is None
        if abs(self.offset) <= TOLERANCE:
            was, self._agreed, self._confirmed = self._confirmed, True, True
            self._move(_beyond(self.now(), other, latest), hold=was)
            return
        self._agreed = self._confirmed and abs(_beyond(self.now(), other, latest)) <= TOLERANCE
        if first:
            self._move(min(self.now() - latest, timedelta()), hold=False)

    def _move(self, ahead: timedelta, *, hold: bool) -> None:
        """Take back what our hour is `ahead`."""
        moment = self._wall.monotonic()
        self._hour, self._at = self.now() - ahead, moment
        if hold and abs(ahead) > JUMP:
            self._moved = moment


def _beyond(instant: datetime, earliest: datetime, latest: datetime) -> timedelta:
    """How far `instant` is from the stretch, 0 within it."""
    return instant - min(max(instant, earliest), latest)


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
