"""Hang up: end what is under way of a campaign. The endings come back as events like any other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from adapters.base import Live, TelephonyAdapter, Trace
from adapters.errors import AdapterError
from dialer.flows.reconcile import CLOCKS
from dialer.store import attempts
from dialer.store.attempts import UnderWay
from dialer.store.database import Pool

AT_ONCE = 50

log = logging.getLogger(__name__)


async def hang_up_campaign(pool: Pool, adapters: Mapping[str, TelephonyAdapter], campaign: str) -> None:
    """Returns when the carriers have been told. A call that could not be ended is logged and runs out by itself."""
    places = asyncio.Semaphore(AT_ONCE)

    async def end(call: UnderWay, adapter: TelephonyAdapter) -> None:
        async with places:
            try:
                await adapter.hang_up(call.attempt, call.ref or await _searched(call, adapter))
            except AdapterError as fault:
                log.warning("attempt %s could not be hung up: %s", call.attempt, fault)

    calls = await attempts.under_way(pool, campaign)
    await asyncio.gather(*(end(call, adapters[call.trunk]) for call in calls if call.trunk in adapters))


async def _searched(call: UnderWay, adapter: TelephonyAdapter) -> str | None:
    """The id of a call of which we have none yet, where the carrier knows calls by number and time only."""
    if adapter.capabilities.trace is not Trace.SEARCH:
        return None
    seen = await adapter.find(call.attempt, call.to_number, None, call.placing_at - CLOCKS)
    return seen.ref if isinstance(seen, Live) else None
