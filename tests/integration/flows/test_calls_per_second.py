"""Calls per second of a trunk and of a campaign, by the carrier's journal, with many schedulers and workers that do not know of
each other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.support.carrier import quick
from tests.support.engine import Engine, engine
from tests.support.laws import carrier_agrees, laws_hold, nothing_left
from tests.support.ledger import seed


@asynccontextmanager
async def lateness() -> AsyncIterator[Callable[[], float]]:
    """By how many seconds this process, which plays all parts, has been late at the most: so long a call may be held up."""
    latest = 0.0

    async def look() -> None:
        nonlocal latest
        while True:
            due = time.monotonic() + 0.01
            await asyncio.sleep(0.01)
            latest = max(latest, time.monotonic() - due)

    looking = asyncio.create_task(look())
    try:
        yield lambda: latest
    finally:
        looking.cancel()


def kept(moments: Sequence[float], rate: float, late: float) -> bool:
    """On the whole, and in every second."""
    most = max(sum(first <= at < first + 1 for at in moments) for first in moments)
    return len(moments) - 1 <= rate * (moments[-1] - moments[0] + late) and most <= rate * (1 + 2 * late) + 1


def used(moments: Sequence[float], rate: float, late: float) -> bool:
    """More than seven tenths of it, unless the machine was too busy."""
    return len(moments) > 0.7 * rate * (moments[-1] - moments[0]) or late > 0.1


def began(e: Engine, campaign: str | None = None) -> list[float]:
    """When the carrier was given its calls."""
    return sorted(x.accepted for x in e.carrier.journal.entries.values() if campaign in (None, x.campaign))


async def finished(e: Engine) -> None:
    await e.until("select bool_and(status = 'completed') from campaigns")
    await carrier_agrees(e.pool, e.carrier)
    await nothing_left(e.pool)
    await laws_hold(e.pool)


async def recalled(e: Engine) -> int:
    count: int = await e.pool.fetchval("select count(*) from call_attempts where state = 'recalled'")
    return count


@pytest.mark.parametrize("trunk", [None, 40])
async def test_four_schedulers_and_eight_workers_keep_them(database_url: str, redis_url: str, trunk: int | None) -> None:
    rate, calls, others = 12, 36, 90
    async with (
        engine(database_url, redis_url, quick(), schedulers=4, workers=8, calls_per_second=trunk) as e,
        lateness() as late,
    ):
        slow = await seed(e.pool, contacts=calls, concurrency=50, settings={"calls_per_second": rate}, status="draft")
        free = await seed(e.pool, contacts=others, concurrency=50, prefix="+4940", status="draft")
        await e.pool.execute("update campaigns set status = 'running', started_at = now()")
        await finished(e)
        own = began(e, slow.campaign)
        assert len(own) == calls
        assert kept(own, rate, late()) and (used(own, rate, late()) or trunk), late()
        assert len(began(e, free.campaign)) == others
        if trunk is not None:
            assert kept(began(e), trunk, late()), late()
        assert await recalled(e) <= 0.03 * (calls + others) or late() > 0.1
