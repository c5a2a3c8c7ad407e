"""The facts a preflight rests on, read in one place for whoever asks why somebody is not being called.

The campaign's own facts are read once for any number of contacts; a `Ground` is the campaign with nobody in particular on it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from dialer.domain.breaker import Cause
from dialer.domain.campaign import CampaignRules, rules_of
from dialer.domain.machine import OPEN_CONTACT, CampaignStatus
from dialer.domain.preflight import Facts, Reason, Verdict, preflight
from dialer.flows.breakers import REASONS
from dialer.store import breakers, caps, obstacles
from dialer.store.direct import hot
from dialer.store.places import place_of
from dialer.store.transaction import Transaction
from scheduler.frequency import FrequencyCap, History, held
from scheduler.places import UNKNOWN, Place

DEFERRED = {
    "callback": Reason.CALLBACK,
    "frequency_cap": Reason.FREQUENCY_CAP,
    "number_busy": Reason.NUMBER_BUSY,
    "rate": Reason.RATE,
}
"""Why an enrolment was put off, by what the ledger says of it, where it is not that a call was tried."""

GIVEN_UP = {
    "attempts_exhausted": Reason.ATTEMPTS_EXHAUSTED,
    "config_failures": Reason.TRUNK_CONFIG,
    "do_not_call": Reason.DO_NOT_CALL,
    "expired": Reason.EXPIRED,
    "no_phone": Reason.NO_PHONE,
    "quarantined": Reason.QUARANTINED,
    "request_failures": Reason.QUARANTINED,
    "suppressed": Reason.SUPPRESSED,
    "trunk_failures": Reason.TRUNK_CONFIG,
    "unreadable_rules": Reason.TRUNK_CONFIG,
}
"""Why an enrolment was skipped or has failed, by what the ledger says of it, where the outcome alone does not say it."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What holds for every contact of a campaign at one moment, and its row in the ledger. `most` calls at once are allowed while
    nothing else runs; None = no limit. `probing`: only one call is let through, for a breaker is open for this reason, and
    this is its `cause`."""

    row: Mapping[str, Any]
    facts: Facts
    now: datetime
    most: int | None = None
    probing: Reason | None = None
    cause: Cause | None = None

    def started(self, budget: int | None) -> Ground:
        """The same, as if a run of `budget` calls (None = unlimited) had just begun."""
        running = replace(self.facts, campaign_status=CampaignStatus.RUNNING, pause_reason=None, budget=budget)
        return replace(self, facts=running)

    def expires(self, enrolled_at: datetime) -> datetime | None:
        """From when on somebody who was enrolled then is not called any more."""
        return None if self.facts.rules is None else self.facts.rules.expires(enrolled_at)

    @property
    def expiry(self) -> timedelta | None:
        return None if self.facts.rules is None else self.facts.rules.expiry

    def caps_at(self, place: Place) -> tuple[FrequencyCap, ...]:
        return () if self.facts.rules is None else self.facts.rules.caps_at(place, self.now)

    def group(self, group: Mapping[str, Any]) -> Verdict:
        """The verdict on anybody in one of `store.obstacles.pending_groups` against whom nothing else that is personal speaks."""
        facts = replace(
            self.facts,
            place=place_of(group),
            next_attempt_at=group["next_attempt_at"],
            expires_at=self.expires(group["enrolled_at"]),
            capped_until=group["capped_until"],
        )
        return preflight(facts, self.now)


async def ground_of(on: Transaction, campaign: str, trunks: Collection[str], now: datetime) -> Ground:
    """`trunks`: the names of those that are configured. The campaign must exist."""
    row = await obstacles.of_campaign(on, campaign)
    active = await obstacles.of_numbers(on, campaign, now)
    numbers = [n for n in active if _shown_from(n, now) == now]
    shown = None if any(n["free"] is None for n in numbers) else sum(max(n["free"], 0) for n in numbers)
    free = min((n for n in (row["free"], shown) if n is not None), default=None)
    held = await breakers.holding(on, [f"campaign:{campaign}", f"trunk:{row['trunk']}"])
    cause = Cause(held[0]["cause"]) if held else None
    waits = None if cause is None else REASONS[cause]
    shut = waits is not None and not all(each["due"] for each in held)
    facts = Facts(
        campaign_status=CampaignStatus(row["status"]),
        pause_reason=row["pause_reason"],
        rules=_rules(row),
        place=UNKNOWN,
        to_number="",
        do_not_call=False,
        suppressed_until=None,
        next_attempt_at=now,
        free=None if free is None else max(free, 0),
        budget=row["budget"],
        caller_ids=len(numbers),
        trunk_ready=row["outbound_enabled"] and row["trunk"] in trunks,
        held=waits if shut else None,
        held_until=held[0]["probe_at"] if shut and waits is not Reason.TRUNK_CONFIG else None,
        starts_at=row["scheduled_start_at"] if row["status"] == CampaignStatus.SCHEDULED else None,
        caller_ids_at=min((_shown_from(n, now) for n in active), default=None),
    )
    widest = None if any(n["most"] is None for n in numbers) else sum(n["most"] for n in numbers)
    most = min((n for n in (row["most"], widest) if n is not None), default=None)
    return Ground(row, facts, now, most, waits, cause)


def _shown_from(number: Mapping[str, Any], now: datetime) -> datetime:
    """When an active caller ID may be shown next, busy or not: once it has rested, and on no UTC day whose limit is used up."""
    rested: datetime = number["resting_until"] or now
    if number["today"] is None or number["today"] > 0:
        return rested
    return max(rested, datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC))


def _rules(row: Mapping[str, Any]) -> CampaignRules | None:
    try:
        return rules_of(row)
    except ValueError:
        return None  # said by whoever releases; here it means: not ready


async def facts_of(on: Transaction, ground: Ground, enrolments: Collection[str]) -> dict[str, Facts]:
    """The facts of these enrolments of the ground's campaign."""
    rows = await obstacles.of_contacts(on, enrolments, ground.now) if enrolments else ()
    caps_of = [ground.caps_at(place_of(r)) for r in rows]
    histories = await _histories(on, ground, rows, caps_of)
    holds = [held(kept, history, ground.now) for kept, history in zip(caps_of, histories, strict=True)]
    return {
        r["id"]: replace(
            ground.facts,
            place=place_of(r),
            to_number=r["to_number"],
            do_not_call=r["do_not_call"],
            suppressed_until=r["suppressed_until"],
            next_attempt_at=r["next_attempt_at"],
            busy=r["busy"],
            deferred=DEFERRED.get("callback" if r["next_attempt_at"] == r["callback_at"] else r["reason"]),
            given_up=None if r["status"] in OPEN_CONTACT else GIVEN_UP.get(r["reason"], Reason.ENDED),
            expires_at=ground.expires(r["created_at"]),
            capped_until=None if hold is None else hold.until,
            capped_by=None if hold is None else str(hold.cap),
        )
        for r, hold in zip(rows, holds, strict=True)
    }


async def _histories(
    on: Transaction, ground: Ground, rows: Sequence[Mapping[str, Any]], caps_of: Sequence[tuple[FrequencyCap, ...]]
) -> list[History]:
    """The calls that these contacts' caps count; none are read where there are no caps."""
    every = {cap for kept in caps_of for cap in kept}
    if not every:
        return [History()] * len(rows)
    pairs = [(r["to_number"] or "", r["contact_id"]) for r in rows]
    return await caps.histories(await hot(on), ground.row["team_id"], pairs, every, ground.now)


async def caps_by_place(on: Transaction, ground: Ground) -> dict[int, tuple[FrequencyCap, ...]]:
    """The caps of each place set at which somebody of the campaign waits; those without any are left out."""
    rules = ground.facts.rules
    if rules is None or not (rules.caps or rules.hours.packs):
        return {}
    found = {row["id"]: ground.caps_at(place_of(row)) for row in await obstacles.places_of(on, ground.row["id"])}
    return {place: kept for place, kept in found.items() if kept}


def facts_of_crowd(ground: Ground, crowd: Mapping[str, Any]) -> Facts:
    """The facts that hold for everybody in one of `store.obstacles.crowds`."""
    return replace(
        ground.facts,
        place=place_of(crowd),
        to_number=None if crowd["no_number"] else "",
        do_not_call=crowd["do_not_call"],
        suppressed_until=crowd["suppressed_until"],
        next_attempt_at=crowd["next_attempt_at"],
        busy=crowd["busy"],
        deferred=DEFERRED.get(crowd["reason"]),
        expires_at=ground.expires(crowd["enrolled_at"]),
        capped_until=crowd["capped_until"],
    )
