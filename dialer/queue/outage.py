"""One outage of Redis as a loop sees it: its beginning and its end are logged once, the tries between come ever slower."""

from __future__ import annotations

import asyncio
import logging

from redis.exceptions import RedisError

GONE = (RedisError, OSError, RuntimeError)
"""What the client raises when Redis is away. RuntimeError is uvloop's word for a connection that broke just before it was
used, and the client hands it on as it is."""

FIRST_SECONDS = 0.05
MOST_SECONDS = 1.0

log = logging.getLogger(__name__)


class Outage:
    """`loop` names in log lines who suffers from it."""

    def __init__(self, loop: str) -> None:
        self._loop = loop
        self._failures = 0

    def failed(self, error: Exception) -> float:
        """Take note of a failed try; returns the seconds to wait before the next: 50 ms, doubling to 1 s."""
        if not isinstance(error, GONE):
            log.error("%s: unexpected failure, will try again", self._loop, exc_info=error)
        elif self._failures == 0:
            log.warning("%s: Redis is away (%s), will try again until it is back", self._loop, type(error).__name__)
        delay = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return delay

    def over(self) -> None:
        """Take note of a success."""
        if self._failures:
            log.info("%s: Redis is back after %d failed tries", self._loop, self._failures)
            self._failures = 0


async def pause(seconds: float, until: asyncio.Event) -> None:
    """Wait for the event, at the most so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await until.wait()
    except TimeoutError:
        return
