"""Follow: what a carrier tells is written down and made into turns.

Order and repetition do not matter: an event is one row however often it comes, and folding it again changes nothing. Should
only the events have been written (a locked scope, a process that died), the sweep makes of them what they mean (`refollow`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from adapters.events import CallEvent
from dialer.domain.attempt import Turn, fold
from dialer.domain.conclude import conclude
from dialer.flows.breakers import Breakers
from dialer.flows.settle import Case, Decide, Settler
from dialer.store import attempts
from dialer.store.database import Pool
from dialer.telemetry import metrics


class Follower:
    def __init__(self, pool: Pool, settler: Settler, breakers: Breakers) -> None:
        self._pool = pool
        self._settler = settler
        self._breakers = breakers

    async def follow(self, trunk: str, events: Sequence[CallEvent]) -> None:
        """Returns when the events are committed, and what they mean with them or left to the sweep."""
        for event in events:
            metrics.EVENTS.labels(event.phase).inc()
        told = _by_attempt(await self._named(trunk, events))
        await asyncio.gather(
            *(self._settler.settle(attempt, self._made_of(group, trunk), trunk, group) for attempt, group in told.items())
        )
        await self._breakers.report(trunk)

    async def refollow(self, ids: Sequence[str]) -> None:
        """Make of these attempts what is already written about them."""
        told = _by_attempt(await attempts.events_of(self._pool, ids) if ids else ())
        await asyncio.gather(*(self._settler.settle(attempt, self._made_of(group)) for attempt, group in told.items()))
        await self._breakers.report()

    async def _named(self, trunk: str, events: Sequence[CallEvent]) -> list[CallEvent]:
        """Those of calls of ours: a carrier that does not say whose call it was is understood by its own id for it, while the
        call is live. A call that is none of ours, or whose id is not written yet, is left to look-ups."""
        refs = {event.ref for event in events if event.ref and not event.attempt}
        owners = await attempts.of_refs(self._pool, trunk, refs) if refs else {}
        named = (event if event.attempt else replace(event, attempt=owners.get(event.ref or "", "")) for event in events)
        return [event for event in named if event.attempt]

    def _made_of(self, events: Sequence[CallEvent], trunk: str | None = None) -> Decide:
        def decide(case: Case) -> Turn | None:
            standing = case.stand.standing
            if trunk is not None and standing.trunk != trunk:
                return None  # another trunk has nothing to say about this call
            became = self._breakers.believe(standing, fold(standing.progress, events), case.now)
            return conclude(standing, became, case.rules, case.now, case.rng)

        return decide


def _by_attempt(events: Iterable[CallEvent]) -> dict[str, list[CallEvent]]:
    groups: dict[str, list[CallEvent]] = {}
    for event in events:
        groups.setdefault(event.attempt, []).append(event)
    return groups
