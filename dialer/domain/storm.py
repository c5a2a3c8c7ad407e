"""When how calls end says nothing of whom they were for, but of the trunk: the last endings of one trunk, looked at together.

Pure but for its memory. A carrier that calls every number invalid, or takes calls of which not one rings, is at fault itself;
what it says then must kill no contact. Each process keeps what it sees itself, for a sample serves. Whom a storm took before
anybody could see it is brought back afterwards, from the ledger (`dialer.domain.reinstate`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from adapters.events import Fault, Outcome
from dialer.domain.attempt import Progress
from dialer.domain.outcome import perhaps_invalid

LOOKED_AT = 20
"""Endings that are looked at."""

INVALID_NUMBERS, INVALID_SHARE = 5, 0.3
"""So many different numbers, and more than this share of the endings, called invalid: a storm."""

SILENT = 10
"""So many endings in a row by the trunk's fault without one ring: nothing gets through."""

SUSPICIOUS = frozenset({Fault.NUMBER, Fault.TRUNK, Fault.CONFIG})
"""What an ending is blamed on that a storm may have made."""

LASTS = timedelta(seconds=60)
"""How long nothing is believed after a storm was seen: calls that were on their way end."""


@dataclass(frozen=True, slots=True)
class Ending:
    attempt: str
    number: str
    fault: Fault


def stormy(endings: Iterable[Ending]) -> bool:
    seen = list(endings)
    invalid = [each.number for each in seen if each.fault is Fault.NUMBER]
    return len(set(invalid)) >= INVALID_NUMBERS and len(invalid) > INVALID_SHARE * len(seen)


def nothing_rings(endings: Iterable[Ending]) -> bool:
    newest = list(endings)[-SILENT:]
    return len(newest) == SILENT and all(each.fault in (Fault.TRUNK, Fault.CONFIG) for each in newest)


@dataclass(slots=True)
class Endings:
    """The newest of one trunk."""

    _newest: deque[Ending] = field(default_factory=deque)
    _until: datetime | None = None
    blamed: bool = False
    """Whether the trunk is to be reported; whoever does it resets this."""
    suspects: set[str] = field(default_factory=set)
    """The attempts whose endings are to be reported with it; resets likewise."""

    def believe(self, attempt: str, number: str, became: Progress, now: datetime) -> Progress:
        """What to make of this ending. Asked again for the same attempt, it is noted once."""
        fault = became.fault or Fault.CALLEE
        if became.outcome is Outcome.BLOCKED:  # says nothing of trunk or number: it is for the caller ID, which rests for it
            fault = Fault.CALLEE
        if perhaps_invalid(became.outcome, fault):
            fault = Fault.NUMBER
        rang = became.ringing_at is not None or became.answered_at is not None
        self.note(Ending(attempt, number, Fault.NONE if rang else fault))
        if stormy(self._newest) or nothing_rings(self._newest):
            self._until = now + LASTS
            self.suspects |= {each.attempt for each in self._newest if each.fault in SUSPICIOUS}
            self._newest.clear()
            self.blamed = True
        if fault is Fault.NUMBER and self._until is not None and now < self._until:
            return replace(became, outcome=Outcome.UNREACHABLE, fault=Fault.TRUNK)
        return became

    def note(self, ending: Ending) -> None:
        for known in [each for each in self._newest if each.attempt == ending.attempt]:
            self._newest.remove(known)
        self._newest.append(ending)
        while len(self._newest) > LOOKED_AT:
            self._newest.popleft()
