"""The circuit breaker: when a carrier's answers say that calling on is pointless, and how we learn that it is not any more.

Pure. One breaker guards one scope key: a trunk ("trunk:main"), or a campaign ("campaign:…") for what only its own calls are
refused for. It is closed (calls flow), open (nothing flows until `probe_at`) or half-open (one call, the probe, is on its way).
An open breaker always has a time of its next probe, so none stands still for ever; one success closes it. Failures are counted in
a row: a success in between begins the count anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class BreakerState(StrEnum):
    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Cause(StrEnum):
    """What keeps a breaker open.

    TRUNK: the carrier is not reached, or does not answer. RATE: it asked to wait. CONFIG: it refuses our credentials or account.
    REQUEST: it refuses one contact's call after another. ENDINGS: it takes the calls, and they all fail.
    """

    TRUNK = "trunk"
    RATE = "rate"
    CONFIG = "config"
    REQUEST = "request"
    ENDINGS = "endings"


LIMITS = {Cause.TRUNK: 5, Cause.RATE: 1, Cause.CONFIG: 3, Cause.REQUEST: 5, Cause.ENDINGS: 1}
"""The failure in a row that opens the breaker. Of REQUEST, that many different contacts; whoever reports ENDINGS has counted."""

MEMORY = timedelta(minutes=10)
"""A failure that is older counts no more."""

PROBE = timedelta(seconds=5)
"""Between two probes, at the least, where the carrier did not say itself when to come again."""

PROBE_CONFIG = timedelta(seconds=60)
PROBE_LONGEST = timedelta(seconds=60)
EASING = 60
"""A breaker that has been open for so many seconds waits one second between probes; and so on, within `PROBE` and
`PROBE_LONGEST`. After ten minutes these are ten seconds."""

BREATH = timedelta(seconds=1)
"""How long a carrier is left alone that asked to slow down and did not say for how long."""

LEAST_WAIT, LONGEST_WAIT = timedelta(milliseconds=100), timedelta(hours=1)
"""What a carrier asks for is obeyed within these bounds."""


@dataclass(frozen=True, slots=True)
class Failure:
    """`retry_after`: seconds the carrier asked to wait; then nothing is counted, it is obeyed at once. `who`: counted once for
    each."""

    cause: Cause
    retry_after: float | None = None
    who: str | None = None


@dataclass(frozen=True, slots=True)
class Breaker:
    """`cause` is that of the newest failure, or while open what keeps it open. `probe`: the attempt that is trying it."""

    state: BreakerState = BreakerState.CLOSED
    cause: Cause | None = None
    failures: int = 0
    offenders: tuple[str, ...] = ()
    failed_at: datetime | None = None
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    probe: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are held back: open or half-open."""
        return self.state is not BreakerState.CLOSED


CLOSED = Breaker()


def failed(was: Breaker, failure: Failure, now: datetime, *, well: bool = False, probing: bool = False) -> Breaker:
    """After a failure. `well`: there was a success since the last one that was told; `probing`: this was the probe."""
    if was.is_open:
        return _still_open(was, failure, now, probing)
    if well or was.failed_at is None or now - was.failed_at > MEMORY:
        was = CLOSED
    known = failure.who is not None and failure.who in was.offenders
    became = replace(
        was,
        cause=failure.cause,
        failures=was.failures + (not known),
        offenders=was.offenders if known or failure.who is None else (*was.offenders, failure.who),
        failed_at=now,
    )
    if failure.retry_after is None and became.failures < LIMITS[failure.cause]:
        return became
    return replace(became, state=BreakerState.OPEN, opened_at=now, probe_at=now + _pause(failure, timedelta(0)))


def absolved(was: Breaker, who: str) -> Breaker:
    """When `who` is to blame for its own refusals, which say nothing of others. What is left may be too little to stay open."""
    if who not in was.offenders:
        return was
    offenders = tuple(each for each in was.offenders if each != who)
    if was.is_open and was.cause is Cause.REQUEST and len(offenders) < LIMITS[Cause.REQUEST]:
        return CLOSED
    return replace(was, offenders=offenders, failures=max(was.failures - 1, 0))


def _still_open(was: Breaker, failure: Failure, now: datetime, probing: bool) -> Breaker:
    """Calls that were on their way when it opened may only prolong the wait; the probe says what is the matter now."""
    assert was.probe_at is not None and was.opened_at is not None
    became = replace(was, failures=was.failures + 1, failed_at=now)
    if not probing and failure.retry_after is None:
        return became
    until = now + _pause(failure, now - was.opened_at)
    if not probing:
        return replace(became, probe_at=max(was.probe_at, until))
    return replace(became, state=BreakerState.OPEN, cause=failure.cause, probe=None, probe_at=until)


def probing(was: Breaker, attempt: str, now: datetime) -> Breaker | None:
    """With `attempt` as the probe, None while it is not time for one. Another may follow should nothing be heard of this one."""
    if not was.is_open or was.probe_at is None or was.opened_at is None or was.cause is None or now < was.probe_at:
        return None
    later = max(PROBE, _pause(Failure(was.cause), now - was.opened_at))
    return replace(was, state=BreakerState.HALF_OPEN, probe=attempt, probe_at=now + later)


def _pause(failure: Failure, open_for: timedelta) -> timedelta:
    """From a failure to the next probe."""
    if failure.retry_after is not None:
        asked = timedelta(seconds=min(failure.retry_after, LONGEST_WAIT.total_seconds()))
        return max(asked, LEAST_WAIT)
    if failure.cause is Cause.RATE:
        return BREATH
    if failure.cause is Cause.CONFIG:
        return PROBE_CONFIG
    return min(max(open_for / EASING, PROBE), PROBE_LONGEST)
