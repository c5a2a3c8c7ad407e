"""Gaps: moments in which something that a carrier told may have been missed, so that its live calls have to be asked about.

Nobody listens while the API is away, a callback that could not be written was refused, a socket was cut: the carrier may tell it
again, late, or never. A gap is noted in the ledger, and the workers' look-ups, which are paced, ask about what was live then. A
trunk that has no gap costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from dialer.store import attempts
from dialer.store.database import Pool
from scheduler.clock import Clock

REST_SECONDS = 1.0
"""After a gap was noted, or could not be."""

log = logging.getLogger(__name__)


class Gaps:
    """`run` has to be running."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._trunks: set[str] = set()
        self._some = asyncio.Event()

    def suspect(self, trunks: Iterable[str]) -> None:
        """What these trunks told until now may have been missed. Noted soon; again and again until the ledger can be written."""
        self._trunks |= set(trunks)
        self._some.set()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            trunks, self._trunks = self._trunks, set()
            try:
                await attempts.gap(self._pool, trunks)
            except Exception as fault:
                log.warning("a gap of %s is not noted yet: %s", ", ".join(sorted(trunks)), type(fault).__name__)
                self.suspect(trunks)
            await self._clock.sleep(REST_SECONDS)
