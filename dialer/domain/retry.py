"""After a call: again, and when, or done, and how.

Pure. Declined is retried like busy. A failure that is the trunk's or the configuration's does not use up one of the contact's
attempts, but is bounded (`EXCUSED_A_DAY`), so that a broken trunk cannot spin on one contact for ever. A call that nobody can
make, because the carrier or our own code refuses just this one, is given up after `REFUSED_MOST` tries. A number that is perhaps
invalid is tried again a day later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TypeAlias

from adapters.events import Fault, Outcome
from dialer.domain.campaign import RetryPolicy
from dialer.domain.machine import ContactStatus
from dialer.domain.outcome import Disposition, disposition, perhaps_invalid
from scheduler.backoff import Backoff

EXCUSED_A_DAY = 20
EXCUSED_FIRST_SECONDS = 5
EXCUSED_LONGEST_SECONDS = 300
REFUSED_MOST = 3
PERHAPS_AGAIN = timedelta(hours=24)
"""How long a number waits of which a carrier says, without being certain, that nobody has it: two such endings on one day are
one."""
PERHAPS_INVALID = "perhaps_invalid"


@dataclass(frozen=True, slots=True)
class CallAgain:
    """Not before `at`. `counted`: it used up an attempt; `excused`: it failed through no fault of the callee."""

    at: datetime
    reason: str
    counted: bool
    excused: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    status: ContactStatus
    reason: str
    counted: bool
    excused: bool = False


Decision: TypeAlias = CallAgain | Done


@dataclass(frozen=True, slots=True)
class Record:
    """What has been tried before this ending: attempts that counted, and today's that were excused."""

    attempts: int
    excused_today: int


@dataclass(frozen=True, slots=True)
class Refusals:
    """How often a contact's call was refused `before`, and whether `others` of its campaign were taken since the first time:
    then it is the contact that cannot be called, and not the campaign that calls nobody rightly."""

    before: int
    others: bool

    @property
    def last(self) -> bool:
        """Whether one more is the last."""
        return self.before + 1 >= REFUSED_MOST


NEVER_REFUSED = Refusals(0, others=False)


def decide(
    outcome: Outcome,
    fault: Fault,
    policy: RetryPolicy,
    record: Record,
    now: datetime,
    rng: Random | None = None,
    *,
    elsewhere: bool = False,
) -> Decision:
    """What follows from an ending. `now` is when the call ended; without `rng` there is no jitter. `elsewhere`: the contact may
    be called at another number too, so one that nobody has is no end: the other is called at once, if an attempt is left."""
    word = disposition(outcome)
    if outcome is Outcome.UNKNOWN:
        return Done(ContactStatus.FAILED, "unknown", counted=True)
    if fault in (Fault.TRUNK, Fault.CONFIG, Fault.REQUEST):
        return excused(fault, record, now)
    if fault is Fault.NUMBER:
        if elsewhere and record.attempts + 1 < policy.max_attempts:
            return CallAgain(now, word, counted=True)
        return Done(ContactStatus.FAILED, word, counted=True)
    if fault is Fault.NONE or (word is Disposition.VOICEMAIL and not policy.on_voicemail):
        return Done(ContactStatus.COMPLETED, word, counted=True)
    made = record.attempts + 1
    over = exhausted(word, made, policy)
    if over or (word is Disposition.ERROR and not policy.on_error):
        reached = word is Disposition.VOICEMAIL
        return Done(
            ContactStatus.COMPLETED if reached else ContactStatus.FAILED, "attempts_exhausted" if over else word, counted=True
        )
    wait = delay(word, made, policy, rng)
    if perhaps_invalid(outcome, fault):
        return CallAgain(now if elsewhere else now + max(wait, PERHAPS_AGAIN), PERHAPS_INVALID, counted=True)
    return CallAgain(now + wait, word, counted=True)


def exhausted(word: Disposition | None, made: int, policy: RetryPolicy) -> bool:
    """Whether `made` attempts, the last of which ended with `word` (None = none was made), are all that are allowed."""
    most = policy.max_attempts if word is None else policy.max_by.get(word, policy.max_attempts)
    return made >= min(policy.max_attempts, most)


def delay(word: Disposition, made: int, policy: RetryPolicy, rng: Random | None = None) -> timedelta:
    """How long to wait after the `made`-th attempt (from 1) that ended with `word`."""
    first = policy.delay_by.get(word, policy.delay)
    return Backoff(first, policy.mode, policy.multiplier, policy.cap, policy.jitter).delay(made, rng)


def excused(fault: Fault, record: Record, now: datetime) -> Decision:
    """What follows from a failure that is not the callee's: again soon, a little later each time, up to the bound of the day."""
    if record.excused_today + 1 >= EXCUSED_A_DAY:
        return Done(ContactStatus.FAILED, f"{fault}_failures", counted=False, excused=True)
    wait = min(EXCUSED_FIRST_SECONDS * 2**record.excused_today, EXCUSED_LONGEST_SECONDS)
    return CallAgain(now + timedelta(seconds=wait), f"{fault}_failure", counted=False, excused=True)


def refused(refusals: Refusals, record: Record, now: datetime) -> Decision:
    """What follows when a contact's call was refused for its own sake."""
    if refusals.last:
        return Done(ContactStatus.FAILED, "quarantined", counted=False, excused=True)
    return excused(Fault.REQUEST, record, now)
