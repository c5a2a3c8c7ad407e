"""How fast a campaign goes: figures for its dashboard and its preflight. Rows out, no decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

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


MEASURED = 200
"""So many calls are looked at for a mean: the newest, since ways of calling change."""


async def mean_seconds(on: Transaction, of: Literal["campaign", "team"], id: str) -> tuple[int, float]:
    """How many of the newest attempts of a campaign or a team were placed and have ended, and for how long those held their slots
    on average, in seconds (0 where there are none)."""
    statement = written(f"""
        select count(*) as n, coalesce(avg(extract(epoch from ended_at - placing_at)), 0)::float8 as seconds from (
          select ended_at, placing_at from call_attempts where {of}_id = :id order by id desc limit :most) newest
        where placing_at is not null and ended_at > placing_at""")
    row = (await on.execute(statement, {"id": id, "most": MEASURED})).one()
    return row.n, row.seconds
