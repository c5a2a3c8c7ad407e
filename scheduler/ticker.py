"""The loop that turns time and doorbells into rounds: read the book, plan, release.

Owns the order of things in one scheduler process. Promises: a bell is answered by a round over what rang, everything is
looked at in every `tick_seconds`, rounds never overlap, a failed round is reported and delays the next but never ends the
loop, a stop lets the round at work finish and cuts every wait short. Correctness does not rest on it: several may run, none
needs to be the leader, and a bell lost on the way (also one taken just when the stop came) costs one tick.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from scheduler.clock import Clock, unless_stopped
from scheduler.pacing import RecentReleases
from scheduler.planner import Plan, Snapshot, plan

FIRST_REST, LONGEST_REST = 0.1, 5.0  # seconds after a failed round, doubling
FIRST_LOOK, LONGEST_LOOK = 0.002, 0.25  # seconds before locked keys are tried again: writers hold them for milliseconds


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of a plan. `locked`: the keys of campaigns that were locked, to be looked at again. `shown`: campaign → number →
    how often it was shown, where contacts may be tied to numbers; elsewhere it is as planned."""

    locked: frozenset[str] = frozenset()
    shown: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Book(Protocol):
    """The ledger as the loop needs it. Keys are scope keys: "campaign:…", "number:…", "team:…", "trunk:…", "assistant:…"."""

    async def snapshot(self, dirty: frozenset[str] | None) -> Snapshot:
        """The running campaigns with due work that use any key of `dirty`; None = all that can have work."""

    async def release(self, plan: Plan) -> Carried:
        """Carry out `plan` as far as the ledger still allows."""


class Wake(Protocol):
    """The doorbell."""

    async def wait(self, timeout: float) -> frozenset[str]:
        """The scope keys that rang, all at once, as soon as there are any; empty after `timeout` seconds (> 0)."""


class Ticker:
    """One scheduler. `rates`: scope key of each trunk that has one → calls per second; `limit`: most releases a round. `took` is
    told the seconds of every round."""

    def __init__(
        self,
        book: Book,
        wake: Wake,
        clock: Clock,
        tick_seconds: float,
        report: Callable[[Exception], None],
        rates: Mapping[str, float] | None = None,
        limit: int = 2000,
        took: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._book = book
        self._wake = wake
        self._clock = clock
        self._tick = tick_seconds
        self._report = report
        self._limit = limit
        self._took = took
        self._recent = RecentReleases(rates)
        self._due = clock.monotonic()  # when everything is to be looked at again
        self._locked: frozenset[str] = frozenset()
        self._look = FIRST_LOOK
        self._reopens: dict[str, float] = {}  # scope key → when it has room again
        self._scarce: frozenset[str] = frozenset()  # rates of which a round took all there was: others may wait for them

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until `stop` is set. Raises nothing but cancellation."""
        rung: frozenset[str] | None = None
        failures = 0
        while not stop.is_set():
            try:
                if rung is None or rung:
                    began = self._clock.monotonic()
                    await self._round(rung)
                    self._took(self._clock.monotonic() - began)
                rung = await unless_stopped(stop, self._next())
                failures = 0
            except Exception as fault:
                self._report(fault)
                rest = min(FIRST_REST * 2 ** min(failures, 10), LONGEST_REST)
                failures += 1
                await unless_stopped(stop, self._clock.sleep(rest))
                rung = None  # what rang may be lost with the round

    async def _round(self, rung: frozenset[str] | None) -> None:
        if rung is None:
            self._due = self._clock.monotonic() + self._tick
        snapshot = await self._book.snapshot(rung)
        read = self._clock.monotonic()
        self._reopens |= {key: read + seconds for key, seconds in snapshot.reopens.items()}
        rates = {f"campaign:{view.id}": view.calls_per_second for view in snapshot.campaigns if view.calls_per_second is not None}
        if rung is None:
            self._recent.keep({view.id for view in snapshot.campaigns}, rates.keys())
        self._recent.seen((view.id for view in snapshot.campaigns), read)
        # Whoever rang must not take what others wait for that this round does not look at.
        barred = frozenset[str]() if rung is None else self._scarce - rung
        allowance = self._recent.allowance(rates, self._clock.monotonic(), barred, snapshot.paced)
        made = plan(snapshot, allowance, self._limit)
        carried = await self._book.release(made) if made.releases or made.shut else Carried()
        self._locked = carried.locked
        self._look = min(self._look * 2, LONGEST_LOOK) if self._locked else FIRST_LOOK
        taken = self._remember(snapshot, made, carried.shown)
        if taken.total() >= self._limit:
            self._due = self._clock.monotonic()  # the limit cut the round short: go on with the rest
        self._scarce = frozenset(key for key in self._recent.lasting if taken[key] >= allowance.left[key])

    def _remember(self, snapshot: Snapshot, made: Plan, shown: Mapping[str, Mapping[str, int]]) -> Counter[str]:
        """Note what was handed to the book and not turned away as locked; how much that is, by the key of its trunk."""
        views = {view.id: view for view in snapshot.campaigns}
        now = self._clock.monotonic()
        taken: Counter[str] = Counter()
        for release in made.releases:
            view, own = views[release.campaign], f"campaign:{release.campaign}"
            trunk = f"trunk:{view.trunk}"
            if own in self._locked:
                continue
            weights = {each.id: each.weight for each in view.caller_ids}
            chosen = shown[release.campaign].items() if release.campaign in shown else release.caller_ids
            self._recent.note(release.campaign, (own, trunk), chosen, weights, now, release.count)
            taken[trunk] += release.count
        return taken

    def _look_at_all(self, now: float) -> float:
        """When to. While nothing can be had of a trunk's rate most of it would be looked at in vain, and then once more."""
        opens = now + self._recent.opening(now)
        return opens if self._due < opens <= self._due + self._tick else self._due

    async def _next(self) -> frozenset[str] | None:
        """Wait for something to do: the keys to look at, None = everything. An empty answer is a wait cut short."""
        now = self._clock.monotonic()
        renewal = self._recent.renewal(now)
        due = until = self._look_at_all(now)
        if self._scarce - self._recent.spent(now):
            until = now
        if self._locked:
            until = min(until, now + self._look)
        if renewal is not None:
            until = min(until, now + renewal[0])
        until = min(until, *self._reopens.values()) if self._reopens else until
        rang = await self._wake.wait(until - now) if until > now else frozenset[str]()
        woke = self._clock.monotonic()
        opened = frozenset(key for key, at in self._reopens.items() if at <= woke)
        self._reopens = {key: at for key, at in self._reopens.items() if key not in opened}
        if woke >= due:
            return None
        if renewal is not None and woke >= now + renewal[0]:
            rang |= renewal[1]
        return rang | opened | self._locked | (self._scarce - self._recent.spent(woke))
