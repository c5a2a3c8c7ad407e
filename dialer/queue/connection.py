"""The one way to a Redis client: bounded waits, no silent second try, bytes in and out.

Most of our scripts are not idempotent (a second try of a reservation reserves twice), so the client never retries by itself;
who calls decides. A connection that went stale while nobody used it is noticed and replaced before it is used.

Scripts and what blocks are sent on connections that are kept at hand: the client's own way through its pool takes as long again
as all the rest of a command, and each call makes five of them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.exceptions import TimeoutError as NoReply

from dialer.queue.outage import GONE

BLOCK_SECONDS = 2.0
"""The longest one blocking command waits. It bounds what a wake-up lost with its connection can cost."""

REPLY_SECONDS = 3.0
"""The longest any reply is awaited; more than `BLOCK_SECONDS`, or an idle wait would look like an outage."""

CONNECT_SECONDS = 2.0
HEALTH_SECONDS = 15
CONNECTIONS = 32
KEPT = 4
"""Connections at hand: a role seldom has more to say at once. Fewer than there are, for others need them too."""

Part: TypeAlias = str | bytes | int | float


class QueueUnavailable(Exception):
    """Redis did not do what was asked; whether it did so in part is unknown. Asking again is up to the caller."""


class BoundedRedis(Redis):
    """Awaits no reply longer than `REPLY_SECONDS`, the time to get a connection included.

    Not by the client's own `socket_timeout`: that sends under `asyncio.wait_for`, which before Python 3.12 loses a cancellation
    that comes while it returns, and a worker that was cancelled would run on.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._at_hand: list[Connection] = []

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except TimeoutError as error:
            raise NoReply(f"no reply within {REPLY_SECONDS:.0f} s") from error

    async def converse(self, *commands: Sequence[Part], seconds: float = REPLY_SECONDS) -> list[Any]:
        """The replies to these commands, which are sent at once; within `seconds`. Raises RedisError."""
        try:
            async with asyncio.timeout(seconds):
                return await self._converse(commands)
        except TimeoutError as error:
            raise NoReply(f"no reply within {seconds:.0f} s") from error

    async def _converse(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        connection = await self._take()
        try:
            await connection.send_packed_command(connection.pack_commands(commands))
            replies = [await connection.read_response() for _ in commands]
        except BaseException:  # a reply may still be on its way
            await connection.disconnect(nowait=True)
            await self.connection_pool.release(connection)
            raise
        if len(self._at_hand) < KEPT:
            self._at_hand.append(connection)
        else:
            await self.connection_pool.release(connection)
        return replies

    async def _take(self) -> Connection:
        while self._at_hand:
            connection, stale = self._at_hand.pop(), True
            try:
                with suppress(*GONE):
                    stale = await connection.can_read()
            finally:
                if stale:  # Redis has closed it, or we are cancelled
                    await connection.disconnect(nowait=True)
                    await self.connection_pool.release(connection)
            if not stale:
                return connection
        return await self.connection_pool.get_connection()  # type: ignore[no-any-return, no-untyped-call]


class Script:
    """A Lua script. It is sent by its hash, and whole where Redis does not know it."""

    def __init__(self, redis: BoundedRedis, text: str) -> None:
        self.text = text
        self._redis = redis
        self._hash = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, keys: Sequence[str], args: Sequence[Part] = ()) -> Any:
        """Its answer. Raises RedisError."""
        try:
            [reply] = await self._redis.converse(("EVALSHA", self._hash, len(keys), *keys, *args))
        except NoScriptError:
            [reply] = await self._redis.converse(("EVAL", self.text, len(keys), *keys, *args))
        return reply


def connect(url: str) -> BoundedRedis:
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
    client: BoundedRedis = BoundedRedis.from_pool(pool)  # type: ignore[assignment]
    return client


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
