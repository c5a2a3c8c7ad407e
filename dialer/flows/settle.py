"""Settle: the one way in which an attempt moves on after it was released.

Reads how attempts stand, lets the caller decide purely, writes the turns in one statement for all, decides again where a race
was lost, and then rings: freed slots wake the scheduler within milliseconds, campaigns that have come to an end are rested.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from dialer.domain.attempt import Turn
from dialer.domain.campaign import CampaignRules
from dialer.domain.machine import AttemptState
from dialer.flows.gather import Gather
from dialer.flows.release import RulesReader
from dialer.flows.ring import Ringer
from dialer.store import attempts, claims
from dialer.store.attempts import Stand, Turned
from dialer.store.database import Pool
from dialer.telemetry import metrics
from scheduler.clock import Clock

ROUNDS = 5
"""How often a lost race or a locked scope is tried again before the sweep has to find it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt as it stands, with its campaign's rules (None = unreadable) and the zones of its number."""

    stand: Stand
    rules: CampaignRules | None
    zones: tuple[str, ...]
    now: datetime


Decide: TypeAlias = Callable[[Case], Turn | None]


@dataclass(frozen=True, slots=True)
class _Wish:
    attempt: str
    decide: Decide


class Settler:
    """`run` has to be running."""

    def __init__(self, pool: Pool, ringer: Ringer, rules: RulesReader, clock: Clock) -> None:
        self._pool = pool
        self._ringer = ringer
        self._rules = rules
        self._clock = clock
        self._gather: Gather[_Wish, bool] = Gather(self._flush)

    async def run(self) -> None:
        await self._gather.run()

    async def settle(self, attempt: str, decide: Decide) -> bool:
        """Move `attempt` by what `decide` makes of how it stands. False when it could not be written in `ROUNDS` rounds (the
        sweep will find it); True when it was, or when there is nothing to write."""
        return await self._gather(_Wish(attempt, decide))

    async def settle_all(self, ids: Iterable[str], decide: Decide) -> None:
        """The same for many at once."""
        await asyncio.gather(*(self.settle(attempt, decide) for attempt in ids))

    async def _flush(self, wishes: Sequence[_Wish]) -> list[bool]:
        open_ = list(enumerate(wishes))
        settled = [False] * len(wishes)
        turned: list[Turned] = []
        rounds = 0
        while open_ and rounds < ROUNDS:
            first: dict[str, tuple[int, _Wish]] = {}
            later = []
            for index, wish in open_:
                if wish.attempt in first:
                    later.append((index, wish))
                else:
                    first[wish.attempt] = (index, wish)
            done, won = await self._round(list(first.values()))
            turned += won
            for index in done:
                settled[index] = True
            lost = [entry for entry in first.values() if entry[0] not in done]
            rounds += 1 if lost else 0
            open_ = sorted(lost + later, key=lambda entry: entry[0])
        if open_:
            log.warning("%d turns not written after %d rounds; the sweep takes them up", len(open_), ROUNDS)
        await self._after(turned)
        return settled

    async def _round(self, wishes: Sequence[tuple[int, _Wish]]) -> tuple[set[int], list[Turned]]:
        now = self._clock.now()
        stands = await attempts.standing(self._pool, [wish.attempt for _, wish in wishes], now)
        rules = await self._rules.rules({s.standing.campaign: s.campaign_version for s in stands.values()})
        zones = await self._rules.zones({s.place_set for s in stands.values()})
        turns: dict[int, Turn] = {}
        for index, wish in wishes:
            stand = stands.get(wish.attempt)
            turn = None
            if stand is not None:
                turn = wish.decide(Case(stand, rules.get(stand.standing.campaign), zones[stand.place_set], now))
            if turn is not None:
                turns[index] = turn
        if not turns:
            return {index for index, _ in wishes}, []
        won = await attempts.turn(self._pool, list(turns.values()), now)
        ids = {each.attempt for each in won}
        for turn in turns.values():
            if turn.attempt in ids and turn.progress.ended_at is not None and turn.expected is not turn.progress.state:
                ended = turn.progress.outcome if turn.progress.state is AttemptState.ENDED else turn.progress.state
                metrics.ATTEMPTS.labels(ended).inc()
        return {index for index, wish in wishes if index not in turns or wish.attempt in ids}, won

    async def _after(self, turned: Sequence[Turned]) -> None:
        freed = [each for each in turned if each.freed]
        if not freed:
            return
        campaigns = {each.campaign for each in freed}
        await self._ringer.wake({f"campaign:{id}" for id in campaigns} | {key for each in freed for key in each.bells})
        for campaign, status in (await claims.rest(self._pool, campaigns, self._clock.now())).items():
            log.info("campaign %s is %s", campaign, status)
