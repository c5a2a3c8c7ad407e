"""The facts a preflight rests on, read in one place for whoever asks why somebody is not being called.

The campaign's own facts are read once for any number of contacts; a `Ground` is the campaign with nobody in particular on it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dialer.domain.campaign import CampaignRules, rules_of
from dialer.domain.machine import CampaignStatus
from dialer.domain.preflight import Facts, Never, Reason, Verdict, Wait, preflight
from dialer.store import obstacles
from dialer.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Ground:
    """What holds for every contact of a campaign at one moment, and its row in the ledger."""

    row: Mapping[str, Any]
    facts: Facts
    now: datetime

    def started(self, budget: int | None) -> Ground:
        """The same, as if a run of `budget` calls (None = unlimited) had just begun."""
        running = replace(self.facts, campaign_status=CampaignStatus.RUNNING, pause_reason=None, budget=budget)
        return replace(self, facts=running)

    def group(self, zones: tuple[str, ...], next_attempt_at: datetime) -> Verdict:
        """The verdict on anybody in these zones against whom nothing personal speaks."""
        return preflight(replace(self.facts, zones=zones, next_attempt_at=next_attempt_at), self.now)


async def ground_of(on: Transaction, campaign: str, trunks: Collection[str], now: datetime) -> Ground:
    """`trunks`: the names of those that are configured. The campaign must exist."""
    row = await obstacles.of_campaign(on, campaign)
    numbers = [n for n in await obstacles.of_numbers(on, campaign, now) if n["today"] is None or n["today"] > 0]
    shown = None if any(n["free"] is None for n in numbers) else sum(max(n["free"], 0) for n in numbers)
    free = min((n for n in (row["free"], shown) if n is not None), default=None)
    facts = Facts(
        campaign_status=CampaignStatus(row["status"]),
        pause_reason=row["pause_reason"],
        rules=_rules(row),
        zones=(),
        to_number="",
        do_not_call=False,
        suppressed_until=None,
        next_attempt_at=now,
        free=None if free is None else max(free, 0),
        budget=row["budget"],
        caller_ids=len(numbers),
        trunk_ready=row["outbound_enabled"] and row["trunk"] in trunks,
    )
    return Ground(row, facts, now)


def _rules(row: Mapping[str, Any]) -> CampaignRules | None:
    try:
        return rules_of(row)
    except ValueError:
        return None  # said by whoever releases; here it means: not ready


async def facts_of(on: Transaction, ground: Ground, enrolments: Collection[str]) -> dict[str, Facts]:
    """The facts of these enrolments of the ground's campaign."""
    rows = await obstacles.of_contacts(on, enrolments, ground.now) if enrolments else ()
    return {
        r["id"]: replace(
            ground.facts,
            zones=tuple(r["zones"]),
            to_number=r["to_number"],
            do_not_call=r["do_not_call"],
            suppressed_until=r["suppressed_until"],
            next_attempt_at=r["next_attempt_at"],
            busy=r["busy"],
        )
        for r in rows
    }


def waiting_for(facts: Facts, now: datetime) -> dict[str, Any] | None:
    """What a pending contact waits for: `reason` and `until` (null = until somebody does something about it). None when nothing
    speaks against calling it now, and in a campaign that has ended, where nobody waits."""
    match preflight(facts, now):
        case Never(Reason.ENDED):
            return None
        case Never(reason):
            return {"reason": reason.value, "until": None}
        case Wait(reason, until):
            return {"reason": reason.value, "until": until}
        case _:
            return None
