"""Who of a campaign cannot be called in a run, and why: all of them counted, the first hundred told one by one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dialer.domain.preflight import Go, Never, Reason, Verdict, Wait, preflight
from dialer.flows.campaigns.facts import Ground, caps_by_place, facts_of, ground_of
from dialer.store import enrolments, obstacles
from dialer.store.transaction import Transaction
from scheduler.policies import OWN

MOST_ERRORS = 100

# What only takes its turn is no obstacle: the run itself gets to it.
IN_LINE = frozenset({Reason.NO_FREE_SLOT, Reason.NUMBER_BUSY, Reason.RUN_LIMIT})

SAID = {
    Reason.WINDOW: "outside the call window",
    Reason.NEXT_ATTEMPT: "next attempt is not due",
    Reason.CALLBACK: "a callback was asked for and is not due",
    Reason.DO_NOT_CALL: "do not call",
    Reason.SUPPRESSED: "the number is suppressed",
    Reason.NO_PHONE: "no phone number",
    Reason.NO_FREE_SLOT: "no slot is free",
    Reason.FREQUENCY_CAP: "it has been called as often as the caps allow",
    Reason.NUMBER_BUSY: "the person or the number is in another call",
    Reason.NEVER_CALLABLE: "the call window never opens for it, or its time zone is unknown",
    Reason.RATE: "the carrier asked to wait",
    Reason.TRUNK_BREAKER: "the carrier does not take calls; it is tried again",
    Reason.TRUNK_CONFIG: "the assistant or its adapter is not ready or refused by the carrier, or the rules cannot be read",
    Reason.CALLER_IDS_EXHAUSTED: "no caller ID may be shown",
    Reason.EXPIRED: "it has waited too long since it was enrolled",
}
GIVEN_UP = {
    "do_not_call": SAID[Reason.DO_NOT_CALL],
    "suppressed": SAID[Reason.SUPPRESSED],
    "no_phone": SAID[Reason.NO_PHONE],
    "attempts_exhausted": "attempts exhausted",
    "expired": SAID[Reason.EXPIRED],
    "callback_missed": "the callback could not be made in time",
    "callback_withdrawn": "the callback was withdrawn",
    "quarantined": "no call could be made of it, each was refused",
    "invalid_number": "the number is invalid",
    "removed": "removed from the campaign",
    "storm": "its trunk called every number invalid",
}


@dataclass(frozen=True, slots=True)
class Obstacles:
    """`contacts` cannot be called in this run; `waiting` can, once it is their turn."""

    contacts: int
    waiting: int
    errors: tuple[str, ...]


async def obstacles_of(
    on: Transaction, campaign: str, trunks: Collection[str], max_calls: int | None, now: datetime
) -> Obstacles:
    """Those against whom something speaks in a run of `max_calls` calls. The many who wait are judged by place and time, of
    which there are few; persons are read only to be named."""
    ground = (await ground_of(on, campaign, trunks, now)).started(max_calls)
    ended = sum(row["n"] for row in await enrolments.tallies(on, campaign) if row["status"] in ("skipped", "failed"))
    errors = [_of_ended(row) for row in await obstacles.given_up(on, campaign, MOST_ERRORS)] if ended else []
    blocked = waiting = 0
    kept = await caps_by_place(on, ground)
    for group in await obstacles.pending_groups(on, campaign, now, ground.expiry, kept):
        if not _blocks(ground.group(group)):
            waiting += group["n"]
            continue
        blocked += group["n"]
        if len(errors) < MOST_ERRORS:
            most = MOST_ERRORS - len(errors)
            first = await obstacles.pending_in(on, campaign, group, now, ground.expiry, kept, most)
            errors += await _of_pending(on, ground, first)
    return Obstacles(ended + blocked, waiting, tuple(errors))


async def _of_pending(on: Transaction, ground: Ground, rows: list[Mapping[str, Any]]) -> list[str]:
    facts = await facts_of(on, ground, [row["id"] for row in rows])
    return [f"{row['contact_id']}: {sentence(preflight(facts[row['id']], ground.now))}" for row in rows]


def _blocks(verdict: Verdict) -> bool:
    return not isinstance(verdict, Go) and verdict.reason not in IN_LINE


def sentence(verdict: Verdict) -> str:
    """What speaks against a call, as a person would say it."""
    match verdict:
        case Wait(Reason.WINDOW, until=None):
            return "the campaign ends before it may be called"
        case Wait(reason, until, rule) if until is not None:
            return f"{_said(reason, rule, ',')} until {until:%Y-%m-%dT%H:%M:%SZ}"
        case Wait(reason, _, rule) | Never(reason, rule):
            return _said(reason, rule)
        case _:
            return "could be called by now"


def _said(reason: Reason, rule: str | None, then: str = "") -> str:
    said = SAID.get(reason, reason)
    return said if rule in (None, OWN) else f"{said}, by {rule}{then}"


def _of_ended(row: Mapping[str, Any]) -> str:
    reason = row["reason"] or row["outcome"] or row["status"]
    return f"{row['contact_id']}: {GIVEN_UP.get(reason, str(reason).replace('_', ' '))}"
