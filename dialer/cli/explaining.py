"""How commands say why somebody is not being called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dialer.cli.output import print_fields, print_json, print_table

if TYPE_CHECKING:
    from dialer.flows.campaigns.survey import Explanation, Group, Limit, Preflight

SAID = {
    "attempts_exhausted": "all attempts are used up",
    "caller_ids_exhausted": "no caller ID is active, or those that are have used up their day or rest because they were blocked",
    "do_not_call": "do not call",
    "expired": "it has waited too long since it was enrolled",
    "frequency_cap": "it has been called as often as the caps allow",
    "never_callable": "the call window never opens there, or the time zone is unknown",
    "next_attempt": "the next attempt is not due yet",
    "callback": "a callback was asked for, and its time has not come",
    "no_free_slot": "every slot is taken; the next call that ends gives one back",
    "no_phone": "no phone number",
    "not_started": "the campaign was not started",
    "number_busy": "the person or the number is in another call",
    "paused": "the campaign is paused",
    "quarantined": "no call could be made of it, each was refused; its calls tell why",
    "rate": "calls per second are limited, or the carrier asked to wait",
    "run_limit": "the run has used up its calls",
    "suppressed": "the number is suppressed",
    "trunk_breaker": "the carrier does not take calls; it is tried again every few seconds",
    "trunk_config": "the assistant, its trunk or the campaign's rules are not ready, or the carrier refuses our configuration",
    "window": "outside the call window",
}
OWN = "campaign"
"""The rule that needs no naming."""
ENDS = "the campaign ends before; move its end"
"""What `window` means without a time."""
LIMITS = {
    "caller_ids": "the limits of the caller IDs",
    "fleet": "the limit of all calls together (scheduler.max_concurrent_calls)",
    "slow_start": "slow start: more every second (scheduler.slow_start_seconds)",
}
READY = "nothing: called at the next look"


def print_campaign(seen: Explanation, json: bool) -> None:
    row = seen.campaign
    shown = {name: row[name] for name in ("id", "name", "status", "pause_reason")}
    if json:
        limit = asdict(seen.limit) if seen.limit else None
        groups = [_plain(each) for each in seen.groups]
        print_json({"campaign": shown, "waiting_for": seen.waiting_for, "limit": limit, "groups": groups})
        return
    limits = {"calls at once": _limit(seen.limit)} if seen.limit else {}
    print_fields(shown | {"waits for": _waits(seen.waiting_for, row["status"])} | limits)
    _print_groups(seen.groups, "\nContacts that wait")


def print_contact(row: Mapping[str, Any], json: bool) -> None:
    if json:
        print_json(row)
        return
    waits = row["waiting_for"]
    called = {"queued": "nothing: its call is about to be placed", "calling": "nothing: it is being called"}
    said = _waits(waits, "") if waits else called.get(row["status"], READY if row["status"] == "pending" else None)
    print_fields({**{name: value for name, value in row.items() if name != "waiting_for"}, "waits for": said})


def print_preflight(seen: Preflight, json: bool) -> None:
    if json:
        print_json(asdict(seen))
        return
    counts = ("contacts", "dialable_now", "starting", "later", "next_at", "blocked", "never_callable", "under_way", "done")
    print_fields({name: getattr(seen, name) for name in counts})
    _print_groups((*seen.later_by_reason, *seen.blocked_by_reason, *seen.never_by_rule), "\nNot now")
    end = seen.estimate.finish_at
    print(
        f"\nEstimated finish: {_time(end) if end else 'not within 90 days, or not before the campaign ends'}\n{seen.estimate.how}"
    )


def _limit(limit: Limit) -> str:
    said = LIMITS.get(limit.scope, f"the limit of the {limit.scope}")
    return f"{limit.active} of {limit.cap}, by {said}"


def _waits(waits: Mapping[str, Any] | None, status: str) -> str | None:
    if waits is None:
        return "nothing" if status == "running" else None
    until = waits["until"]
    said = _said(waits["reason"], until, waits.get("rule"))
    return f"{said}, until {_time(until)}" if until else said


def _said(reason: str, until: datetime | None, rule: str | None) -> str:
    said = ENDS if reason == "window" and until is None else SAID.get(reason, reason)
    return said if rule in (None, OWN) else f"{said}, by {rule}"


def _print_groups(groups: Sequence[Group], title: str) -> None:
    if groups:
        rows = [(g.contacts, _said(g.reason, g.until, g.rule) if g.reason else READY, g.until) for g in groups]
        print_table(("contacts", "wait for", "until (first of them)"), rows, title=title)


def _plain(group: Group) -> dict[str, Any]:
    plain = {"reason": group.reason, "contacts": group.contacts, "until": group.until}
    return plain | ({} if group.rule is None else {"rule": group.rule})


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
