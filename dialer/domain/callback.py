"""Callbacks: somebody is to be called at a time that was asked for. When that can be, and what follows when it was missed. Pure.

- A callback waits in a line of its own, before every ordinary one (`PRIORITY`). It obeys whatever every call obeys: hours, do not
  call, suppressions, limits, the campaign's state and end.
- It may open again a contact that was called to its end, such as somebody who answers and asks for another hour; but nobody who
  said no, and nobody whom nobody can call.
- At a time at which nobody may be called, a person who asks for one is refused and told the next time; what was said in a call is
  moved to that time.
- It makes sense until its tolerance is over. Then, by `Missed`, it is made however late, or the contact goes back to where it
  was: to wait for its retry, or to its end.
- Its call counts as an attempt, and is made even when no attempt is left, for it was asked for; it brings no further one then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias

from dialer.domain.campaign import CampaignRules, Missed, RetryPolicy
from dialer.domain.machine import ContactStatus
from dialer.domain.outcome import Disposition
from dialer.domain.preflight import for_ever
from dialer.domain.retry import delay, exhausted
from scheduler.places import Place
from scheduler.windows import next_start

PRIORITY = 100
"""Above all that may be given to a contact."""

FURTHEST = timedelta(days=365)
"""How far ahead a callback may lie."""

ASKED = "callback_at"
"""The key of a call's result under which it tells the time that was asked for."""


class Why(StrEnum):
    """Why there is no callback."""

    BEING_CALLED = "being_called"
    DO_NOT_CALL = "do_not_call"
    SUPPRESSED = "suppressed"
    SKIPPED = "skipped"
    INVALID_NUMBER = "invalid_number"
    NO_PHONE = "no_phone"
    ENDED = "ended"
    UNREADABLE_RULES = "unreadable_rules"
    UNREADABLE_TIME = "unreadable_time"
    NOBODY_REACHED = "nobody_reached"
    PAST = "past"
    TOO_FAR = "too_far"
    WINDOW = "window"
    NEVER_CALLABLE = "never_callable"
    CAMPAIGN_ENDS = "campaign_ends"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Wish:
    """Call at `at`, or up to `tolerance` later, else do as `missed` says."""

    at: datetime
    tolerance: timedelta
    missed: Missed


@dataclass(frozen=True, slots=True)
class Situation:
    """An enrolment as it stands: the `number` it would be called at (None = none), where that rings and its suppression, and the
    campaign's rules (None = unreadable). `over`: the campaign calls nobody any more."""

    status: ContactStatus
    outcome: Disposition | None
    number: str | None
    place: Place
    do_not_call: bool
    suppressed_until: datetime | None
    over: bool
    rules: CampaignRules | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Call at `at`, until `until` (None = however late); `moved`: it is not the time that was asked for."""

    at: datetime
    until: datetime | None
    missed: Missed
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """No callback; `possible` is the next time at which one could be, where there is one."""

    why: Why
    possible: datetime | None = None


Answer: TypeAlias = Scheduled | Refused


def judge(wish: Wish, found: Situation, now: datetime, *, move: bool) -> Answer:
    """Whether the wish can be granted. `move`: to the next possible time, where it cannot be at its own."""
    refused = _never(found)
    if refused is not None:
        return Refused(refused)
    assert found.rules is not None
    if wish.at < now and not (move and now <= wish.at + wish.tolerance):
        return Refused(Why.PAST)
    if wish.at > now + FURTHEST:
        return Refused(Why.TOO_FAR)
    wanted = max(wish.at, now)
    allowed = max(wanted, found.suppressed_until or wanted)
    starts = next_start(found.rules.walls(found.place, now), allowed, found.rules.margin)
    if starts is None:
        return Refused(Why.NEVER_CALLABLE)
    if found.rules.last_start is not None and starts >= found.rules.last_start:
        return Refused(Why.CAMPAIGN_ENDS)
    if found.expires_at is not None and starts >= found.expires_at:
        return Refused(Why.EXPIRED)
    if starts != wanted and not move:
        return Refused(Why.WINDOW if starts != allowed else Why.SUPPRESSED, starts)
    until = None if wish.missed is Missed.CALL_ANYWAY else starts + wish.tolerance
    return Scheduled(starts, until, wish.missed, starts != wanted)


def _never(found: Situation) -> Why | None:
    if found.do_not_call or found.outcome is Disposition.DO_NOT_CALL:
        return Why.DO_NOT_CALL
    if found.over:
        return Why.ENDED
    if found.status in (ContactStatus.QUEUED, ContactStatus.CALLING):
        return Why.BEING_CALLED
    if found.status is ContactStatus.SKIPPED:
        return Why.SKIPPED
    if found.number is None:
        return Why.INVALID_NUMBER if found.outcome is Disposition.INVALID_NUMBER else Why.NO_PHONE
    if found.suppressed_until is not None and for_ever(found.suppressed_until):
        return Why.SUPPRESSED
    return Why.UNREADABLE_RULES if found.rules is None else None


def asked_in(result: Mapping[str, Any], outcome: Disposition | None, rules: CampaignRules | None) -> Wish | Why:
    """The wish that a call's result tells, with the campaign's tolerance; of a call in which nobody was reached there is none."""
    if outcome is not Disposition.ANSWERED:
        return Why.NOBODY_REACHED
    if rules is None:
        return Why.UNREADABLE_RULES
    try:
        at = datetime.fromisoformat(result[ASKED])
    except (KeyError, TypeError, ValueError):
        return Why.UNREADABLE_TIME
    if at.tzinfo is None or not 1970 <= at.year <= 9998:
        return Why.UNREADABLE_TIME  # whose clock it is read on, nobody said
    return Wish(at.astimezone(UTC), rules.callback_tolerance, rules.callback_missed)


@dataclass(frozen=True, slots=True)
class Record:
    """What was tried before: attempts that counted, how the last one ended, and when it was made (None = none was)."""

    attempts: int
    outcome: Disposition | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Back:
    """Where a contact goes whose callback is no more: to wait until `at`, or to its end."""

    status: ContactStatus
    reason: str
    at: datetime | None


def back(record: Record, missed: Missed, rules: CampaignRules | None, reason: str, now: datetime) -> Back:
    """What becomes of a contact that is not called back. Whoever had still to be tried waits as if no callback had been asked
    for; whoever was called to the end, or is to be skipped, is skipped."""
    word = record.outcome
    if missed is Missed.SKIP or rules is None or not (word is None or _tried_again(word, rules.retry)):
        return Back(ContactStatus.SKIPPED, reason, None)
    if exhausted(word, record.attempts, rules.retry):
        return Back(ContactStatus.FAILED, "attempts_exhausted", None)
    due = now
    if word is not None and record.last_at is not None:
        due = max(now, record.last_at + delay(word, max(record.attempts, 1), rules.retry))
    return Back(ContactStatus.PENDING, reason, due)


def _tried_again(word: Disposition, policy: RetryPolicy) -> bool:
    match word:
        case Disposition.NO_ANSWER | Disposition.BUSY | Disposition.DECLINED:
            return True
        case Disposition.VOICEMAIL:
            return policy.on_voicemail
        case Disposition.ERROR:
            return policy.on_error
        case _:
            return False
