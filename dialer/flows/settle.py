"""Settle: the one way in which an attempt moves on after it was released.

Reads how attempts stand, lets the caller decide purely, writes what was told and the turns in one statement for all, decides
again where a race was lost, and then rings: freed slots wake the scheduler within milliseconds, campaigns that have come to an
end are rested. What a carrier told is kept even where nothing could be made of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import TypeAlias

from adapters.events import CallEvent
from adapters.failpoints import failpoint
from dialer.domain.attempt import Turn
from dialer.domain.campaign import CampaignRules
from dialer.domain.conclude import in_time
from dialer.domain.machine import AttemptState, ContactStatus
from dialer.flows.gather import Gather
from dialer.flows.release import RulesReader
from dialer.flows.ring import Ringer
from dialer.store import attempts, claims
from dialer.store.attempts import Stand, Turned
from dialer.store.database import Pool
from dialer.telemetry import metrics
from scheduler.clock import Clock
from scheduler.places import Place

ROUNDS = 2
"""How often a turn is tried, because of a lost race or a locked scope, before the sweep has to find it: others wait meanwhile."""

REST_SECONDS = 0.1
"""How long after a call's end it is looked whether it was its campaign's last."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt as it stands, with its campaign's rules (None = unreadable) and where its number may ring; `rng` is chance."""

    stand: Stand
    rules: CampaignRules | None
    place: Place
    now: datetime
    rng: Random


def expires_at(case: Case) -> datetime | None:
    """From when on the contact is not called any more."""
    return None if case.rules is None else case.rules.expires(case.stand.enrolled_at)


Decide: TypeAlias = Callable[[Case], Turn | None]


REMEMBERED = 5000
"""Attempts whose standing is kept between two events."""


@dataclass(frozen=True, slots=True)
class _Wish:
    attempt: str
    decide: Decide
    forward: bool
    trunk: str
    told: tuple[CallEvent, ...]


class Settler:
    """`run` and `run_rest` have to be running."""

    def __init__(self, pool: Pool, ringer: Ringer, rules: RulesReader, clock: Clock, rng: Random) -> None:
        self._pool = pool
        self._ringer = ringer
        self._rules = rules
        self._clock = clock
        self._rng = rng
        self._gather: Gather[_Wish, bool] = Gather(self._flush)
        self._known: dict[str, Stand] = {}
        self._ended: set[str] = set()
        self._some_ended = asyncio.Event()

    async def run(self) -> None:
        await self._gather.run()

    async def run_rest(self) -> None:
        """Rest the campaigns in which a call has ended, if it was the last one; beside the flushes, which nobody waits for longer
        than for the bell. What is missed while the database is away, the recount finds."""
        while True:
            await self._some_ended.wait()
            await self._clock.sleep(REST_SECONDS)  # most endings are not the last, and one look serves many
            self._some_ended.clear()
            campaigns, self._ended = self._ended, set()
            try:
                rested = await claims.rest(self._pool, campaigns, self._clock.now())
            except Exception:
                log.exception("%d campaigns could not be looked at; the recount does it", len(campaigns))
                continue
            for campaign, status in rested.items():
                log.info("campaign %s is %s", campaign, status)

    async def settle(self, attempt: str, decide: Decide, trunk: str = "", told: Sequence[CallEvent] = ()) -> bool:
        """Move `attempt` by what `decide` makes of how it stands, and keep what `trunk` told. Returns when both are committed:
        False when the turn could not be written in `ROUNDS` rounds (the sweep will find it); True when it was, or when there was
        nothing to write.

        With `told`, `decide` has to be one that only moves forward (`fold`): it may first see how the attempt stood when this
        process last wrote it. What comes of that is guarded like any turn, and a retry is never decided on it.
        """
        return await self._gather(_Wish(attempt, decide, bool(told), trunk, tuple(told)))

    async def settle_all(self, ids: Iterable[str], decide: Decide) -> None:
        """The same for many at once."""
        await asyncio.gather(*(self.settle(attempt, decide) for attempt in ids))

    async def _flush(self, wishes: Sequence[_Wish]) -> list[bool]:
        told = [(wish.trunk, event) for wish in wishes for event in wish.told]
        left = dict(enumerate(wishes))
        turned: list[Turned] = []
        lost = 0
        while left and lost < ROUNDS:
            first: dict[str, int] = {}
            for index, wish in left.items():
                first.setdefault(wish.attempt, index)  # a second wish for the same attempt sees what the first one made of it
            done, won = await self._round({index: left[index] for index in first.values()}, told)
            told = []
            turned += won
            lost += len(done) < len(first)
            left = {index: wish for index, wish in left.items() if index not in done}
        if left:
            log.warning("%d turns not written in %d rounds; the sweep takes them up", len(left), ROUNDS)
        await self._after(turned)
        return [index not in left for index in range(len(wishes))]

    async def _round(self, wishes: Mapping[int, _Wish], told: Sequence[tuple[str, CallEvent]]) -> tuple[set[int], list[Turned]]:
        """Decide and write once: the wishes that are done, and what was written."""
        now = self._clock.now()
        try:
            turns = await self._decide(wishes, now)
        except Exception:  # not when cancelled: a write that failed then would take the place of the cancellation
            if told:
                await attempts.turn(self._pool, [], told, now)
            raise
        won = await attempts.turn(self._pool, list(turns.values()), told, now) if turns or told else []
        ids = {each.attempt for each in won}
        for turn in turns.values():
            self._remember(turn, turn.attempt in ids)
            if turn.attempt in ids and turn.progress.ended_at is not None and turn.expected is not turn.progress.state:
                ended = turn.progress.outcome if turn.progress.state is AttemptState.ENDED else turn.progress.state
                metrics.ATTEMPTS.labels(ended).inc()
        return {index for index, wish in wishes.items() if index not in turns or wish.attempt in ids}, won

    async def _decide(self, wishes: Mapping[int, _Wish], now: datetime) -> dict[int, Turn]:
        """By what is known of the attempts where that will do, else by what the ledger says now."""
        known = {
            wish.attempt: self._known[wish.attempt] for wish in wishes.values() if wish.forward and wish.attempt in self._known
        }
        turns = await self._decide_on({i: wish for i, wish in wishes.items() if wish.attempt in known}, known, now)
        unsure = {i for i, turn in turns.items() if turn.enrolment in (ContactStatus.PENDING, ContactStatus.SKIPPED)}
        rest = {i: wish for i, wish in wishes.items() if wish.attempt not in known or i in unsure}
        if rest:
            stands = await attempts.standing(self._pool, [wish.attempt for wish in rest.values()], now)
            self._known |= {
                wish.attempt: stands[wish.attempt] for wish in rest.values() if wish.forward and wish.attempt in stands
            }
            turns = {i: turn for i, turn in turns.items() if i not in unsure} | await self._decide_on(rest, stands, now)
        return turns

    async def _decide_on(self, wishes: Mapping[int, _Wish], stands: Mapping[str, Stand], now: datetime) -> dict[int, Turn]:
        rules = await self._rules.rules({s.standing.campaign: s.campaign_version for s in stands.values()})
        places = await self._rules.places({s.place_set for s in stands.values()})
        turns = {}
        for index, wish in wishes.items():
            stand = stands.get(wish.attempt)
            if stand is None:
                continue
            try:
                case = Case(stand, rules.get(stand.standing.campaign), places[stand.place_set], now, self._rng)
                turn = wish.decide(case)
            except Exception:  # one attempt that cannot be decided must not hold up the others in the batch
                log.exception("attempt %s: nothing could be decided; the sweep asks again", wish.attempt)
                continue
            if turn is not None:
                turns[index] = turn = in_time(turn, expires_at(case))
                if turn.next_at is not None:
                    failpoint("K8")
        return turns

    def _remember(self, turn: Turn, written: bool) -> None:
        """How the attempt stands after a turn of ours; nothing, after one that was lost."""
        stand = self._known.pop(turn.attempt, None)
        if stand is None or not written:
            return
        was = stand.standing
        now = replace(was, progress=turn.progress, enrolment=turn.enrolment or was.enrolment)
        self._known[turn.attempt] = replace(stand, standing=now)
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    async def _after(self, turned: Sequence[Turned]) -> None:
        freed = [each for each in turned if each.freed]
        if not freed:
            return
        campaigns = {each.campaign for each in freed}
        await self._ringer.wake({f"campaign:{id}" for id in campaigns} | {key for each in freed for key in each.bells})
        self._ended |= campaigns
        self._some_ended.set()
