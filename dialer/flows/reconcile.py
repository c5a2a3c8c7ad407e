"""Reconcile: attempts that have been silent for too long are looked up at the carrier, and only what it knows settles them.

Also here, because they start with the same question: a phone that rings longer than the ring timeout or past the window's end,
and a call longer than the campaign allows, are hung up by us; and the result of a call whose end was learnt by asking is asked
for. Needs no ownership: anyone may ask about any attempt.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters.base import Absent, Live, Over, Sighting, TelephonyAdapter, Unsure
from adapters.errors import AdapterError
from adapters.events import Outcome
from adapters.failpoints import failpoint
from dialer.domain.attempt import Progress, Turn
from dialer.domain.conclude import conclude, recall
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.machine import UNFINISHED_PLACING, AttemptState
from dialer.flows.follow import Follower
from dialer.flows.place import Trunk
from dialer.flows.results import Results, lacking
from dialer.flows.settle import Case, Settler
from dialer.store import attempts
from dialer.store.attempts import Silent
from dialer.store.database import Pool
from scheduler.clock import Clock

AT_ONCE = 20
MOST = 200
EVERY_SECONDS = 5.0
GIVE_UP = timedelta(minutes=10)
"""An attempt that the carrier cannot tell anything about for so long, after its call must be over, ends as unknown; it is never
dialled again by itself."""
GIVE_UP_UNREACHED = timedelta(hours=2)
"""The same while the carrier cannot even be reached: then it is not that it does not know."""
CLOCKS = timedelta(seconds=60)
"""How far the carrier's clock may be behind ours without a look-up missing a call."""

log = logging.getLogger(__name__)


class Reconciler:
    def __init__(self, pool: Pool, settler: Settler, follower: Follower, trunks: Mapping[str, Trunk], clock: Clock) -> None:
        self._pool = pool
        self._settler = settler
        self._follower = follower
        self._trunks = trunks
        self._clock = clock
        self._results = Results(clock)

    async def sweep(self) -> int:
        """Ask about everything that is overdue now; returns about how many. Nothing is overdue by an hour that is not certain."""
        if not self._clock.sure:
            return 0
        silence = {
            name: FENCE_SECONDS + trunk.adapter.capabilities.place_timeout + trunk.adapter.capabilities.settle
            for name, trunk in self._trunks.items()
        }
        overdue = await attempts.overdue(self._pool, silence, self._clock.now(), most=MOST, every=EVERY_SECONDS)
        owed = self._results.due(MOST)
        places = asyncio.Semaphore(AT_ONCE)

        async def one(work: Coroutine[Any, Any, None]) -> None:
            async with places:
                await work

        async with asyncio.TaskGroup() as group:
            for silent in overdue:
                group.create_task(one(self._ask(silent, self._trunks[silent.trunk].adapter)))
            for call in owed:
                group.create_task(one(self._fetch(call, self._trunks[call.trunk].adapter)))
        return len(overdue) + len(owed)

    async def _ask(self, silent: Silent, adapter: TelephonyAdapter) -> None:
        sighting = await adapter.find(silent.attempt, silent.to_number, silent.ref, silent.placing_at - CLOCKS)
        log.info("attempt %s was silent in %s; the carrier says %s", silent.attempt, silent.state, type(sighting).__name__)
        failpoint("K10")
        if isinstance(sighting, Over):
            await self._follower.follow(silent.trunk, sighting.events)
            if "result" in adapter.capabilities.can:
                self._results.expect(silent, sighting)
            return
        patience = GIVE_UP
        if isinstance(sighting, Unsure) and self._clock.now() >= silent.placing_at + GIVE_UP and not (await adapter.health()).ok:
            patience = GIVE_UP_UNREACHED
        await self._settler.settle(silent.attempt, lambda case: settle_sighting(case, silent, sighting, patience))
        if isinstance(sighting, Live) and _must_end(silent, sighting, self._clock.now()):
            try:
                await adapter.hang_up(silent.attempt, sighting.ref)
            except AdapterError as fault:
                log.warning("attempt %s could not be hung up: %s", silent.attempt, fault)

    async def _fetch(self, call: Silent, adapter: TelephonyAdapter) -> None:
        """Ask for the result of a call that is over."""
        sighting = await adapter.find(call.attempt, call.to_number, call.ref, call.placing_at - CLOCKS)
        if isinstance(sighting, Over) and not lacking(sighting.events):
            await self._follower.follow(call.trunk, sighting.events)
            self._results.came(call.attempt)


def _must_end(silent: Silent, live: Live, now: datetime) -> bool:
    if live.answered:
        since = silent.answered_at or now
        return now >= since + timedelta(seconds=silent.limit_seconds)
    rings_since = silent.ringing_at or silent.placing_at
    return now >= silent.not_after or now >= rings_since + timedelta(seconds=silent.ring_seconds)


def settle_sighting(case: Case, silent: Silent, sighting: Sighting, patience: timedelta) -> Turn | None:
    """What a look-up makes of an attempt; None when it has moved on since, or nothing new is known."""
    standing, now = case.stand.standing, case.now
    was = standing.progress
    if was.ended_at is not None or was.state is not silent.state:
        return None
    match sighting:
        case Live(ref, answered):
            became = _seen(was, ref, answered, now)
        case Absent() if was.state in UNFINISHED_PLACING and was.ref is None:
            return recall(standing, "absent", now, now)
        case Unsure() if now < _longest(silent) + patience:
            unclear = was.state is AttemptState.PLACING and was.ref is None
            became = replace(was, state=AttemptState.UNKNOWN) if unclear else was
        case _:  # the carrier took it once and knows nothing of it any more, or will never tell
            became = replace(was, state=AttemptState.ENDED, outcome=Outcome.UNKNOWN, ended_at=now)
    return conclude(standing, became, case.rules, now, case.rng)


def _longest(silent: Silent) -> datetime:
    """Until when the call may last, by what is known of it: a slot is not taken from a call that may be up."""
    if silent.answered_at is not None:
        return silent.answered_at + timedelta(seconds=silent.limit_seconds)
    if silent.ref is not None or silent.state not in UNFINISHED_PLACING:
        return (silent.ringing_at or silent.placing_at) + timedelta(seconds=silent.ring_seconds)
    return silent.placing_at


def _seen(was: Progress, ref: str, answered: bool, now: datetime) -> Progress:
    if answered and was.state is not AttemptState.ANSWERED:
        return replace(was, state=AttemptState.ANSWERED, answered_at=now, ref=ref)
    if was.state in UNFINISHED_PLACING:
        return replace(was, state=AttemptState.RINGING, ringing_at=now, ref=ref)
    return was
