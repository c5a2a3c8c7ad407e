"""How commands say why somebody is not being called, until when, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dialer.cli.output import print_fields, print_json, print_table
from dialer.cli.reasons import SAID, ending, said, to_do, to_do_after

if TYPE_CHECKING:
    from dialer.flows.campaigns.survey import Explanation, Group, Limit, Preflight

LIMITS = {
    "assistant": "the limit of the assistant (its maxConcurrentCalls)",
    "caller_ids": "the limits of the caller IDs (their maxConcurrentCalls)",
    "campaign": "the limit of the campaign (its maxConcurrentCalls)",
    "fleet": "the limit of all calls together (scheduler.max_concurrent_calls)",
    "slow_start": "slow start: more every second (scheduler.slow_start_seconds)",
    "team": "the limit of the team (`dialer team edit --max-concurrent-calls`)",
    "trunk": "the limit of the trunk (max_concurrent_calls of its adapter)",
}
READY = "nothing: called at the next look"
UNDER_WAY = {"queued": "nothing: its call is about to be placed", "calling": "nothing: it is being called"}
OVER = ("completed", "cancelled")


def print_campaign(seen: Explanation, json: bool) -> None:
    row, waits = seen.campaign, seen.waiting_for
    shown = {name: row[name] for name in ("id", "name", "status", "pause_reason")}
    if json:
        limit = asdict(seen.limit) if seen.limit else None
        groups, endings = [_plain(each) for each in seen.groups], [asdict(each) for each in seen.endings]
        told = {"campaign": shown, "waiting_for": waits, "detail": seen.detail, "limit": limit}
        print_json(told | {"groups": groups, "under_way": seen.under_way, "endings": endings})
        return
    pause = row["pause_reason"]
    print_fields(
        shown
        | (_nothing(seen) if waits is None else _reason(waits, seen.detail, to_do(row["id"], *_when(waits), pause)))
        | {"calls at once": _limit(seen.limit) if seen.limit else None, "under way": seen.under_way or None}
    )
    known = None if waits is None else waits["reason"]
    over = row["status"] in OVER
    _print_groups(seen.groups, "Contacts that wait")
    if seen.endings:
        rows = [(each.contacts, ending(each.status, each.reason), each.reason or each.status) for each in seen.endings]
        print_table(("contacts", "why", "reason"), rows, title="\nContacts that are not called any more")
    words = [each.reason for each in seen.endings if each.status != "completed"]
    after = {word: to_do_after(row["id"], word, over=over) for word in words if word is not None}
    _print_remedies(_remedies(row["id"], [g for g in seen.groups if g.reason != known]) | after)


def print_contact(row: Mapping[str, Any], campaign: str, json: bool) -> None:
    if json:
        print_json(row)
        return
    waits, over, status = row["waiting_for"], row["campaign_status"] in OVER, row["status"]
    fields = {name: row[name] for name in ("id", "contact_id", "status", "outcome", "attempts")}
    if status in UNDER_WAY:
        fields["waits for"] = UNDER_WAY[status]
    elif status != "pending":
        word = row["reason"]
        fields |= {"not called": ending(status, word, row["outcome"]), "exactly": row["detail"], "reason": word}
        fields["what to do"] = None if status == "completed" else to_do_after(campaign, word, over=over)
    elif waits is None and not over:
        fields |= {"next_attempt_at": row["next_attempt_at"], "waits for": READY}
    else:
        waits = waits or {"reason": "ended", "until": None}
        fields["next_attempt_at"] = None if over else row["next_attempt_at"]
        fields |= _reason(waits, row["detail"], to_do(campaign, *_when(waits)))
    print_fields(fields)


def print_preflight(seen: Preflight, json: bool) -> None:
    if json:
        print_json(asdict(seen))
        return
    counts = ("contacts", "dialable_now", "starting", "later", "next_at", "blocked", "never_callable", "under_way", "done")
    print_fields({name: getattr(seen, name) for name in counts})
    _print_groups((*seen.later_by_reason, *seen.blocked_by_reason, *seen.never_by_rule), "Not now")
    end = seen.estimate.finish_at
    print(
        f"\nEstimated finish: {_time(end) if end else 'not within 90 days, or not before the campaign ends'}\n{seen.estimate.how}"
    )


def _limit(limit: Limit) -> str:
    return f"{limit.active} of {limit.cap}, by {LIMITS[limit.scope]}"


def _nothing(seen: Explanation) -> dict[str, Any]:
    """Of a campaign that waits for nothing, which does not mean that anybody is called."""
    status = seen.campaign["status"]
    if status in OVER:
        return {"not called": SAID["ended"]}
    if any(group.reason is None for group in seen.groups):
        return {"waits for": READY}
    if seen.under_way:
        return {"waits for": "nothing: its calls are under way"}
    return {
        "not called": "no contact of it waits for a call",
        "what to do": f"`dialer campaign add {seen.campaign['id']}` adds contacts",
    }


def _reason(waits: Mapping[str, Any], detail: str | None, remedy: str) -> dict[str, Any]:
    reason, until = _when(waits)
    text = said(reason, until, waits.get("rule"))
    why = text if until is None else f"{text}, until {_time(until)}"
    return {"not called": why, "exactly": detail, "reason": reason, "what to do": remedy}


def _when(waits: Mapping[str, Any]) -> tuple[str, datetime | None]:
    return waits["reason"], waits["until"]


def _print_groups(groups: Sequence[Group], title: str) -> None:
    if groups:
        rows = [(g.contacts, said(g.reason, g.until, g.rule) if g.reason else READY, g.reason, g.until) for g in groups]
        print_table(("contacts", "wait for", "reason", "until (first of them)"), rows, title=f"\n{title}")


def _remedies(campaign: str, groups: Sequence[Group]) -> dict[str, str | None]:
    return {group.reason.value: to_do(campaign, group.reason, group.until) for group in groups if group.reason is not None}


def _print_remedies(remedies: Mapping[str, str | None]) -> None:
    if any(remedies.values()):
        print("\nWhat to do")
        print_fields(remedies)


def _plain(group: Group) -> dict[str, Any]:
    plain = {"reason": group.reason, "contacts": group.contacts, "until": group.until}
    return plain | ({} if group.rule is None else {"rule": group.rule})


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
