"""Hang up: end what is under way of a campaign. The endings come back as events like any other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from adapters.base import TelephonyAdapter
from adapters.errors import AdapterError
from dialer.store import attempts
from dialer.store.database import Pool

AT_ONCE = 50

log = logging.getLogger(__name__)


async def hang_up_campaign(pool: Pool, adapters: Mapping[str, TelephonyAdapter], campaign: str) -> None:
    """Returns when the carriers have been told. A call that could not be ended is logged and runs out by itself."""
    places = asyncio.Semaphore(AT_ONCE)

    async def end(attempt: str, trunk: str, ref: str | None) -> None:
        async with places:
            try:
                await adapters[trunk].hang_up(attempt, ref)
            except AdapterError as fault:
                log.warning("attempt %s could not be hung up: %s", attempt, fault)

    calls = await attempts.under_way(pool, campaign)
    await asyncio.gather(*(end(*call) for call in calls if call[1] in adapters))
