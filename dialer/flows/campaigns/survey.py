"""What would happen if the campaign ran now, and what everybody waits for as it stands: counts instead of calls.

Places nothing, writes nothing. All contacts are judged by the preflight, in the few crowds that one verdict holds for, so that a
campaign of 100,000 is answered within a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dialer.domain.errors import Conflict, NotFound
from dialer.domain.forecast import Crowd, finish
from dialer.domain.machine import FINAL_CAMPAIGN, ContactStatus
from dialer.domain.preflight import Go, Never, Reason, Verdict, Wait, preflight
from dialer.flows.campaigns.causes import cause_of, cause_of_contact
from dialer.flows.campaigns.facts import GIVEN_UP, Ground, caps_by_place, facts_of_crowd, ground_of
from dialer.flows.campaigns.look import alive, found
from dialer.flows.campaigns.means import Looking
from dialer.flows.campaigns.members import NOT_CALLED
from dialer.flows.campaigns.waiting import campaign_waits, contacts_wait, line_of
from dialer.store import dashboard, enrolments, obstacles
from dialer.store.places import place_of
from dialer.store.transaction import Transaction, reading
from scheduler.policies import OWN

USUAL_SECONDS = 60.0
"""How long a call is taken to hold its slot before the team has ended enough of them."""

ENOUGH_CALLS = 20
"""So many ended calls make a mean."""

IN_LINE = frozenset({Reason.NO_FREE_SLOT, Reason.RATE, Reason.RUN_LIMIT})
"""What people wait for who may be called now."""


@dataclass(frozen=True, slots=True)
class Group:
    """`contacts` that wait for the same; `reason` None = for nothing. `until` is the earliest of them. `rule`: that of a policy
    pack, where it is not the campaign's own."""

    reason: Reason | None
    contacts: int
    until: datetime | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """`finish_at` null = not within 90 days. `measured_over`: whose calls `seconds_per_call` is the mean of (`calls_measured` of
    them), "default" where there are too few."""

    finish_at: datetime | None
    calls: int
    slots: int | None
    seconds_per_call: float
    measured_over: str
    calls_measured: int
    how: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """Every contact of the campaign is in exactly one of `dialable_now`, `later`, `blocked`, `never_callable`, `under_way` and
    `done`. `starting` of the dialable would be released at once."""

    contacts: int
    dialable_now: int
    starting: int
    later: int
    next_at: datetime | None
    later_by_reason: tuple[Group, ...]
    blocked: int
    blocked_by_reason: tuple[Group, ...]
    never_callable: int
    never_by_rule: tuple[Group, ...]
    under_way: int
    done: int
    estimate: Estimate


async def preflight_of(means: Looking, team: str, campaign: str) -> Preflight:
    """The counts of a run without a limit that would begin now. Raises `NotFound`, or `Conflict` for an ended campaign."""
    async with reading(means.database) as on:
        row = await alive(on, team, campaign)
        if row["status"] in FINAL_CAMPAIGN:
            raise Conflict(f"The campaign is {row['status']} and calls nobody any more.")
        ground = (await ground_of(on, campaign, means.trunks, means.clock.now())).started(None)
        judged = await _judged(on, ground)
        endings = await obstacles.endings(on, campaign)
        tallies = await enrolments.tallies(on, campaign)
        starting = len((await line_of(means, ground)).next)
        estimate = await _estimate(on, ground, judged)
    groups = [_group(verdict, crowd["n"]) for crowd, verdict in judged]
    ended = [(GIVEN_UP.get(r["reason"]), r["n"]) for r in endings]
    later = _merged([each for each in groups if each.until is not None])
    never = [each for each in groups if each.reason is Reason.NEVER_CALLABLE]
    now = [each for each in groups if each.until is None and (each.reason is None or each.reason in IN_LINE)]
    stuck = [each for each in groups if each.until is None and each not in now and each not in never]
    blocked = _merged([*stuck, *(Group(reason, n) for reason, n in ended if reason is not None)])
    return Preflight(
        contacts=row["total_contacts"],
        dialable_now=sum(each.contacts for each in now),
        starting=starting,
        later=sum(g.contacts for g in later),
        next_at=min((g.until for g in later if g.until is not None), default=None),
        later_by_reason=later,
        blocked=sum(g.contacts for g in blocked),
        blocked_by_reason=blocked,
        never_callable=sum(each.contacts for each in never),
        never_by_rule=_merged(never),
        under_way=_under_way(tallies),
        done=sum(n for reason, n in ended if reason is None),
        estimate=estimate,
    )


@dataclass(frozen=True, slots=True)
class Limit:
    """What lets no more calls be made at once: `active` of the `cap` slots of a `scope` (campaign, team, trunk, assistant, fleet
    or caller_ids) are taken; of slow_start the cap is what is allowed by now."""

    scope: str
    active: int
    cap: int


@dataclass(frozen=True, slots=True)
class Ending:
    """`contacts` that are not called any more, by their `status` and the ledger's word for why."""

    status: str
    reason: str | None
    contacts: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a campaign is not dialling: what itself waits for (`detail`: what exactly, where that may be several things), its
    waiting contacts by what they wait for, where some wait for a free slot which limit it is that they wait for, how many
    contacts are `under_way` to the end of a call, and those that are called no more."""

    campaign: Mapping[str, Any]
    waiting_for: Mapping[str, Any] | None
    detail: str | None
    groups: tuple[Group, ...]
    limit: Limit | None
    under_way: int
    endings: tuple[Ending, ...]


async def explain(means: Looking, team: str, campaign: str) -> Explanation:
    """As the campaign stands. Raises `NotFound`."""
    async with reading(means.database) as on:
        row = await found(on, team, campaign)
        ground = await ground_of(on, campaign, means.trunks, means.clock.now())
        waits = await campaign_waits(on, means, ground)
        judged = await _judged(on, ground)
        line = await line_of(means, ground)
        limit = await _limit(on, ground, len(line.next))
        detail = None if waits is None else await cause_of(on, ground, waits)
        tallies = await enrolments.tallies(on, campaign)
        endings = tuple(Ending(e["status"], e["reason"], e["n"]) for e in await obstacles.endings(on, campaign))
    groups = [_group(verdict, crowd["n"]) for crowd, verdict in judged]
    free = sum(each.contacts for each in groups if each.reason is None)
    first = min(len(line.next), free)
    stand = [Group(None, first), Group(line.others, free - first), *(each for each in groups if each.reason is not None)]
    merged = _merged([each for each in stand if each.contacts])
    reached = limit if any(g.reason is Reason.NO_FREE_SLOT for g in merged) else None
    return Explanation(row, waits, detail, merged, reached, _under_way(tallies), endings)


async def _limit(on: Transaction, ground: Ground, first: int) -> Limit | None:
    """The limit on calls at once that is reached with the `first` calls that are released next."""
    active = ground.row["slots_used"]
    if ground.facts.free is None or first < ground.facts.free:
        return Limit("slow_start", active, active + first)
    shared = await obstacles.fullest(on, ground.row["id"])
    numbers = [n for n in await obstacles.of_numbers(on, ground.row["id"], ground.now) if n["today"] is None or n["today"] > 0]
    if all(n["most"] is not None for n in numbers):
        most, left = sum(n["most"] for n in numbers), sum(max(n["free"], 0) for n in numbers)
        if shared is None or left < shared["cap"] - shared["active"]:
            return Limit("caller_ids", most - left, most)
    return None if shared is None else Limit(shared["scope"], shared["active"], shared["cap"])


async def explain_contact(means: Looking, team: str, campaign: str, who: str) -> Mapping[str, Any]:
    """One contact of the campaign, by its own id or its enrolment's: `id`, `contact_id`, `status`, `outcome`, `reason` (the
    ledger's word for why it stands so), `attempts`, `next_attempt_at`, `campaign_status`, `waiting_for`, and as `detail` what
    exactly that is, where it may be several things. Raises `NotFound`."""
    async with reading(means.database) as on:
        status = (await found(on, team, campaign))["status"]
        row = await enrolments.one(on, campaign, who)
        if row is None:
            raise NotFound(f"contact {who}: is not in the campaign {campaign}; list its contacts to find the id.")
        ground = await ground_of(on, campaign, means.trunks, means.clock.now())
        waits = (await contacts_wait(on, means, ground, [row["id"]]))[row["id"]] if row["status"] in NOT_CALLED else None
        detail = None
        if waits is not None and (row["status"] == ContactStatus.PENDING or waits["reason"] == Reason.SUPPRESSED):
            detail = await cause_of_contact(on, ground, row, waits)
        return {**row, "campaign_status": status, "waiting_for": waits, "detail": detail}


def _under_way(tallies: Sequence[Mapping[str, Any]]) -> int:
    return sum(t["n"] for t in tallies if t["status"] in ("queued", "calling"))


async def _judged(on: Transaction, ground: Ground) -> list[tuple[Mapping[str, Any], Verdict]]:
    kept = await caps_by_place(on, ground)
    crowds = await obstacles.crowds(on, ground.row["id"], ground.now, ground.expiry, kept)
    return [(crowd, preflight(facts_of_crowd(ground, crowd), ground.now)) for crowd in crowds]


def _group(verdict: Verdict, contacts: int) -> Group:
    match verdict:
        case Go():
            return Group(None, contacts)
        case Wait(reason, until, rule):
            return Group(reason, contacts, until, None if rule == OWN else rule)
        case Never(reason, rule):
            return Group(reason, contacts, rule=None if rule == OWN else rule)


def _merged(groups: Sequence[Group]) -> tuple[Group, ...]:
    """One group a reason and rule, the largest first."""
    found: dict[tuple[Reason | None, str | None], Group] = {}
    for each in groups:
        key = each.reason, each.rule
        was = found.get(key, Group(each.reason, 0))
        times = [at for at in (was.until, each.until) if at is not None]
        found[key] = Group(each.reason, was.contacts + each.contacts, min(times, default=None), each.rule)
    return tuple(sorted(found.values(), key=lambda group: (-group.contacts, group.reason or "", group.rule or "")))


async def _estimate(on: Transaction, ground: Ground, judged: Sequence[tuple[Mapping[str, Any], Verdict]]) -> Estimate:
    seconds, over, measured = await _seconds_per_call(on, ground)
    slots = ground.most
    rules = ground.facts.rules
    crowds = [
        Crowd(place_of(c), c["n"], max(at for at in (c["next_attempt_at"], c["suppressed_until"], c["capped_until"]) if at))
        for c, v in judged
        if not isinstance(v, Never) and (isinstance(v, Go) or v.reason in IN_LINE or v.until is not None)
    ]
    pace = min((n for n in (slots and slots / seconds, rules and rules.calls_per_second) if n), default=None)
    end = finish(crowds, rules, pace, ground.now) if rules is not None and pace is not None else None
    calls = sum(crowd.contacts for crowd in crowds)
    source = {"campaign": "measured over the campaign's last calls", "team": "measured over the team's last calls"}
    bounds = "call windows" if rules is None or rules.ends is None else "call windows and before the campaign's end"
    how = (
        f"{calls} contacts once each, {slots if slots is not None else 'unlimited'} at a time, {seconds:.0f} s a call"
        f" ({source.get(over, 'assumed, too few calls have ended yet')}), only inside {bounds};"
        " retries, frequency caps, daily limits of caller IDs and other campaigns on the same slots come on top."
    )
    return Estimate(end, calls, slots, round(seconds, 1), over, measured, how)


async def _seconds_per_call(on: Transaction, ground: Ground) -> tuple[float, str, int]:
    """The mean, whose calls it is of, and how many they were."""
    n, seconds = await dashboard.mean_seconds(on, "campaign", ground.row["id"])
    if n >= ENOUGH_CALLS:
        return seconds, "campaign", n
    n, seconds = await dashboard.mean_seconds(on, "team", ground.row["team_id"])
    if n >= ENOUGH_CALLS:
        return seconds, "team", n
    return USUAL_SECONDS, "default", 0
