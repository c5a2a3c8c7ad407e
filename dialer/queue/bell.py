"""The doorbell of the schedulers: keys that something happened to, gathered in one set, and one push that wakes somebody.

Whoever wakes takes the whole set at once. A bell may be lost (with Redis, or with a waiter that dies holding the keys): it
costs one tick of the caller, who looks at everything when a wait ends empty.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from dialer.queue.connection import BLOCK_SECONDS, BoundedRedis, Script, reaching
from dialer.queue.outage import Outage, pause

RING: Final = """
for i = 1, #ARGV, 1000 do
  redis.call('SADD', KEYS[1], unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
if redis.call('LLEN', KEYS[2]) == 0 then redis.call('LPUSH', KEYS[2], '1') end
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

    def __init__(self, redis: BoundedRedis, name: str = "dialer:bell") -> None:
        self._redis = redis
        self._keys = (f"{name}:keys", f"{name}:wake")
        self._ring = Script(redis, RING)
        self._outage = Outage(f"bell {name}")
        self._never = asyncio.Event()

    async def ring(self, keys: Iterable[str]) -> None:
        """Add the keys and wake one waiter. Raises `QueueUnavailable`."""
        if args := list(keys):
            with reaching("ringing the bell"):
                await self._ring(self._keys, args)

    async def wait(self, timeout: float) -> frozenset[str]:
        """All keys, as soon as somebody rings; after `timeout` seconds none.

        Never raises for Redis: while it is away this waits on, logs once, and reconnects.
        """
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                keys = await self._listen(min(BLOCK_SECONDS, left))
            except Exception as error:
                delay = self._outage.failed(error)
                await pause(min(delay, max(deadline - time.monotonic(), 0)), self._never)
                continue
            self._outage.over()
            if keys:
                return frozenset(key.decode() for key in keys)
        return frozenset()

    async def _listen(self, seconds: float) -> list[bytes]:
        """Wait for a push and take the keys. Both are sent at once, so that the taking costs no round trip of its own."""
        listen = ("BLPOP", self._keys[1], max(seconds, 0.001))  # 0 would block for ever
        keys: list[bytes]
        _, keys = await self._redis.converse(listen, ("EVAL", TAKE, 2, *self._keys), seconds=seconds + GRACE_SECONDS)
        return keys
