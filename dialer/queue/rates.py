"""Calls per second, over all processes: one bucket per key in Redis, GCRA with a burst of one.

Every token is a moment, the bucket remembers the last one it gave. Tokens are 1 / (95 % of the rate) apart, so that what the
network does to the spacing does not add up to more than the rate in any second. A bucket nobody knows (first use, flushed
Redis) counts as just emptied: losing Redis never allows a burst. One that a fail-over set back goes on from the last token that
whoever asks was given.

A call under two rates, its trunk's and its campaign's, gets a moment that holds in both buckets. Where the campaign's comes later
than the trunk's next one, a later moment of the trunk's is kept for it, and those before it are for others.
"""

from __future__ import annotations

import math
from typing import Final

from dialer.queue.connection import BoundedRedis, Script, reaching

SHARE: Final = 0.95
"""Of a rate: what a bucket lets through."""
MICROS: Final = 1_000_000
MOST_WAIT: Final = 60.0
"""Seconds. A bucket that claims to be further ahead was written by another clock and counts as just emptied."""

# KEYS: the bucket, its moments that are kept for calls of slower campaigns, and perhaps a campaign's bucket.
TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local gap, n, most, most_ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), now + tonumber(ARGV[4])
local function text(micros) return string.format('%.0f', micros) end
local function last_of(key, known)
  local last = tonumber(redis.call('GET', key) or '')
  if not last or last > most_ahead then last = now end
  return known <= most_ahead and math.max(last, known) or last
end
local function keep(key, last, gap) redis.call('SET', key, text(last), 'PX', text(3600000 + gap / 500)) end

local last, own, own_gap = last_of(KEYS[1], tonumber(ARGV[5])), 0, 0
if KEYS[3] then own, own_gap = last_of(KEYS[3], tonumber(ARGV[7])), tonumber(ARGV[6]) end
local some_kept = redis.call('EXISTS', KEYS[2]) == 1
local waits = {}
while #waits < n do
  local next, ready = math.max(now, last + gap), own + own_gap
  local at = next
  if ready > next then at = math.max(next, last + math.ceil((ready - last) / gap) * gap) end
  while some_kept do
    local near = redis.call('ZREVRANGEBYSCORE', KEYS[2], '(' .. text(at + gap), '(' .. text(at - gap), 'LIMIT', 0, 1)
    if not near[1] then break end
    at = tonumber(near[1]) + gap
  end
  if at - now > most then break end
  if ready > next and at - next >= gap then
    redis.call('ZADD', KEYS[2], text(at), text(at))
    some_kept = true
  else
    last = at
  end
  own = at
  waits[#waits + 1] = text(at - now)
end
keep(KEYS[1], last, gap)
if KEYS[3] then keep(KEYS[3], own, own_gap) end
if some_kept then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text(math.min(last, now) - gap))
  redis.call('PEXPIRE', KEYS[2], text(most / 1000 + 1000))
end
return {text(last), waits, text(own)}
"""


class RateBuckets:
    """`max_wait` (seconds, at most 60): a token further away than this is refused. A claim releases a second of a trunk's rate,
    three quarters of one of a campaign's: the last of it get theirs in time, and before the two seconds are over for which a
    claim is good."""

    def __init__(self, redis: BoundedRedis, *, max_wait: float = 1.7, prefix: str = "dialer:rate:") -> None:
        if not 0 <= max_wait <= MOST_WAIT:
            raise ValueError(f"max_wait is {max_wait} s; it must lie between 0 and {MOST_WAIT:.0f}.")
        self._max_wait = max_wait
        self._prefix = prefix
        self._take = Script(redis, TAKE)
        self._last: dict[str, int] = {}

    async def take(self, key: str, per_second: float, n: int = 1, own: tuple[str, float] | None = None) -> tuple[float, ...]:
        """Reserve up to `n` tokens: for each the seconds to wait from now, ascending. Fewer, or none, when the others would
        come later than `max_wait`; nothing is reserved for those, and reserved tokens cannot be given back. `own` is the bucket
        (key, per second) of a campaign whose rate has to be kept as well.

        Rates below 1 / `max_wait` are fine: ask again later. Raises ValueError, `QueueUnavailable`.
        """
        if n < 1:
            raise ValueError(f"n is {n}; at least one token must be asked for.")
        keys = [key, f"{key}:kept"]
        args = [_gap(per_second), n, int(self._max_wait * MICROS), int(MOST_WAIT * MICROS), self._last.get(key, 0)]
        if own is not None:
            keys.append(own[0])
            args += [_gap(own[1]), self._last.get(own[0], 0)]
        with reaching("taking rate tokens"):
            last, waits, own_last = await self._take([self._prefix + each for each in keys], args)
        self._last[key] = int(last)
        if own is not None:
            self._last[own[0]] = int(own_last)
        return tuple(int(wait) / MICROS for wait in waits)


def _gap(per_second: float) -> int:
    """Microseconds from one token to the next. Raises ValueError."""
    if not (per_second > 0 and math.isfinite(per_second)):
        raise ValueError(f"per_second is {per_second}; it must be a positive number.")
    return math.ceil(MICROS / (SHARE * per_second))
