"""Caution: how many placements of one trunk may await the carrier's answer at once, in one process.

One, until the trunk has answered; each success allows one more, so that they double with every round of answers; each failure
halves them, and silence makes us forget. So a carrier that is dead is found out by a few calls and not by as many as there
are slots, and one that comes back is not met by all of them at once. Whoever has to wait for long is turned away.
"""

from __future__ import annotations

import asyncio
from collections import deque

from scheduler.clock import Clock

FORGET_SECONDS = 30.0
"""Without a success for so long nothing is known of a trunk."""

MOST = 10_000

PATIENCE_SECONDS = 2.0
"""How long a placement waits; then its claim is too old anyway."""


class Caution:
    """`enter` before a placement, `leave` after it, always. `first` placements may go out before the trunk has answered."""

    def __init__(self, clock: Clock, first: int = 1) -> None:
        self._clock = clock
        self._first = first
        self._width = first
        self._inside = 0
        self._answered_at = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> bool:
        """Whether the placement may go on; False after `PATIENCE_SECONDS`, and then it is not to `leave`."""
        if self._clock.monotonic() - self._answered_at > FORGET_SECONDS:
            self._width = self._first
        if self._inside < self._width:
            self._inside += 1
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await turn
        except BaseException as fault:
            if turn.done() and not turn.cancelled():
                self.leave(None)  # its turn came, and it cannot take it
            if isinstance(fault, TimeoutError):
                return False
            raise
        return True

    def leave(self, well: bool | None) -> None:
        """`well`: whether the carrier answered as a healthy one does; None = it was not asked, or that says nothing."""
        self._inside -= 1
        if well:
            self._width = min(self._width + 1, MOST)
            self._answered_at = self._clock.monotonic()
        elif well is False:
            self._width = max(self._width // 2, 1)
        while self._waiting and self._inside < self._width:
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)
