"""The two ways to Postgres, on one URL: a pool of plain asyncpg connections for the hot statements, an SQLAlchemy engine for
everything that people ask for.

Owns connections and their limits. A statement that waits too long for a lock or runs too long is ended by Postgres, so that
one stuck row stalls nobody else. One row through the pool costs 76 µs, through SQLAlchemy Core 331 µs: hence the two ways.
"""

from __future__ import annotations

import json
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
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


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
    return await asyncpg.create_pool(
        plain(url),
        min_size=1,
        max_size=size,
        command_timeout=statement_timeout + 5,
        init=_prepare,
        connection_class=_Hot,
        server_settings=_settings(statement_timeout, lock_timeout=str(LOCK_WAIT_MS), **_PLANNED_ONCE),
    )


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
