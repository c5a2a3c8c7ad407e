"""The two ways to Postgres, on one URL: a pool of plain asyncpg connections for the hot statements, an SQLAlchemy engine for
everything that people ask for.

Owns connections and their limits. A statement that waits too long for a lock or runs too long is ended by Postgres, so that
one stuck row stalls nobody else. One row through the pool costs 76 µs, through SQLAlchemy Core 331 µs: hence the two ways.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

LOCK_WAIT_MS = 200
"""Longest wait for a row lock in a hot statement; past it the statement is tried again without the locked scopes."""

_PLANNED_ONCE = {
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_mergejoin": "off",
}
"""Planning a hot statement anew takes longer than running it, and compiling it much longer. But a plan that is made once is made
early, while the tables are small enough to be read whole, and would read them whole for ever (measured: seven scans of all
attempts for one call). Each of these statements finds its few rows by an index: a table is read whole, or merged along its whole
index, by none."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"


class Pool:
    """Connections for the hot statements; the one that was used last stays at hand.

    To take a connection out of asyncpg's pool and to give it back costs half of what a short statement does. So that is done only
    where several are needed at once, and after a failure: asyncpg's pool knows how to make a connection sound again.
    """

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._at_hand: PoolConnectionProxy[asyncpg.Record] | None = None
        self._waiting = 0

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        async with self.acquire() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(query, *args)
            return rows

    async def fetchrow(self, query: str, *args: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        async with self.acquire() as connection:
            done: str = await connection.execute(query, *args)
            return done

    def acquire(self) -> _Held:
        """`async with pool.acquire() as connection`: several statements on one connection."""
        return _Held(self)

    async def close(self) -> None:
        """Waits until every connection is given back."""
        self._waiting += 1  # so that none stays at hand
        if self._at_hand is not None:
            at_hand, self._at_hand = self._at_hand, None
            await self._pool.release(at_hand)
        await self._pool.close()

    async def _take(self) -> PoolConnectionProxy[asyncpg.Record]:
        connection, self._at_hand = self._at_hand, None
        if connection is not None:
            with suppress(asyncpg.InterfaceError):  # it was cut, and is back in the pool already
                if not connection.is_closed():
                    return connection
            await self._pool.release(connection)
        self._waiting += 1
        try:
            return await self._pool.acquire()
        finally:
            self._waiting -= 1

    async def _give(self, connection: PoolConnectionProxy[asyncpg.Record], *, sound: bool) -> None:
        if sound and self._at_hand is None and not self._waiting:
            self._at_hand = connection
        else:
            await self._pool.release(connection)


class _Held:
    """A connection while it is used."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> PoolConnectionProxy[asyncpg.Record]:
        self._connection = await self._pool._take()
        return self._connection

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._pool._give(self._connection, sound=kind is None)


def plain(url: str) -> str:
    """The URL as asyncpg reads it."""
    return url.replace("postgresql+asyncpg://", "postgresql://", 1)


def engine_for(url: str, *, pool_size: int = 5, statement_timeout: float = 30) -> AsyncEngine:
    return create_async_engine(
        plain(url).replace("postgresql://", "postgresql+asyncpg://", 1),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        hide_parameters=True,  # they hold numbers and names, and what SQLAlchemy raises is logged
        connect_args={"server_settings": _settings(statement_timeout)},
    )


def _settings(statement_timeout: float, **more: str) -> dict[str, str]:
    return {
        "application_name": "dialer",
        "statement_timeout": str(int(statement_timeout * 1000)),
        "idle_in_transaction_session_timeout": "10000",
        "timezone": "UTC",
        **more,
    }


class _Hot(asyncpg.Connection):  # type: ignore[misc]
    """A connection that leaves nothing behind in its session, so that giving it back costs no round trip."""

    def get_reset_query(self) -> str:
        return ""


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def hot_pool(url: str, *, size: int = 10, statement_timeout: float = 5) -> Pool:
    pool = await asyncpg.create_pool(
        plain(url),
        min_size=1,
        max_size=size,
        command_timeout=statement_timeout + 5,
        init=_prepare,
        connection_class=_Hot,
        server_settings=_settings(statement_timeout, lock_timeout=str(LOCK_WAIT_MS), **_PLANNED_ONCE),
    )
    return Pool(pool)


@dataclass(frozen=True, slots=True)
class Database:
    """Both ways, opened together and closed together."""

    pool: Pool
    engine: AsyncEngine

    @classmethod
    async def open(cls, url: str, *, pool_size: int = 10, statement_timeout: float = 5) -> Self:
        pool = await hot_pool(url, size=pool_size, statement_timeout=statement_timeout)
        return cls(pool, engine_for(url, pool_size=min(pool_size, 5)))

    async def close(self) -> None:
        await self.engine.dispose()
        await self.pool.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self.close()
