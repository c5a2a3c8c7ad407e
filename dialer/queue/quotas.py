"""How much was asked for in a span of time, over all processes: one counter per key in Redis, which dies with its span.

A span begins with the first request after the last span's end. Losing Redis loses the counts, and while it is away nothing is
counted: who asks has to do without.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from dialer.queue.connection import BoundedRedis, QueueUnavailable, Script, reaching
from dialer.queue.outage import Outage

PATIENCE: Final = 0.25
"""Seconds that a count may take: what it counts waits for it."""

REST: Final = 1.0
"""Seconds in which Redis is not asked again after it failed."""

SPEND: Final = """
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {count, left}
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """`count` includes this one; the count begins anew in `seconds_left`."""

    count: int
    seconds_left: float


class Quotas:
    def __init__(self, redis: BoundedRedis, prefix: str = "dialer:quota:") -> None:
        self._prefix = prefix
        self._spend = Script(redis, SPEND)
        self._outage = Outage("quotas")
        self._resting_until = 0.0

    async def spend(self, key: str, window: float) -> Spent | None:
        """Count one; `window` is in seconds. None when it could not be counted. Raises nothing for Redis."""
        if time.monotonic() < self._resting_until:
            return None
        try:
            with reaching("counting a request"):
                async with asyncio.timeout(PATIENCE):
                    count, left = await self._spend([self._prefix + key], [round(window * 1000)])
        except QueueUnavailable as fault:  # a TimeoutError is an OSError, and so is this one
            self._outage.failed(fault.__cause__ if isinstance(fault.__cause__, Exception) else fault)
            self._resting_until = time.monotonic() + REST
            return None
        self._outage.over()
        return Spent(count, left / 1000)
