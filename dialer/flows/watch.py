"""Watch: is somebody due, and nobody dials? The one figure that says that the whole of it does not work, whatever the reason.

Asks by the reading and the planner of a release who would be released now, and the ledger when that campaign's newest call was
placed. A campaign that goes on is placed all the time; one of which every look finds somebody due, in an open window, with a free
slot, a trunk that is well, and no newer call, stands still. Costs one reading of what is due, and a look-up per such campaign.
"""

from __future__ import annotations

from datetime import datetime

from dialer.flows.release import LedgerBook
from dialer.store import attempts
from dialer.store.database import Pool
from dialer.telemetry import metrics
from scheduler.clock import Clock
from scheduler.planner import plan

EVERY_SECONDS = 15.0


class Watch:
    """`book` is its own: it remembers what its last snapshot saw."""

    def __init__(self, pool: Pool, book: LedgerBook, clock: Clock) -> None:
        self._pool = pool
        self._book = book
        self._clock = clock
        self._since: dict[str, datetime] = {}

    async def look(self) -> float:
        """Seconds for which the campaign that waits longest has been seen so."""
        now = self._clock.now()
        waiting = [release.campaign for release in plan(await self._book.snapshot(None)).releases]
        placed = await attempts.newest_placed(self._pool, waiting) if waiting else {}
        self._since = {id: max(self._since.get(id, now), placed.get(id, self._since.get(id, now))) for id in waiting}
        oldest = max(((now - since).total_seconds() for since in self._since.values()), default=0.0)
        metrics.OLDEST_DUE_SECONDS.set(max(oldest, 0.0))
        return oldest
