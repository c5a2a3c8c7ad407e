"""Follow: what a carrier tells is written down first, then made into turns.

Order and repetition do not matter: an event is one row however often it comes, and folding it again changes nothing. If the
process dies in between, the sweep folds what is written (`refollow`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adapters.events import CallEvent
from dialer.domain.attempt import Turn, fold
from dialer.domain.conclude import conclude
from dialer.flows.gather import Gather
from dialer.flows.settle import Case, Settler
from dialer.store import attempts
from dialer.store.database import Pool
from dialer.telemetry import metrics


class Follower:
    """`run` has to be running."""

    def __init__(self, pool: Pool, settler: Settler) -> None:
        self._pool = pool
        self._settler = settler
        self._gather: Gather[tuple[str, tuple[CallEvent, ...]], None] = Gather(self._note)

    async def run(self) -> None:
        await self._gather.run()

    async def follow(self, trunk: str, events: Sequence[CallEvent]) -> None:
        """Returns when the events are committed and what they mean is written, or left to the sweep."""
        told: dict[str, list[CallEvent]] = {}
        for event in events:
            if event.attempt:
                told.setdefault(event.attempt, []).append(event)
                metrics.EVENTS.labels(event.phase).inc()
        await self._gather((trunk, tuple(event for group in told.values() for event in group)))
        await asyncio.gather(*(self._settle(trunk, attempt, group) for attempt, group in told.items()))

    async def refollow(self, attempts_: Sequence[str]) -> None:
        """Make of these attempts what is already written about them."""
        told: dict[str, list[CallEvent]] = {attempt: [] for attempt in attempts_}
        for event in await attempts.events_of(self._pool, attempts_):
            told[event.attempt].append(event)
        await asyncio.gather(*(self._settle(None, attempt, group) for attempt, group in told.items()))

    async def _settle(self, trunk: str | None, attempt: str, events: Sequence[CallEvent]) -> None:
        def decide(case: Case) -> Turn | None:
            standing = case.stand.standing
            if trunk is not None and standing.trunk != trunk:
                return None  # another trunk has nothing to say about this call
            return conclude(standing, fold(standing.progress, events), case.rules, case.now)

        await self._settler.settle(attempt, decide)

    async def _note(self, told: Sequence[tuple[str, tuple[CallEvent, ...]]]) -> list[None]:
        for trunk in {trunk for trunk, _ in told}:
            await attempts.note(self._pool, trunk, [event for of, events in told if of == trunk for event in events])
        return [None] * len(told)
