"""Who gets the free slots, and how fast: fair share, caller IDs by weight, releases per second.

Slots go one by one to the campaign with the fewest calls for its weight, live ones included; among equals to the one that
waited longest. So a campaign without a call comes before all that have one, nobody starves while slots are freed, and with
enough slots each gets its share. Within a campaign the next number is the one most behind its weight; what was used before
counts, so a slot at a time rotates as well as a hundred at once. (Largest remainder would name the heaviest number each
time a single slot is shared out.)

`RecentReleases` remembers, in one scheduler's memory, what those before got. Losing it costs one unfair round; limits that
must hold exactly are the ledger's and the workers', and what all schedulers release together is counted where all see it.
"""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, Self

from scheduler.matching import behind

OWED = 8.0  # calls per unit of lead: a number that rested catches up on this many, then takes its share like the others
GRAIN = 0.02  # seconds; releases under a rate are remembered by the end of their grain, so that memory and wake-ups stay bounded


CAMPAIGN_SECONDS = 0.75
"""For so long a campaign's rate is released at once; a trunk's for a second, so that a call that waits for both is in time."""


@dataclass(frozen=True, slots=True)
class Burst:
    """`calls` at once, and `calls` in any `seconds`: whole calls at the exact rate. 1.5 a second are 2 in 1⅓ seconds, 0.2 are 1
    in 5."""

    calls: int
    seconds: float

    @classmethod
    def of(cls, per_second: float, seconds: float = 1.0) -> Self:
        """About `seconds` of this rate."""
        calls = max(math.ceil(per_second * seconds), 0)
        return cls(calls, calls / per_second if per_second > 0 else math.inf)


@dataclass(frozen=True, slots=True)
class Left:
    """What all schedulers together have left of a rate: `calls` now, and a whole burst in so many `seconds`."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What earlier rounds leave to this one.

    `left`: scope key → how many may still be released now (absent = no such limit). `served`: campaign → since when it waits:
    when it last got something, or was first seen (monotonic seconds). `used`: campaign → number → how often it was chosen.
    """

    left: Mapping[str, int] = field(default_factory=dict)
    served: Mapping[str, float] = field(default_factory=dict)
    used: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


class Number(Protocol):
    """A caller ID as a sharer of slots: `scope` its key in the room, `weight` its share among the campaign's (0 = rests)."""

    @property
    def id(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def weight(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Claim:
    """What one campaign wants: `want` slots in all of `scopes`, each with one of `numbers`; `live` calls it has already. `used`:
    number → how often it was chosen so far."""

    id: str
    weight: int
    live: int
    served: float
    want: int
    scopes: tuple[str, ...]
    numbers: Sequence[Number]
    used: Mapping[str, float] = field(default_factory=dict)


def share(claims: Iterable[Claim], room: Mapping[str, int], limit: int) -> dict[str, dict[str, int]]:
    """Campaign → number → slots, by the rule above. Never more than `room` of any scope (absent = unlimited), than a claim
    wants or than `limit` in all. Campaigns that get nothing are left out."""
    free = dict(room)
    full = {scope for scope, left in free.items() if left <= 0}
    given: dict[str, dict[str, int]] = {}
    queue = [(claim.live / claim.weight, claim.served, claim.id, 0, claim) for claim in claims if claim.want > 0]
    heapq.heapify(queue)
    while queue and limit > 0:
        _, served, _, got, claim = queue[0]
        number = None
        if full.isdisjoint(claim.scopes):
            number = _next_number(claim, given.get(claim.id, {}), free)
        if number is None:
            heapq.heappop(queue)  # room only shrinks: there will be none for it in this round
            continue
        for scope in (*claim.scopes, number.scope):
            if scope in free:
                free[scope] -= 1
                if free[scope] <= 0:
                    full.add(scope)
        chosen = given.setdefault(claim.id, {})
        chosen[number.id] = chosen.get(number.id, 0) + 1
        limit -= 1
        got += 1
        if got < claim.want:
            heapq.heapreplace(queue, ((claim.live + got) / claim.weight, served, claim.id, got, claim))
        else:
            heapq.heappop(queue)
    return given


def _next_number(claim: Claim, chosen: Mapping[str, int], free: Mapping[str, int]) -> Number | None:
    """The number with a free slot that is most behind its weight."""
    open_ones = [number for number in claim.numbers if number.weight > 0 and free.get(number.scope, 1) > 0]
    if len(open_ones) < 2:
        return open_ones[0] if open_ones else None
    return min(open_ones, key=lambda each: (behind(claim.used.get(each.id, 0.0) + chosen.get(each.id, 0), each.weight), each.id))


@dataclass(slots=True)
class _Flow:
    """Releases of one scope: at most `burst` in any `span` seconds."""

    burst: int = 0
    span: float = 0.0
    recent: deque[tuple[float, int]] = field(default_factory=deque)

    def set(self, burst: Burst) -> None:
        self.burst, self.span = burst.calls, burst.seconds

    def left(self, now: float) -> int:
        while self.recent and self.recent[0][0] + self.span <= now:
            self.recent.popleft()
        return max(self.burst - sum(count for _, count in self.recent), 0)

    def learn(self, of_all: Left, now: float) -> None:
        """Others released as well: what they took is as if it were ours, until the burst is whole again."""
        if (others := self.left(now) - of_all.calls) > 0:
            insort(self.recent, (now + of_all.seconds - self.span, others))

    def note(self, count: int, now: float) -> None:
        end = math.ceil(now / GRAIN) * GRAIN
        if self.recent and self.recent[-1][0] >= end:
            count += self.recent.pop()[1]
        self.recent.append((end, count))


class RecentReleases:
    """What one scheduler released lately: keeps calls per second, waits and the rotation of numbers.

    `rates`: scope key → releases per second that hold always (the trunks'). Times are monotonic seconds. Several schedulers
    remember apart, and learn in each round what all of them have left.
    """

    def __init__(self, rates: Mapping[str, float] | None = None) -> None:
        self._flows: dict[str, _Flow] = {}
        self.lasting = frozenset(rates or ())
        self._served: dict[str, float] = {}
        self._used: dict[str, dict[str, float]] = {}
        for key, per_second in (rates or {}).items():
            self._flow(key).set(Burst.of(per_second))

    def _flow(self, key: str) -> _Flow:
        return self._flows.setdefault(key, _Flow())

    def seen(self, campaigns: Iterable[str], now: float) -> None:
        """These have something due and a free slot; who was not known to begins to wait now. (Who was served, had all its slots
        taken and comes back would else be taken for one that has never had anything, and pass by all that still wait.)"""
        for campaign in campaigns:
            self._served.setdefault(campaign, now)

    def allowance(
        self, rates: Mapping[str, float], now: float, barred: Collection[str] = (), of_all: Mapping[str, Left] | None = None
    ) -> Allowance:
        """What may be released at `now`, with `rates` of the campaigns beside the lasting ones; of `barred` ones nothing.
        `of_all`: what is left of them by all schedulers' count, where that is known."""
        for key, per_second in rates.items():
            self._flow(key).set(Burst.of(per_second, CAMPAIGN_SECONDS))
        for key, known in (of_all or {}).items():
            self._flow(key).learn(known, now)
        left = {key: 0 if key in barred else self._flows[key].left(now) for key in (*self.lasting, *rates)}
        return Allowance(left, MappingProxyType(self._served), MappingProxyType(self._used))

    def spent(self, now: float) -> frozenset[str]:
        """The lasting rates of which nothing is left."""
        return frozenset(key for key in self.lasting if self._flows[key].left(now) == 0)

    def opening(self, now: float) -> float:
        """Seconds until all lasting rates have room; 0 when they do."""
        flows = [self._flows[key] for key in self.lasting]
        return max((flow.recent[0][0] + flow.span - now for flow in flows if flow.burst and flow.left(now) == 0), default=0.0)

    def note(
        self,
        campaign: str,
        keys: Iterable[str],
        chosen: Iterable[tuple[str, int]],
        weights: Mapping[str, int],
        now: float,
        count: int | None = None,
    ) -> None:
        """`campaign` was given `chosen` (number, how many) at `now`; they, or `count` where other numbers were shown than it was
        given, count against the rates of `keys`. `weights` are those of all its numbers."""
        used = self._used.setdefault(campaign, {})
        chosen = list(chosen)
        for number, times in chosen:
            used[number] = used.get(number, 0.0) + times
        count = sum(times for _, times in chosen) if count is None else count
        for key in keys:
            if key in self._flows:
                self._flows[key].note(count, now)
        self._served[campaign] = now
        lead = max((used.get(number, 0.0) / weight for number, weight in weights.items() if weight > 0), default=0.0)
        self._used[campaign] = {number: max(used.get(number, 0.0), lead * weight - OWED) for number, weight in weights.items()}

    def renewal(self, now: float) -> tuple[float, frozenset[str]] | None:
        """Seconds until a spent rate has room again, and the keys it will have room in; None while no rate is spent."""
        flows = self._flows.items()
        spent = {key: flow.recent[0][0] + flow.span - now for key, flow in flows if flow.burst and flow.left(now) == 0}
        if not spent:
            return None
        wait = max(min(spent.values()), 0.001)  # a clock may stand still for less
        return wait, frozenset(key for key, later in spent.items() if later <= wait + GRAIN)

    def keep(self, campaigns: Collection[str], keys: Collection[str]) -> None:
        """Forget all campaigns and rates but these and the lasting rates: nothing of theirs is due."""
        self._served = {key: at for key, at in self._served.items() if key in campaigns}
        self._used = {key: used for key, used in self._used.items() if key in campaigns}
        self._flows = {key: flow for key, flow in self._flows.items() if key in self.lasting or key in keys}
