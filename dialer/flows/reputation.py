"""Reputation: caller IDs whose calls are blocked too often rest. Counted with the turns that end calls; judged in the sweep.

What is written there is all that it goes by: several processes count together, and a restart forgets nothing.
"""

from __future__ import annotations

import logging

from dialer.domain.reputation import rest_of
from dialer.store import reputation
from dialer.store.database import Pool
from dialer.telemetry import metrics
from scheduler.clock import Clock

log = logging.getLogger(__name__)


async def judge_numbers(pool: Pool, clock: Clock) -> None:
    """Let those rest that have to, and tell how many do."""
    now = clock.now()
    for number, rest in (await reputation.judge(pool, lambda record: rest_of(record, now), now)).items():
        log.error("caller ID %s is not shown until %s: %s", number, rest.until, rest.reason)
        metrics.CALLER_ID_RESTS.inc()
    metrics.RESTING_CALLER_IDS.set(await reputation.resting(pool, now))
