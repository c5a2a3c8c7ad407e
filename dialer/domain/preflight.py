"""May this contact be called now? Go, wait until, or never because.

The one place that says why somebody is not being dialled: the placing that was refused, the answer of a run, the preview
before one and "why is it not dialling?" all ask here. Pure: everything it rests on comes in as `Facts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from dialer.domain.campaign import CampaignRules
from dialer.domain.machine import CampaignStatus
from scheduler.places import Place
from scheduler.windows import closes_at, next_start, shut_by

LASTING = timedelta(days=1)
"""How long a permit holds at the most when the window never closes."""


class Reason(StrEnum):
    """Why somebody is not called now; the words of the API. `window` without a time: the campaign's end comes first. It is the
    window of the whole campaign (whose pause is `window_ended`) that does not open again, until somebody moves it; so it is
    neither `never_callable`, which is final, nor `expired`, which is about one contact: it has expired, or will have by the time
    at which it might be called next."""

    WINDOW = "window"
    NEXT_ATTEMPT = "next_attempt"
    CALLBACK = "callback"
    NO_FREE_SLOT = "no_free_slot"
    RATE = "rate"
    DO_NOT_CALL = "do_not_call"
    SUPPRESSED = "suppressed"
    NO_PHONE = "no_phone"
    NEVER_CALLABLE = "never_callable"
    FREQUENCY_CAP = "frequency_cap"
    NUMBER_BUSY = "number_busy"
    CALLER_IDS_EXHAUSTED = "caller_ids_exhausted"
    TRUNK_BREAKER = "trunk_breaker"
    TRUNK_CONFIG = "trunk_config"
    RUN_LIMIT = "run_limit"
    PAUSED = "paused"
    NOT_STARTED = "not_started"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    QUARANTINED = "quarantined"
    EXPIRED = "expired"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands at one moment. Times are UTC; `suppressed_until` is `datetime.max`-like for ever and None for not at all;
    `free` None = no limit; `busy` = a live attempt to this person or number exists elsewhere; `starts_at` the appointed time of
    a campaign that waits for it; `held` why a breaker holds the trunk or the campaign back, and `held_until` when it is tried
    next, if that may help; `caller_ids_at` when one whose day is used up, or that rests, may be shown again; `deferred` why
    `next_attempt_at` lies ahead, where it is not the delay of a retry; `given_up` why the contact is not called any more;
    `expires_at` from when on it is not, None = never; `capped_until` until when a frequency cap lets nobody call, None = not at
    all, and `capped_by` which."""

    campaign_status: CampaignStatus
    pause_reason: str | None
    rules: CampaignRules | None
    place: Place
    to_number: str | None
    do_not_call: bool
    suppressed_until: datetime | None
    next_attempt_at: datetime
    free: int | None
    budget: int | None
    caller_ids: int
    trunk_ready: bool
    held: Reason | None = None
    held_until: datetime | None = None
    busy: bool = False
    starts_at: datetime | None = None
    caller_ids_at: datetime | None = None
    deferred: Reason | None = None
    given_up: Reason | None = None
    expires_at: datetime | None = None
    capped_until: datetime | None = None
    capped_by: str | None = None


@dataclass(frozen=True, slots=True)
class Go:
    """The phone may start to ring until `not_after`."""

    not_after: datetime


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now; `until` None = until somebody does something about it, such as moving the campaign's end. `rule`: whose it is,
    where several could be: "campaign", a pack's such as "us-states/2024-06 AL", or a frequency cap."""

    reason: Reason
    until: datetime | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Never:
    reason: Reason
    rule: str | None = None


Verdict: TypeAlias = Go | Wait | Never


def for_ever(until: datetime) -> bool:
    """Whether a suppression never expires: the ledger's infinity is the last year there is."""
    return until.year >= datetime.max.year - 1


def preflight(facts: Facts, now: datetime) -> Verdict:
    """What is final comes first, then what a person has to change, then what only takes time."""
    return _never(facts, now) or by_campaign(facts) or _time(facts, now)


def _never(facts: Facts, now: datetime) -> Never | None:
    if facts.given_up is not None:
        return Never(facts.given_up)
    if facts.do_not_call:
        return Never(Reason.DO_NOT_CALL)
    if facts.suppressed_until is not None and for_ever(facts.suppressed_until):
        return Never(Reason.SUPPRESSED)
    if facts.to_number is None:
        return Never(Reason.NO_PHONE)
    if facts.campaign_status in (CampaignStatus.COMPLETED, CampaignStatus.CANCELLED):
        return Never(Reason.ENDED)
    if facts.expires_at is not None and facts.expires_at <= now:
        return Never(Reason.EXPIRED)
    if facts.rules is not None:
        walls = facts.rules.walls(facts.place, now)
        if next_start(walls, now, facts.rules.margin) is None:
            return _never_callable(facts, facts.rules, now)
    return None


def _never_callable(facts: Facts, rules: CampaignRules, at: datetime) -> Never:
    rule = rules.hours.refused(facts.place) or shut_by(rules.walls(facts.place, at), at, rules.margin)
    return Never(Reason.NEVER_CALLABLE, rule)


def by_campaign(facts: Facts) -> Wait | None:
    """What a person has to change, or an appointed time to bring, before anybody of the campaign is called."""
    if facts.campaign_status is CampaignStatus.PAUSED:
        return Wait(Reason.RUN_LIMIT if facts.pause_reason == Reason.RUN_LIMIT else Reason.PAUSED)
    if facts.campaign_status is not CampaignStatus.RUNNING:
        return Wait(Reason.NOT_STARTED, facts.starts_at)
    if not facts.trunk_ready or facts.rules is None:
        return Wait(Reason.TRUNK_CONFIG)
    if facts.held is not None:
        return Wait(facts.held, facts.held_until)
    if facts.caller_ids == 0:
        return Wait(Reason.CALLER_IDS_EXHAUSTED, facts.caller_ids_at)
    if facts.budget == 0:
        return Wait(Reason.RUN_LIMIT)
    return None


def _time(facts: Facts, now: datetime) -> Verdict:
    assert facts.rules is not None
    earliest = now
    reason = None
    if facts.suppressed_until is not None and facts.suppressed_until > earliest:
        earliest, reason = facts.suppressed_until, Reason.SUPPRESSED
    if facts.next_attempt_at > earliest:
        earliest, reason = facts.next_attempt_at, facts.deferred or Reason.NEXT_ATTEMPT
    rule = None
    if facts.capped_until is not None and facts.capped_until > now and facts.capped_until >= earliest:
        earliest, reason, rule = facts.capped_until, Reason.FREQUENCY_CAP, facts.capped_by
    walls = facts.rules.walls(facts.place, now)
    opens = next_start(walls, earliest, facts.rules.margin)
    if opens is None:
        return _never_callable(facts, facts.rules, earliest)
    if facts.expires_at is not None and opens >= facts.expires_at:
        return Never(Reason.EXPIRED)
    last = facts.rules.last_start
    if last is not None and opens >= last:
        return Wait(Reason.WINDOW)
    if opens > earliest:
        return Wait(Reason.WINDOW, opens, shut_by(walls, earliest, facts.rules.margin))
    if reason is not None:
        return Wait(reason, earliest, rule)
    if facts.busy:
        return Wait(Reason.NUMBER_BUSY)
    if facts.free == 0:
        return Wait(Reason.NO_FREE_SLOT)
    closes = closes_at(walls, now)
    not_after = now + LASTING if closes is None else closes - timedelta(seconds=facts.rules.margin)
    return Go(min(at for at in (not_after, last, facts.expires_at) if at is not None))
