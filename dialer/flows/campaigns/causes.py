"""What exactly stands behind a reason that may have several causes: the sentence by which an operator finds the one to mend.

Read only where somebody asks why it is not dialling; nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dialer.domain.breaker import Cause
from dialer.domain.campaign import rules_of
from dialer.domain.errors import Invalid
from dialer.domain.preflight import Reason
from dialer.domain.retry import PERHAPS_INVALID
from dialer.flows.campaigns.facts import Ground, facts_of
from dialer.flows.campaigns.settings import checked
from dialer.store import obstacles
from dialer.store.transaction import Transaction
from scheduler.places import Place

MOST_ZONES = 4
"""So many zones are named one by one."""

PAUSES = {
    "user": "somebody paused it",
    "window_ended": "its end has come (settings.scheduledEndAt)",
}
CARRIERS = {
    Cause.CONFIG: "the carrier of the trunk {trunk} refuses our credentials or account; one call a minute tries again",
    Cause.ENDINGS: "the carrier of the trunk {trunk} takes calls, and all of them fail",
    Cause.RATE: "the carrier of the trunk {trunk} asked to wait",
    Cause.REQUEST: "the carrier refuses the calls of this campaign one after another; one call tries again now and then",
    Cause.TRUNK: "the carrier of the trunk {trunk} is not reached or does not answer",
}

DOUBTED = (
    "the carrier said that nobody has this number, and is not certain of it: it is called again then, and given up if that is"
    " said a second time"
)


async def cause_of(on: Transaction, ground: Ground, waits: Mapping[str, Any]) -> str | None:
    """What exactly holds the campaign back that is said to wait for this; None where the reason says all there is."""
    rules = ground.facts.rules
    match Reason(waits["reason"]):
        case Reason.PAUSED:
            return PAUSES.get(ground.row["pause_reason"])
        case Reason.TRUNK_CONFIG:
            return _unready(ground) or _carrier(ground)
        case Reason.TRUNK_BREAKER:
            return _carrier(ground)
        case Reason.RATE if ground.cause is None and waits["until"] is None and rules is not None:
            return f"settings.callsPerSecond of the campaign is {rules.calls_per_second:g}"
        case Reason.RATE:
            return _carrier(ground) or CARRIERS[Cause.RATE].format(trunk=ground.row["trunk"])
        case Reason.CALLER_IDS_EXHAUSTED:
            return await _numbers(on, ground)
        case Reason.WINDOW if waits["until"] is None and rules is not None and rules.ends is not None:
            return f"nobody is called from {rules.ends:%Y-%m-%dT%H:%M:%SZ} on (settings.scheduledEndAt)"
        case _:
            return None


async def cause_of_contact(on: Transaction, ground: Ground, contact: Mapping[str, Any], waits: Mapping[str, Any]) -> str | None:
    """The same of one contact that waits, or may never be called: the `id` of its enrolment, and the ledger's `reason`."""
    reason, enrolment = Reason(waits["reason"]), contact["id"]
    if reason is Reason.NEXT_ATTEMPT and contact["reason"] == PERHAPS_INVALID:
        return DOUBTED
    if reason is Reason.SUPPRESSED:
        return "; ".join(map(_entry, await obstacles.suppressions_of(on, enrolment, ground.now))) or None
    if reason is Reason.NEVER_CALLABLE or (reason is Reason.WINDOW and waits["until"] is not None):
        return _clocks((await facts_of(on, ground, [enrolment]))[enrolment].place)
    return await cause_of(on, ground, waits)


def _unready(ground: Ground) -> str | None:
    row = ground.row
    if not row["outbound_enabled"]:
        return f"the assistant {row['assistant_id']} makes no calls (outboundEnabled is false)"
    if not ground.facts.trunk_ready:
        return f"the assistant {row['assistant_id']} calls through the adapter {row['trunk']}, which is not configured here"
    return _unreadable(row) if ground.facts.rules is None else None


def _unreadable(row: Mapping[str, Any]) -> str:
    try:
        checked(row)
        rules_of(row)
    except (Invalid, ValueError) as fault:
        return f"the campaign's rules cannot be read: {fault}"
    return "the campaign's rules cannot be read"


def _carrier(ground: Ground) -> str | None:
    return None if ground.cause is None else CARRIERS[ground.cause].format(trunk=ground.row["trunk"])


async def _numbers(on: Transaction, ground: Ground) -> str:
    """How many of the campaign's caller IDs cannot be shown for which reason."""
    active = await obstacles.of_numbers(on, ground.row["id"], ground.now)
    resting = sum(each["resting_until"] is not None for each in active)
    spent = sum(each["resting_until"] is None and each["today"] is not None and each["today"] <= 0 for each in active)
    idle = len(ground.row["from_number_ids"]) - len(active)
    told = ((idle, "inactive, or not of the assistant's adapter"), (spent, "at their dailyLimit until midnight UTC"))
    counts = [f"{n} {what}" for n, what in (*told, (resting, "resting, for callees blocked them")) if n]
    return f"caller IDs of the campaign: {'; '.join(counts)}"


def _clocks(place: Place) -> str:
    zones = place.zones
    if not zones:
        return "nobody knows in which time zone its phone may ring"
    if len(zones) == 1:
        return f"by the clock of {zones[0]}"
    named = ", ".join(zones) if len(zones) <= MOST_ZONES else f"{len(zones)} time zones, such as {zones[0]} and {zones[-1]}"
    return f"its phone may ring in {named}; the hours must be open in all of them at once"


def _entry(row: Mapping[str, Any]) -> str:
    whose = {"global": "for all teams", "team": "for the team", "campaign": "for the campaign"}[row["scope"]]
    until = "for ever" if row["expires_at"] is None else f"until {row['expires_at']:%Y-%m-%dT%H:%M:%SZ}"
    said = "".join(f", {name}: {row[name]}" for name in ("reason", "source") if row[name])
    return f"{row['id']} {whose}, {until}{said}"
