"""Pause, resume, cancel.

A stop takes back what waits to be dialled in the same transaction, waits out the fence, and then answers: after the answer no
call of the campaign starts. Calls that are under way end by themselves, or are hung up on demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from dialer.domain.errors import Conflict
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.machine import CampaignStatus
from dialer.flows.campaigns.look import alive, found, get_campaign
from dialer.flows.campaigns.means import Means, Stopping
from dialer.flows.campaigns.turning import BY_USER, check_end, turn
from dialer.store import campaigns
from dialer.store.receipts import promised, unfinished
from dialer.store.transaction import transaction


class InFlight(StrEnum):
    """What becomes of calls that are under way."""

    FINISH = "finish"
    HANG_UP = "hangUp"


async def pause_campaign(
    means: Stopping, team: str, actor: str, campaign: str, in_flight: InFlight = InFlight.FINISH
) -> Mapping[str, Any]:
    """Raises `NotFound`, or `Conflict` where there is nothing to pause. Pausing what is paused makes the pause the user's own."""
    return await _stop(means, team, actor, campaign, CampaignStatus.PAUSED, in_flight)


async def cancel_campaign(
    means: Stopping, team: str, actor: str, campaign: str, in_flight: InFlight = InFlight.FINISH
) -> Mapping[str, Any]:
    """Final: contacts that wait stay as they are and are never called. Raises `NotFound`, or `Conflict` for a completed one;
    cancelling twice changes nothing."""
    return await _stop(means, team, actor, campaign, CampaignStatus.CANCELLED, in_flight)


async def resume_campaign(means: Means, team: str, actor: str, campaign: str) -> Mapping[str, Any]:
    """Go on with a paused campaign; one that paused because its run had used up its calls goes on without that limit. Raises
    `NotFound`, or `Conflict` for one that was never started, is completed or cancelled, or whose end has come."""
    now = means.clock.now()
    async with transaction(means.database, actor) as on:
        await found(on, team, campaign)
        await campaigns.lock_one(on, campaign)
        row = await alive(on, team, campaign)
        if row["status"] not in (CampaignStatus.PAUSED, CampaignStatus.RUNNING):
            raise Conflict(f"The campaign is {row['status']}; only a paused one can be resumed.")
        check_end(row, now)
        if row["status"] == CampaignStatus.PAUSED:
            await turn(on, row, CampaignStatus.RUNNING, now)
        answer = promised(await found(on, team, campaign))
    await means.ringer.wake([f"campaign:{campaign}"])
    return answer


async def _stop(
    means: Stopping, team: str, actor: str, campaign: str, to: CampaignStatus, in_flight: InFlight
) -> Mapping[str, Any]:
    if unfinished() is None:
        scopes = await _stopped(means, team, actor, campaign, to)
    else:  # stopped by an earlier try; whoever has let it run again since is not overruled
        scopes = [f"campaign:{campaign}"]
    await means.pause(FENCE_SECONDS)
    if in_flight is InFlight.HANG_UP and not await _runs_again(means, team, campaign):
        await means.hang_up(campaign)
    await means.ringer.wake(scopes)
    return await get_campaign(means.database, team, campaign)


async def _runs_again(means: Stopping, team: str, campaign: str) -> bool:
    """Whether somebody has let it run since: then its calls are no longer ours to end. Who cancels what was paused overrules
    nothing."""
    row = await get_campaign(means.database, team, campaign)
    return bool(row["status"] == CampaignStatus.RUNNING)


async def _stopped(means: Stopping, team: str, actor: str, campaign: str, to: CampaignStatus) -> list[str]:
    """The scopes that it gave slots back to."""
    now = means.clock.now()
    async with transaction(means.database, actor) as on:
        await found(on, team, campaign)
        scopes = await campaigns.lock_with_queued(on, [campaign])
        row = await alive(on, team, campaign)
        if row["status"] != to:
            await turn(on, row, to, now)
        elif to is CampaignStatus.PAUSED:
            await campaigns.change(on, campaign, now, {"pause_reason": BY_USER})
        await campaigns.take_back_queued(on, campaign, scopes, to, now)
    return scopes
