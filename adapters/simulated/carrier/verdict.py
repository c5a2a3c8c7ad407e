"""The arithmetic on the journal: how well the dialer did, by the carrier's clock. Pure.

Definitions. A call is live from its acceptance up to, not including, its end. C is the campaign's cap. *Due* at t are the
calls of the campaign that have not started at t and whose previous call to the same number, if any, has ended before t: in
hindsight, somebody who was still to be called and was not in a call. Nobody's plans are asked, only what was done.
*Dialled twice* are the calls beyond the first with the same attempt id, and those accepted while another call to the same
number was live (a call that is both counts once). *Utilisation* is the integral of live calls over C times the span, from the
C-th start until the first moment after it when fewer than C are due. *Refill* k is the time from the k-th end to the (C+k)-th
start, counted only while at least C are due at that end.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapters.simulated.carrier.journal import Entry


@dataclass(frozen=True, slots=True)
class Verdict:
    """One campaign, judged. Shares are 0 to 1, times milliseconds; None where there was too little to judge."""

    calls: int
    max_in_flight: int
    dialled_twice: int
    utilisation: float | None
    refill_p50_ms: float | None
    refill_p95_ms: float | None
    refills: int
    """How many refills the percentiles are taken from."""


def judge(entries: Iterable[Entry], cap: int) -> Verdict:
    """Judge the calls of one campaign (see `of_campaign`) against its cap, 1 or more."""
    if cap < 1:
        raise ValueError("the cap is at least 1")
    calls = sorted(entries, key=lambda entry: entry.accepted)
    waits = refills(calls, cap)
    return Verdict(
        calls=len(calls),
        max_in_flight=peak(calls),
        dialled_twice=dialled_twice(calls),
        utilisation=utilisation(calls, cap),
        refill_p50_ms=_percentile(waits, 0.50),
        refill_p95_ms=_percentile(waits, 0.95),
        refills=len(waits),
    )


def of_campaign(entries: Iterable[Entry], campaign: str) -> list[Entry]:
    """The calls that carry the campaign's label."""
    return [entry for entry in entries if entry.campaign == campaign]


def dialled_twice(entries: Iterable[Entry]) -> int:
    """How many calls should not have been; give it the whole journal to see across campaigns."""
    attempts: set[str] = set()
    free_at: dict[str, float] = {}
    twice = 0
    for entry in sorted(entries, key=lambda entry: entry.accepted):
        twice += entry.attempt in attempts or entry.accepted < free_at.get(entry.to, -math.inf)
        attempts.add(entry.attempt)
        free_at[entry.to] = max(free_at.get(entry.to, -math.inf), _end(entry))
    return twice


def peak(entries: Iterable[Entry]) -> int:
    """The most calls live at once."""
    turns = sorted(turn for entry in entries for turn in ((entry.accepted, 1), (_end(entry), -1)))
    live = most = 0
    for _, turn in turns:
        live += turn
        most = max(most, live)
    return most


def utilisation(calls: Sequence[Entry], cap: int) -> float | None:
    """The share of the cap that was in use while there was enough to do; `calls` in the order of acceptance."""
    if len(calls) < cap:
        return None
    due = _Due(calls)
    begin = calls[cap - 1].accepted
    # Due calls become fewer only when one starts.
    finish = next((entry.accepted for entry in calls[cap - 1 :] if due.at(entry.accepted) < cap), begin)
    if finish <= begin:
        return None
    used = sum(max(0.0, min(_end(entry), finish) - max(entry.accepted, begin)) for entry in calls)
    return used / (cap * (finish - begin))


def refills(calls: Sequence[Entry], cap: int) -> list[float]:
    """Every refill in milliseconds; `calls` in the order of acceptance."""
    due = _Due(calls)
    ends = sorted(entry.ended for entry in calls if entry.ended is not None)
    pairs = zip(ends, calls[cap:], strict=False)
    return [(start.accepted - end) * 1000 for end, start in pairs if due.at(end) >= cap]


class _Due:
    """How many calls were due at a moment: the n-th is due between its number's last end and its own start."""

    def __init__(self, calls: Sequence[Entry]) -> None:
        free_at: dict[str, float] = {}
        self._from: list[float] = []
        self._until: list[float] = []
        for entry in calls:
            since = free_at.get(entry.to, -math.inf)
            if since < entry.accepted:
                self._from.append(since)
                self._until.append(entry.accepted)
            free_at[entry.to] = _end(entry)
        self._from.sort()
        self._until.sort()

    def at(self, moment: float) -> int:
        return bisect_left(self._from, moment) - bisect_right(self._until, moment)


def _end(entry: Entry) -> float:
    return math.inf if entry.ended is None else entry.ended


def _percentile(values: Sequence[float], share: float) -> float | None:
    """Nearest rank."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None
