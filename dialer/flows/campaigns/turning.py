"""A campaign's turn from one status to another: whether it is allowed, and what is written with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dialer.domain.campaign import end_of
from dialer.domain.errors import Conflict
from dialer.domain.machine import CAMPAIGN_TURNS, FINAL_CAMPAIGN, CampaignStatus, allowed
from dialer.store import campaigns
from dialer.store.transaction import Transaction

BY_USER = "user"
RUN_LIMIT = "run_limit"
STARTS = (CampaignStatus.RUNNING, CampaignStatus.SCHEDULED)


def may_turn(row: Mapping[str, Any], to: CampaignStatus) -> None:
    """Raises `Conflict` where the state machine knows no such turn."""
    if not allowed(CAMPAIGN_TURNS, row["status"], to):
        raise Conflict(f"The campaign is {row['status']} and cannot become {to}.")


def check_end(row: Mapping[str, Any], now: datetime) -> None:
    """Raises `Conflict` where the campaign's end has come: nothing would be dialled."""
    ends = end_of(row)
    if ends is not None and ends <= now:
        raise Conflict(
            f"The campaign ended at {ends:%Y-%m-%dT%H:%M:%SZ} and calls nobody from then on; move settings.scheduledEndAt to a"
            " later time, or clear it, and start it again."
        )


async def turn(on: Transaction, row: Mapping[str, Any], to: CampaignStatus, now: datetime) -> None:
    """Write the turn, under the campaign's lock. A start after the limit of a run was reached lifts that limit. Raises `Conflict`
    where the state machine knows no such turn, or for a start after the campaign's end."""
    may_turn(row, to)
    if to in STARTS:
        check_end(row, now)
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
