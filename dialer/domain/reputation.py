"""When a caller ID rests: how many of its last calls were blocked, and for how long it is not shown then.

Counted is what carriers tell as `blocked`: the callee's side turns the number away as unwanted (SIP 607, RFC 8197) or by what it
knows of it (608, RFC 8688; "603+", ATIS-1000099), or a provider says that it is marked as spam. Endings by the fault of a trunk
or of the called number say nothing of the number that was shown, and are left out. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.events import Outcome

KEPT = 100
"""Endings that the ledger keeps of each number (`turn` in queries.sql)."""

LOOKED_AT, BLOCKED_CALLS, BLOCKED_SHARE = 50, 5, 0.1
"""A number rests when of its last 50 endings at least 5, and a tenth of them, were blocked. One that is well loses a call in a
hundred that way, and comes to 5 of 50 once in some seven thousand; one that is marked as spam loses several in ten, and is found
out within 50 calls, or after 5 where all are blocked."""

FIRST_REST, LONGEST_REST = timedelta(days=1), timedelta(days=14)
"""A rest is twice as long as the one before, within these bounds: providers name days to weeks for a mark to go."""

ANSWERED, NOT_ANSWERED, BLOCKED = "a", "n", "x"
_SIGNS = {
    Outcome.HUMAN: ANSWERED,
    Outcome.ANSWERED: ANSWERED,
    Outcome.MACHINE: ANSWERED,
    Outcome.BUSY: NOT_ANSWERED,
    Outcome.NO_ANSWER: NOT_ANSWERED,
    Outcome.DECLINED: NOT_ANSWERED,
    Outcome.BLOCKED: BLOCKED,
}


def sign_of(outcome: Outcome) -> str | None:
    """What an ending says of the number that was shown, as one letter; None = nothing."""
    return _SIGNS.get(outcome)


@dataclass(frozen=True, slots=True)
class Record:
    """A number's newest endings, the latest at the end, since its last rest; how many times it has rested in a row; and until
    when it rests or last rested."""

    recent: str
    rests: int = 0
    resting_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """`rests`: the how many-th in a row; `reason`: as a person would say it."""

    until: datetime
    reason: str
    rests: int


def rest_of(record: Record, now: datetime) -> Rest | None:
    """The rest that its endings call for. None where they do not, and for a number that rests already: what ends meanwhile was
    placed before. One that was well for 50 calls, or did not rest for as long as the longest rest, begins anew."""
    if record.resting_until is not None and record.resting_until > now:
        return None
    newest = record.recent[-LOOKED_AT:]
    blocked = newest.count(BLOCKED)
    if blocked < BLOCKED_CALLS or blocked < BLOCKED_SHARE * len(newest):
        return None
    anew = len(record.recent) > LOOKED_AT or record.resting_until is None or now - record.resting_until > LONGEST_REST
    rests = 1 if anew else record.rests + 1
    rest = min(FIRST_REST * 2 ** min(rests - 1, 10), LONGEST_REST)
    return Rest(now + rest, f"{blocked} of its last {len(newest)} calls were blocked or marked as spam", rests)


@dataclass(frozen=True, slots=True)
class Health:
    """Shares (0 to 1) of a number's newest `endings`; None where there are none. `answered`: by a person or a machine."""

    endings: int
    answered: float | None
    blocked: float | None


def health(recent: str) -> Health:
    count = len(recent)
    if count == 0:
        return Health(0, None, None)
    return Health(count, round(recent.count(ANSWERED) / count, 3), round(recent.count(BLOCKED) / count, 3))
