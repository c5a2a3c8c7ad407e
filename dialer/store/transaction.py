"""A transaction that people caused: whatever history it writes says by whom. What has an idempotency key is receipted in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from dialer.store import receipts
from dialer.store.database import Database

Transaction: TypeAlias = AsyncConnection


@asynccontextmanager
async def transaction(database: Database, actor: str) -> AsyncIterator[Transaction]:
    """Commits at the end, rolls back on an exception. `actor` is who is to blame: `key:key_…`, `cli`."""
    async with database.engine.begin() as connection:
        await connection.execute(text("select set_config('dialer.actor', :actor, true)"), {"actor": actor})
        async with receipts.kept_with(connection):
            yield connection


@asynccontextmanager
async def reading(database: Database) -> AsyncIterator[Transaction]:
    """One snapshot for several reads; writes nothing."""
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        yield connection
