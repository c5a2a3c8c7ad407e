"""What an answer promises, and whether the carrier's journal and the ledger's history kept to it. Pure; times are seconds since
1970: a change holds for certain from its answer on, and may hold from its sending on."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from adapters.simulated.carrier.journal import Entry


@dataclass(frozen=True, slots=True)
class Said:
    """A change that was answered with success. An answer that never came is at infinity."""

    sent: float
    answered: float


@dataclass(frozen=True, slots=True)
class Cap:
    """A cap as it was set."""

    cap: int
    when: Said


def sure(stops: Iterable[Said], starts: Sequence[Said]) -> list[Said]:
    """The stops that were answered and beside which no start was under way: of the others nobody can say which was last."""
    return [
        stop
        for stop in stops
        if stop.answered < math.inf and not any(start.sent < stop.answered and start.answered > stop.sent for start in starts)
    ]


def silences(stops: Iterable[Said], starts: Sequence[Said]) -> list[tuple[float, float]]:
    """From the answer of each sure stop to the sending of the next start."""
    return [
        (stop.answered, min((start.sent for start in starts if start.sent >= stop.answered), default=math.inf))
        for stop in sure(stops, starts)
    ]


def broken(entries: Iterable[Entry], spans: Iterable[tuple[float, float]]) -> list[Entry]:
    """The calls that the carrier accepted in a time in which none may start."""
    spans = list(spans)
    return [entry for entry in entries if any(begin < entry.accepted < end for begin, end in spans)]


def rises(entries: Iterable[Entry], caps: Sequence[Cap]) -> list[Entry]:
    """The calls that were accepted while at least as many were live as the highest of the caps that may have held then."""
    calls = sorted(entries, key=lambda entry: entry.accepted)
    ends = sorted(entry.ended for entry in calls if entry.ended is not None)
    return [
        call
        for before, call in enumerate(calls)
        if before - bisect_right(ends, call.accepted) >= max((each.cap for each in in_force(caps, call.accepted)), default=0)
    ]


def in_force(caps: Sequence[Cap], at: float) -> list[Cap]:
    """The caps that may hold at a moment: set before, and not certainly replaced since."""
    set_before = [each for each in caps if each.when.sent <= at]
    return [
        each
        for each in set_before
        if not any(each.when.answered <= later.when.sent and later.when.answered <= at for later in set_before)
    ]


def still_up(entries: Iterable[Entry], hung_up: Iterable[Said], within: float) -> list[Entry]:
    """The calls that had been accepted when a hang-up was answered and were not over `within` seconds after it was asked for."""
    moments = list(hung_up)
    return [
        entry
        for entry in entries
        if any(entry.accepted <= each.answered and (entry.ended or math.inf) > each.sent + within for each in moments)
    ]


def waits(turns: Sequence[tuple[float, str]], no: float, until: float = math.inf) -> float:
    """For how many seconds after the answer of a "no" the enrolment was pending, by its turns (when, to what) in order."""
    ends = [*(at for at, _ in turns[1:]), until]
    return sum(
        max(0.0, end - max(at, no)) for (at, status), end in zip(turns, ends, strict=True) if status == "pending" and end > no
    )


def after(entries: Iterable[Entry], noes: Mapping[str, Said]) -> list[Entry]:
    """The calls to numbers that were accepted after a "no" to them was answered."""
    return [entry for entry in entries if entry.to in noes and entry.accepted > noes[entry.to].answered]


def beside(entries: Iterable[Entry], noes: Mapping[str, Said]) -> list[Entry]:
    """The calls that were accepted while a "no" to their number was on its way."""
    return [entry for entry in entries if entry.to in noes and noes[entry.to].sent < entry.accepted <= noes[entry.to].answered]


def slow_workers(role: str, share: float = 0.03) -> str:
    """Fail points for `Layout`: workers that stand still now and then between the permit and the first byte, so that a "no" finds
    calls there and the fence has something to hold."""
    return f"K1=block:{share}:0.35,seed={role.removeprefix('worker-')}" if role.startswith("worker") else ""
