"""How many calls may be released, over all schedulers: one bucket per key in Redis, which fills at the rate and holds a burst.

Not what protects the carrier, that is `RateBuckets`: this keeps schedulers that do not know of each other from releasing together
more than the workers will place in time, for the rest would be taken back. So a bucket that nobody knows is full, and losing
Redis costs one burst of calls that are taken back. What was taken and not used may be given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dialer.queue.connection import BoundedRedis, Script, reaching
from scheduler.pacing import Burst, Left

MICROS: Final = 1_000_000

# A bucket is the moment at which it is full again. Per key ARGV holds the microseconds of one call, the burst, and how many are
# wanted: 0 asks only, less gives back.
SHARE_OUT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function text(micros) return string.format('%.0f', micros) end
local answer = {}
for i, key in ipairs(KEYS) do
  local gap, burst, n = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local full = tonumber(redis.call('GET', key) or '0')
  full = math.min(math.max(full, now), now + gap * burst)  -- later was written by another clock, or at another rate
  local got = math.min(n, math.floor((now + gap * burst - full) / gap + 0.001))
  if got ~= 0 then
    full = full + got * gap
    redis.call('SET', key, text(full), 'PX', text(gap * burst / 1000 + 1000))
  end
  answer[i] = {got, math.floor((now + gap * burst - full) / gap + 0.001), text(math.max(full - now, 0))}
end
return answer
"""


class Pace:
    """The buckets. Both methods raise `QueueUnavailable`."""

    def __init__(self, redis: BoundedRedis, *, prefix: str = "dialer:pace:") -> None:
        self._prefix = prefix
        self._share_out = Script(redis, SHARE_OUT)

    async def look(self, bursts: Mapping[str, Burst]) -> dict[str, Left]:
        """What each of these buckets (by key) holds."""
        rows = await self._ask(bursts, {})
        return {key: Left(int(left), int(full) / MICROS) for key, (_, left, full) in rows.items()}

    async def take(self, bursts: Mapping[str, Burst], wanted: Mapping[str, int]) -> dict[str, int]:
        """Take of each bucket what is `wanted`, or as much as it holds; below 0 is given back. What was taken."""
        rows = await self._ask({key: burst for key, burst in bursts.items() if wanted.get(key)}, wanted)
        return {key: int(got) for key, (got, _, _) in rows.items()}

    async def _ask(self, bursts: Mapping[str, Burst], wanted: Mapping[str, int]) -> dict[str, tuple[bytes, bytes, bytes]]:
        if not bursts:
            return {}
        args = [
            each
            for key, burst in bursts.items()
            for each in (round(burst.seconds * MICROS / burst.calls), burst.calls, wanted.get(key, 0))
        ]
        with reaching("sharing out releases"):
            rows = await self._share_out([self._prefix + key for key in bursts], args)
        return dict(zip(bursts, rows, strict=True))
