"""The one way to a Redis client: bounded waits, no silent second try, bytes in and out.

Most of our scripts are not idempotent (a second try of a reservation reserves twice), so the client never retries by itself;
who calls decides. A connection that went stale in the pool is noticed and replaced before it is used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import TimeoutError as NoReply

from dialer.queue.outage import GONE

BLOCK_SECONDS = 2.0
"""The longest one blocking command waits. It bounds what a wake-up lost with its connection can cost."""

REPLY_SECONDS = 3.0
"""The longest any reply is awaited; more than `BLOCK_SECONDS`, or an idle wait would look like an outage."""

CONNECT_SECONDS = 2.0
HEALTH_SECONDS = 15
CONNECTIONS = 32


class QueueUnavailable(Exception):
    """Redis did not do what was asked; whether it did so in part is unknown. Asking again is up to the caller."""


class BoundedRedis(Redis):
    """Awaits no reply longer than `REPLY_SECONDS`, the time to get a connection included.

    Not by the client's own `socket_timeout`: that sends under `asyncio.wait_for`, which before Python 3.12 loses a cancellation
    that comes while it returns, and a worker that was cancelled would run on.
    """

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except TimeoutError as error:
            raise NoReply(f"no reply within {REPLY_SECONDS:.0f} s") from error


def connect(url: str) -> Redis:
    """A client for `redis://`, `rediss://` or `unix://` URLs; opens no connection before the first command.

    Raises ValueError when the URL is none of these.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=REPLY_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=None,
        socket_keepalive=True,
        health_check_interval=HEALTH_SECONDS,
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
        protocol=2,  # replies are the same and a reconnect is one round trip shorter
    )
    return BoundedRedis.from_pool(pool)


async def close(redis: Redis) -> None:
    """Close every connection of the client."""
    await redis.aclose()


@contextmanager
def reaching(purpose: str) -> Iterator[None]:
    """Turn a failure of Redis into `QueueUnavailable`, so that callers need not know the client library."""
    try:
        yield
    except GONE as error:
        raise QueueUnavailable(f"Redis failed while {purpose}: {type(error).__name__}.") from error
