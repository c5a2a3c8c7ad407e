"""Run a campaign: start or resume it, release what may be called now, and say who may not and why.

A dry run asks the same reading, the same planner and the same preflight, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dialer.domain.errors import Conflict, Invalid
from dialer.domain.machine import FINAL_CAMPAIGN, CampaignStatus
from dialer.flows.campaigns.look import alive, found
from dialer.flows.campaigns.means import Running
from dialer.flows.campaigns.obstacles import Obstacles, obstacles_of
from dialer.flows.campaigns.turning import check_end, turn
from dialer.store import campaigns
from dialer.store.claims import Claimed
from dialer.store.receipts import unfinished
from dialer.store.transaction import reading, transaction

RUN_SPAN = timedelta(seconds=5)
"""After a run whose answer was lost, the calls that were released so soon after it count as started by it."""


@dataclass(frozen=True, slots=True)
class RunCall:
    """A call that was released, or would be."""

    campaign_contact_id: str
    contact_id: str
    to_number: str
    from_number: str
    status: str


@dataclass(frozen=True, slots=True)
class Run:
    """`failed` counts those who cannot be called in this run; `errors` says of the first of them why."""

    started: int
    failed: int
    calls: tuple[RunCall, ...]
    errors: tuple[str, ...]
    message: str
    dry_run: bool


async def run_campaign(
    means: Running, team: str, actor: str, campaign: str, *, max_calls: int | None = None, dry_run: bool = False
) -> Run:
    """`max_calls` ≥ 1 caps what this run releases, retries included, and replaces what was left of the run before; None lifts
    the cap. Raises `Invalid`, `NotFound`, or `Conflict` for a campaign that is completed or cancelled, or whose end has come."""
    if max_calls is not None and max_calls < 1:
        raise Invalid({"maxCalls": f"is {max_calls}; send 1 or more, or leave it out for no limit"})
    if dry_run:
        return await _rehearse(means, team, campaign, max_calls)
    if (since := unfinished()) is None:
        await _start(means, team, actor, campaign, max_calls)
        claimed: Sequence[Claimed] = await means.release(campaign)
    else:  # an earlier try started it, and never came to answer: what was released then is told, and nothing started again
        claimed = await _released(means, team, campaign, since)
    await means.ringer.wake([f"campaign:{campaign}"])
    async with reading(means.database) as on:
        claimed = await campaigns.in_line(on, claimed)
    calls = tuple(RunCall(c.enrolment, c.contact, c.to_number, c.from_number, "queued") for c in claimed)
    blocked = await _obstacles(means, campaign, max_calls)
    return _answer(calls, blocked, dry_run=False)


async def _start(means: Running, team: str, actor: str, campaign: str, max_calls: int | None) -> None:
    now = means.clock.now()
    async with transaction(means.database, actor) as on:
        await found(on, team, campaign)
        scopes = await campaigns.lock_with_queued(on, [campaign])
        row = await alive(on, team, campaign)
        check_end(row, now)
        if row["status"] != CampaignStatus.RUNNING:
            await turn(on, row, CampaignStatus.RUNNING, now)
        elif max_calls is not None:
            # Released by the run before and not dialled yet: taken back, so that this run's count begins with its own calls.
            await campaigns.take_back_queued(on, campaign, scopes, "new_run", now)
        await campaigns.set_budget(on, campaign, max_calls)


async def _released(means: Running, team: str, campaign: str, since: datetime) -> list[Claimed]:
    async with reading(means.database) as on:
        await found(on, team, campaign)
        return await campaigns.released(on, campaign, since, since + RUN_SPAN)


async def _rehearse(means: Running, team: str, campaign: str, max_calls: int | None) -> Run:
    async with reading(means.database) as on:
        row = await alive(on, team, campaign)
        if row["status"] in FINAL_CAMPAIGN:
            raise Conflict(f"The campaign is {row['status']} and cannot become running.")
        check_end(row, means.clock.now())
    likely = await means.preview(campaign, max_calls)
    calls = tuple(RunCall(p.enrolment, p.contact, p.to_number, p.from_number, "pending") for p in likely)
    return _answer(calls, await _obstacles(means, campaign, max_calls), dry_run=True)


async def _obstacles(means: Running, campaign: str, max_calls: int | None) -> Obstacles:
    async with reading(means.database) as on:
        return await obstacles_of(on, campaign, means.trunks, max_calls, means.clock.now())


def _answer(calls: tuple[RunCall, ...], blocked: Obstacles, *, dry_run: bool) -> Run:
    made = "would be released" if dry_run else "released"
    message = f"{_count(len(calls), 'call')} {made}; {_count(blocked.contacts, 'contact')} cannot be called now."
    waiting = blocked.waiting - (len(calls) if dry_run else 0)
    if waiting > 0:
        message += f" {_count(waiting, 'contact')} {'waits' if waiting == 1 else 'wait'} for a free slot."
    return Run(len(calls), blocked.contacts, calls, blocked.errors, message, dry_run)


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
