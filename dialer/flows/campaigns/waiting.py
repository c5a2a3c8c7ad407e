"""Why is it not dialling? What a campaign and each of its contacts wait for, and until when.

Decided by the preflight and, among those whom nothing speaks against, by the very planner and reading that release: whoever is
not among the next to be released waits for a slot, for the rate, or for another run. Whoever waits for nothing is dialled at the
scheduler's next look.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dialer.domain.machine import FINAL_CAMPAIGN, CampaignStatus
from dialer.domain.preflight import Go, Never, Reason, Verdict, Wait, by_campaign, preflight
from dialer.flows.campaigns.facts import Ground, facts_of
from dialer.flows.campaigns.means import Looking
from dialer.store import obstacles
from dialer.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Line:
    """Who is released next, and what all others wait for who may be called as well."""

    next: frozenset[str]
    others: Reason

    def verdict(self, enrolment: str, alone: Verdict) -> Verdict:
        """The verdict on one who stands in line; `alone` is that of the preflight."""
        return Wait(self.others) if isinstance(alone, Go) and enrolment not in self.next else alone


NOBODY = Line(frozenset(), Reason.NO_FREE_SLOT)


async def line_of(means: Looking, ground: Ground) -> Line:
    """The line of a campaign that runs (or is taken to), by the reading and the planner of a release."""
    if ground.facts.campaign_status is not CampaignStatus.RUNNING or ground.facts.rules is None:
        return NOBODY
    budget, free = ground.facts.budget, ground.facts.free
    first = frozenset(each.enrolment for each in await means.preview(ground.row["id"], budget))
    if ground.probing is not None:
        return Line(first, ground.probing)
    if budget is not None and (len(first) >= budget or (free is not None and budget <= free)):
        return Line(first, Reason.RUN_LIMIT)
    paced = ground.facts.rules.calls_per_second is not None and (free is None or len(first) < free)
    return Line(first, Reason.RATE if paced else Reason.NO_FREE_SLOT)


async def contacts_wait(
    on: Transaction, means: Looking, ground: Ground, enrolments: Collection[str]
) -> dict[str, dict[str, Any] | None]:
    """What each of these enrolments waits for; None = for nothing."""
    facts = await facts_of(on, ground, enrolments)
    verdicts = {id: preflight(each, ground.now) for id, each in facts.items()}
    if any(isinstance(each, Go) for each in verdicts.values()):
        line = await line_of(means, ground)
        verdicts = {id: line.verdict(id, each) for id, each in verdicts.items()}
    return {id: shown(each) for id, each in verdicts.items()}


async def campaign_waits(on: Transaction, means: Looking, ground: Ground) -> dict[str, Any] | None:
    """What the campaign waits for: None while somebody is released next, when nobody waits for a call, and after its end. Of its
    contacts only the first of each lane are looked at: none behind them comes before."""
    if ground.facts.campaign_status in FINAL_CAMPAIGN:
        return None
    if (wait := by_campaign(ground.facts)) is not None:
        return shown(wait)
    heads = await obstacles.heads(on, ground.row["id"])
    if not heads or (await line_of(means, ground)).next:
        return None
    return shown(soonest([preflight(each, ground.now) for each in (await facts_of(on, ground, heads)).values()]))


def soonest(verdicts: Collection[Verdict]) -> Verdict:
    """The verdict of whoever is called first; of those who are called at the same time or never, the one that names a rule, then
    the first of the alphabet, so that the order of reading makes no difference. At least one."""

    def order(verdict: Verdict) -> tuple[int, float, bool, str, str]:
        if isinstance(verdict, Go):
            return 0, 0, False, "", ""
        saying = verdict.rule is None, verdict.reason, verdict.rule or ""
        if isinstance(verdict, Never):
            return 3, 0, *saying
        return (1, 0, *saying) if verdict.until is None else (2, verdict.until.timestamp(), *saying)

    return min(verdicts, key=order)


def shown(verdict: Verdict) -> dict[str, Any] | None:
    """As the API shows it: `reason`, `until` (null = until somebody does something, or a slot is freed) and the `rule` whose it
    is, where several could be. None when nothing speaks against calling now, and in a campaign that has ended: nobody waits."""
    match verdict:
        case Never(Reason.ENDED) | Go():
            return None
        case Never(reason):
            return _shown(reason, None, verdict.rule)
        case Wait(reason, until):
            return _shown(reason, until, verdict.rule)


def _shown(reason: Reason, until: datetime | None, rule: str | None) -> dict[str, Any]:
    return {"reason": reason.value, "until": until} | ({} if rule is None else {"rule": rule})
