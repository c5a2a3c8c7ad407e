"""How fast a campaign goes: figures for its dashboard. Rows out, no decisions."""

from __future__ import annotations

from datetime import datetime

from dialer.store.transaction import Transaction
from dialer.store.written import written


async def placed_since(on: Transaction, campaign: str, since: datetime) -> int:
    """How many of the campaign's calls were placed at `since` or later. Reads the newest attempts only: their ids begin with
    the milliseconds of their birth, and none is placed more than two seconds after it."""
    floor = f"call_{int(since.timestamp() * 1000) - 60_000:012x}"
    statement = written(
        "select count(*) from call_attempts where campaign_id = :campaign and id >= :floor and placing_at >= :since"
    )
    return await on.scalar(statement, {"campaign": campaign, "floor": floor, "since": since}) or 0
