"""Look at campaigns of one team. What belongs to another team does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dialer.domain.cursor import After
from dialer.domain.errors import Conflict, NotFound
from dialer.domain.machine import CampaignStatus
from dialer.flows.campaigns.facts import ground_of
from dialer.flows.campaigns.means import Looking
from dialer.flows.campaigns.waiting import campaign_waits
from dialer.store import campaigns
from dialer.store.campaigns import Deleted
from dialer.store.database import Database
from dialer.store.transaction import Transaction, reading


async def found(on: Transaction, team: str, campaign: str) -> Mapping[str, Any]:
    """The campaign's row with its counts, deleted or not. Raises `NotFound`."""
    row = await campaigns.find(on, team, campaign)
    if row is None:
        raise NotFound(f"There is no campaign {campaign}; list your campaigns to find its id.")
    return row


async def held(on: Transaction, team: str, campaign: str) -> Mapping[str, Any]:
    """The same, under the campaign's lock, for a change. Raises `Conflict` for a deleted one."""
    await found(on, team, campaign)
    await campaigns.lock_one(on, campaign)
    return await alive(on, team, campaign)


async def alive(on: Transaction, team: str, campaign: str) -> Mapping[str, Any]:
    row = await found(on, team, campaign)
    if row["deleted_at"] is not None:
        raise Conflict(f"The campaign {campaign} was deleted and cannot be changed; create another one.")
    return row


async def get_campaign(database: Database, team: str, campaign: str) -> Mapping[str, Any]:
    """Raises `NotFound`."""
    async with reading(database) as on:
        return await found(on, team, campaign)


async def see_campaign(means: Looking, team: str, campaign: str) -> Mapping[str, Any]:
    """The same with `waiting_for`: why it is not dialling. Raises `NotFound`."""
    async with reading(means.database) as on:
        row = await found(on, team, campaign)
        ground = await ground_of(on, campaign, means.trunks, means.clock.now())
        return {**row, "waiting_for": await campaign_waits(on, means, ground)}


async def list_campaigns(
    database: Database,
    team: str,
    *,
    status: CampaignStatus | None = None,
    assistant: str | None = None,
    deleted: Deleted = "exclude",
    limit: int = 50,
    offset: int = 0,
    after: After | None = None,
) -> tuple[list[Mapping[str, Any]], int]:
    """One page, newest first, and the count of all that match."""
    async with reading(database) as on:
        return await campaigns.listing(
            on, team, status=status, assistant=assistant, deleted=deleted, limit=limit, offset=offset, after=after
        )
