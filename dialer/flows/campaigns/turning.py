"""A campaign's turn from one status to another: whether it is allowed, and what is written with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dialer.domain.errors import Conflict
from dialer.domain.machine import CAMPAIGN_TURNS, FINAL_CAMPAIGN, CampaignStatus, allowed
from dialer.store import campaigns
from dialer.store.transaction import Transaction

BY_USER = "user"
RUN_LIMIT = "run_limit"


def may_turn(row: Mapping[str, Any], to: CampaignStatus) -> None:
    """Raises `Conflict` where the state machine knows no such turn."""
    if not allowed(CAMPAIGN_TURNS, row["status"], to):
        raise Conflict(f"The campaign is {row['status']} and cannot become {to}.")


async def turn(on: Transaction, row: Mapping[str, Any], to: CampaignStatus, now: datetime) -> None:
    """Write the turn, under the campaign's lock. A start after the limit of a run was reached lifts that limit. Raises `Conflict`
    where the state machine knows no such turn."""
    may_turn(row, to)
    values: dict[str, Any] = {"status": to, "pause_reason": BY_USER if to is CampaignStatus.PAUSED else None}
    if to is CampaignStatus.RUNNING:
        values["started_at"] = row["started_at"] or now
        if row["pause_reason"] == RUN_LIMIT:
            await campaigns.set_budget(on, row["id"], None)
    if to in FINAL_CAMPAIGN:
        values["completed_at"] = now
    if to is CampaignStatus.DRAFT:
        values["scheduled_start_at"] = None
    await campaigns.change(on, row["id"], now, values)
