"""The doorbell of the schedulers: keys that something happened to, gathered in one set, and one push that wakes somebody.

Whoever wakes takes the whole set at once. A bell may be lost (with Redis, or with a waiter that dies holding the keys): it
costs one tick of the caller, who looks at everything when a wait ends empty.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from redis.asyncio import Redis

from dialer.queue.connection import BLOCK_SECONDS, reaching
from dialer.queue.outage import Outage, pause

ADD: Final = """
for i = 2, #ARGV, 1000 do
  redis.call('SADD', KEYS[1], unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
if ARGV[1] == 'ring' and redis.call('LLEN', KEYS[2]) == 0 then redis.call('LPUSH', KEYS[2], '1') end
"""

TAKE: Final = """
local keys = redis.call('SMEMBERS', KEYS[1])
redis.call('DEL', KEYS[1], KEYS[2])
return keys
"""


GRACE_SECONDS: Final = 0.25
"""How much longer than asked a wait may take when Redis does not answer."""


class Bell:
    """Any number may ring and wait, in any number of processes; each ring reaches one waiter."""

    def __init__(self, redis: Redis, name: str = "dialer:bell") -> None:
        self._redis = redis
        self._keys = (f"{name}:keys", f"{name}:wake")
        self._add = redis.register_script(ADD)
        self._take = redis.register_script(TAKE)
        self._outage = Outage(f"bell {name}")
        self._never = asyncio.Event()

    async def ring(self, keys: Iterable[str]) -> None:
        """Add the keys and wake one waiter. Raises `QueueUnavailable`."""
        if args := list(keys):
            with reaching("ringing the bell"):
                await self._add(self._keys, ["ring", *args])

    async def put_back(self, keys: Iterable[str]) -> None:
        """Add the keys and wake nobody: they come with the next ring or at the end of a wait. For what could not be served
        now, where waking would be a busy loop. Raises `QueueUnavailable`."""
        if args := list(keys):
            with reaching("putting keys back"):
                await self._add(self._keys, ["quiet", *args])

    async def wait(self, timeout: float) -> frozenset[str]:
        """All keys, as soon as somebody rings; after `timeout` seconds what was put back meanwhile, most often nothing.

        Never raises for Redis: while it is away this waits on, logs once, and reconnects.
        """
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            try:
                async with asyncio.timeout(max(left, 0) + GRACE_SECONDS):
                    if left > 0:  # 0 would block for ever
                        rung = await self._redis.blpop([self._keys[1]], timeout=min(BLOCK_SECONDS, max(left, 0.001)))
                        if rung is None and deadline > time.monotonic():
                            self._outage.over()
                            continue
                    keys = await self._take(self._keys)
            except Exception as error:
                delay = self._outage.failed(error)
                if (left := deadline - time.monotonic()) <= 0:
                    return frozenset()
                await pause(min(delay, left), self._never)
                continue
            self._outage.over()
            if keys or deadline <= time.monotonic():
                return frozenset(key.decode() for key in keys)
