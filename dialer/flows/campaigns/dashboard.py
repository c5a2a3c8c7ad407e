"""A campaign at a glance: counts, who is called next and now, the newest calls, and how fast it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dialer.domain.machine import OPEN_CONTACT, CampaignStatus, ContactStatus
from dialer.domain.outcome import Disposition
from dialer.flows.calls import summary
from dialer.flows.campaigns.facts import Ground, ground_of
from dialer.flows.campaigns.look import found
from dialer.flows.campaigns.means import Looking
from dialer.flows.campaigns.members import by_status, described
from dialer.flows.campaigns.survey import ENOUGH_CALLS
from dialer.flows.campaigns.waiting import campaign_waits
from dialer.store import calls, dashboard, enrolments
from dialer.store.transaction import reading

PACE_OVER = timedelta(minutes=5)
"""The calls of so long say how fast a campaign goes."""

UNSURE = timedelta(minutes=1)
"""Fewer than `ENOUGH_CALLS` are taken to have needed at least so long: the shortest calls are over first."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    campaign: Mapping[str, Any]
    counts: Mapping[str, Any]
    queue: Mapping[str, Sequence[Mapping[str, Any]]]
    recent_calls: Sequence[Mapping[str, Any]]
    pace: Mapping[str, Any]


async def dashboard_of(
    means: Looking, team: str, campaign: str, *, pending: int = 25, calling: int = 25, recent: int = 25
) -> Dashboard:
    """The three numbers bound the three lists. All of it is of one moment. Raises `NotFound`."""
    now = means.clock.now()
    async with reading(means.database) as on:
        row = await found(on, team, campaign)
        ground = await ground_of(on, campaign, means.trunks, now)
        tallies = await enrolments.tallies(on, campaign)
        waiting = await described(on, means, ground, await enrolments.next_pending(on, campaign, pending))
        busy = await enrolments.in_flight(on, campaign, calling)
        under_way = [
            {**shown, "call_id": r["call_id"], "state": r["state"], "from_number": r["from_number"]}
            for shown, r in zip(await described(on, means, ground, busy), busy, strict=True)
        ]
        newest = [summary(call, now) for call in await calls.recent(on, campaign, recent)]
        waits = await campaign_waits(on, means, ground)
        placed = await dashboard.placed_since(on, campaign, now - PACE_OVER)
    counts = counts_of(tallies)
    queue = {"pending": waiting, "calling": under_way}
    return Dashboard({**row, "waiting_for": waits}, counts, queue, newest, pace_of(ground, counts, tallies, placed))


def counts_of(tallies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    outcomes = {word.value: sum(t["n"] for t in tallies if t["outcome"] == word) for word in Disposition}
    return {
        "by_status": by_status(tallies),
        "by_outcome": outcomes,
        "answered": outcomes[Disposition.ANSWERED],
        "total": sum(t["n"] for t in tallies),
    }


def pace_of(ground: Ground, counts: Mapping[str, Any], tallies: Sequence[Mapping[str, Any]], placed: int) -> dict[str, Any]:
    """`placed`: calls of the last `PACE_OVER`, or of the time since the campaign started where that is shorter.

    Of a campaign that has just started those count that are over: to fill the free slots takes a moment, to empty one the length
    of a call. `answer_rate` is the share of the contacts called that were answered (null before the first); `eta` when the
    contacts that are left would each have been called once more at this pace (null while nothing moves, or too little has, and
    where the campaign's end comes before).
    """
    row, now = ground.row, ground.now
    called = sum(t["n"] for t in tallies if t["called"])
    left = sum(counts["by_status"][status] for status in OPEN_CONTACT)
    since = PACE_OVER if row["started_at"] is None else min(PACE_OVER, now - row["started_at"])
    settled = since == PACE_OVER
    over = placed if settled else max(placed - counts["by_status"][ContactStatus.CALLING], 0)
    sure = settled or over >= ENOUGH_CALLS
    per_minute = over / (max(since, timedelta(seconds=1) if sure else UNSURE) / timedelta(minutes=1))
    last = None if ground.facts.rules is None else ground.facts.rules.last_start
    moving = row["status"] == CampaignStatus.RUNNING and per_minute > 0 and left > 0
    eta = now + timedelta(minutes=left / per_minute) if moving and sure else None
    return {
        "calls_per_minute": round(per_minute, 2),
        "answer_rate": round(counts["answered"] / called, 4) if called else None,
        "slots_used": row["slots_used"],
        "slots": row["slots"],
        "eta": None if eta is None or (last is not None and eta > last) else eta,
    }
