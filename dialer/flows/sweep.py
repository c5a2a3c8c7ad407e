"""Sweep: the safety net under everything that is said only once. Reads the ledger, asks nobody outside.

Recalls what was claimed and not placed, makes endings of what is written but was not followed, takes out who opted out in a
call, starts campaigns whose hour has come and pauses those whose end has come, brings back whom a trunk's storm took, answers
who asked in a call to be called back, gives up callbacks whose time is over, lets contacts expire, rests campaigns that are
done and caller IDs that are blocked, cancels direct calls that were not made, forgets old receipts, works out where second
numbers ring of which nobody knows it, and recounts.
"""

from __future__ import annotations

import logging

from dialer.flows.callbacks import Callbacks
from dialer.flows.follow import Follower
from dialer.flows.opt_outs import OptOuts
from dialer.flows.recall import put_back, refuse
from dialer.flows.reputation import judge_numbers
from dialer.flows.ring import Ringer
from dialer.flows.second_numbers import place_second_numbers
from dialer.flows.settle import Settler
from dialer.flows.storms import Storms
from dialer.store import attempts, claims, direct, receipts, recount
from dialer.store.database import Database
from dialer.telemetry import metrics
from scheduler.clock import Clock

AT_ONCE = 50
"""Campaigns whose tallies are recounted in one statement."""

log = logging.getLogger(__name__)


class Sweeper:
    def __init__(self, database: Database, settler: Settler, follower: Follower, ringer: Ringer, clock: Clock) -> None:
        self._pool = pool = database.pool
        self._settler = settler
        self._follower = follower
        self._ringer = ringer
        self._clock = clock
        self._callbacks = Callbacks(pool, ringer)
        self._opt_outs = OptOuts(database, ringer, clock)
        self._storms = Storms(pool, ringer)

    async def sweep(self) -> None:
        """Once every few seconds."""
        if stale := await attempts.stale(self._pool):
            self._ringer.doubt()
            await self._settler.settle_all(stale, refuse if self._clock.sure else put_back)
        await self._follower.refollow(await attempts.unheard(self._pool))
        await self._opt_outs.withdraw()
        if self._clock.sure:
            await self._by_the_hour()
        live, unknown, _ = await attempts.vitals(self._pool, self._clock.now())
        metrics.LIVE_ATTEMPTS.set(live)
        metrics.UNKNOWN_ATTEMPTS.set(unknown)

    async def _by_the_hour(self) -> None:
        if ended := await claims.end(self._pool, self._clock.now()):
            log.info("paused at their end: %s", ", ".join(ended))
            await self._ringer.wake(f"campaign:{id}" for id in ended)
        await self._storms.clear_up(self._clock.now())
        await self._callbacks.answer(self._clock.now())
        if missed := await self._callbacks.miss(self._clock.now()):
            log.info("callbacks missed: %s", ", ".join(f"{n} of {campaign}" for campaign, n in missed.items()))
            await claims.rest(self._pool, missed, self._clock.now())
        if expired := await claims.expire(self._pool, self._clock.now()):
            log.info("expired: %s", ", ".join(f"{n} of {campaign}" for campaign, n in sorted(expired.items())))
            await claims.rest(self._pool, expired, self._clock.now())
        started = await claims.start_scheduled(self._pool, self._clock.now())
        if started:
            log.info("started as scheduled: %s", ", ".join(started))
            await self._ringer.wake(f"campaign:{id}" for id in started)
        await judge_numbers(self._pool, self._clock)
        if given_up := await direct.give_up(self._pool, self._clock.now()):
            log.info("direct calls that could not be made: %d", len(given_up))

    async def recount(self) -> int:
        """Once a minute: every count against what it counts. Returns how many disagreed, each of which is a defect."""
        active = await recount.active_campaigns(self._pool)
        await claims.rest(self._pool, [id for id, status in active.items() if status == "running"], self._clock.now())
        await receipts.sweep(self._pool)
        if placed := await place_second_numbers(self._pool):
            log.info("the places of %d second numbers were worked out", placed)
        ids = list(active)
        wrong = await recount.scopes(self._pool)
        if wrong:
            await recount.mend_scopes(self._pool, [each.what for each in wrong])
        for start in range(0, len(ids), AT_ONCE):
            wrong += await recount.tallies(self._pool, ids[start : start + AT_ONCE])
        for each in wrong:
            log.error("recount disagrees: %s is kept as %d, counted %d", each.what, each.counted, each.found)
        metrics.RECOUNT_DISAGREEMENTS.inc(len(wrong))
        return len(wrong)
