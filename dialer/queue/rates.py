"""Calls per second, over all processes: one bucket per key in Redis, GCRA with a burst of one.

Every token is a moment, the bucket remembers the last one it gave. Tokens are 1 / (95 % of the rate) apart, so that what the
network does to the spacing does not add up to more than the rate in any second. A bucket nobody knows (first use, flushed
Redis) counts as just emptied: losing Redis never allows a burst. One that a fail-over set back goes on from the last token that
whoever asks was given.
"""

from __future__ import annotations

import math
from typing import Final

from dialer.queue.connection import BoundedRedis, Script, reaching

SHARE: Final = 0.95
"""Of a rate: what a bucket lets through."""
MOST_WAIT: Final = 60.0
"""Seconds. A bucket that claims to be further ahead was written by another clock and counts as just emptied."""

TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local gap, n, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local last = tonumber(redis.call('GET', KEYS[1]) or '')
local most_ahead, known = now + tonumber(ARGV[4]), tonumber(ARGV[5])
if not last or last > most_ahead then last = now end
if known <= most_ahead then last = math.max(last, known) end
local waits = {}
while #waits < n do
  local at = math.max(now, last + gap)
  if at - now > most then break end
  last = at
  waits[#waits + 1] = string.format('%.0f', at - now)
end
redis.call('SET', KEYS[1], string.format('%.0f', last), 'PX', string.format('%.0f', 3600000 + gap / 500))
return {string.format('%.0f', last), waits}
"""


class RateBuckets:
    """`max_wait` (seconds, at most 60): a token further away than this is refused. It is more than the second for which a claim
    releases, so that the last of a claim get theirs too, and less than the two for which a claim is good."""

    def __init__(self, redis: BoundedRedis, *, max_wait: float = 1.25, prefix: str = "dialer:rate:") -> None:
        if not 0 <= max_wait <= MOST_WAIT:
            raise ValueError(f"max_wait is {max_wait} s; it must lie between 0 and {MOST_WAIT:.0f}.")
        self._max_wait = max_wait
        self._prefix = prefix
        self._take = Script(redis, TAKE)
        self._last: dict[str, int] = {}

    async def take(self, key: str, per_second: float, n: int = 1) -> tuple[float, ...]:
        """Reserve up to `n` tokens: for each the seconds to wait from now, ascending. Fewer, or none, when the others would
        come later than `max_wait`; nothing is reserved for those, and reserved tokens cannot be given back.

        Rates below 1 / `max_wait` are fine: ask again later. Raises ValueError, `QueueUnavailable`.
        """
        if not (per_second > 0 and math.isfinite(per_second)):
            raise ValueError(f"per_second is {per_second}; it must be a positive number.")
        if n < 1:
            raise ValueError(f"n is {n}; at least one token must be asked for.")
        micros = 1_000_000
        gap = math.ceil(micros / (SHARE * per_second))
        with reaching("taking rate tokens"):
            args = [gap, n, int(self._max_wait * micros), int(MOST_WAIT * micros), self._last.get(key, 0)]
            last, waits = await self._take([self._prefix + key], args)
        self._last[key] = int(last)
        return tuple(int(wait) / micros for wait in waits)
