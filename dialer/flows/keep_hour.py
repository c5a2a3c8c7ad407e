"""Keep the hour: our clock against the database's, for calls are allowed by it. What differs is said and comes as a metric."""

from __future__ import annotations

import logging

from dialer.store import attempts
from dialer.store.database import Pool
from dialer.telemetry import metrics
from scheduler.clock import TOLERANCE, SteadyClock

log = logging.getLogger(__name__)


async def keep_hour(pool: Pool, clock: SteadyClock) -> None:
    """Once a second."""
    began, was, sure = clock.monotonic(), clock.offset, clock.sure
    clock.compare(await attempts.hour(pool), clock.monotonic() - began)
    metrics.CLOCK_OFFSET_SECONDS.set(clock.offset.total_seconds())
    seconds = clock.offset.total_seconds()
    if abs(clock.offset) > TOLERANCE and abs(was) <= TOLERANCE:
        went_on = "the hour is carried on" if clock.sure else "nobody is called until they agree"
        log.error("this machine's clock is %.0f s ahead of the database's; %s", seconds, went_on)
    elif sure and not clock.sure:
        log.error("the hour was wrong and is set; nobody is called for a moment")
    elif abs(was) > TOLERANCE and abs(clock.offset) <= TOLERANCE:
        log.warning("this machine's clock and the database's agree again")
