"""The two ways to Postgres."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dialer.store.database import Database, hot_pool, plain


async def test_a_statement_that_fails_does_not_tell_whom_it_was_about(database: Database) -> None:
    with pytest.raises(DBAPIError) as failed:
        async with database.engine.connect() as connection:
            await connection.execute(text("select cast(:number as integer) / 0"), {"number": "+14155552671"})
    assert "4155552671" not in str(failed.value).replace(str(failed.value.orig), "")


async def test_the_connection_at_hand_is_used_again_and_again(database: Database) -> None:
    assert len({await database.pool.fetchval("select pg_backend_pid()") for _ in range(5)}) == 1


async def test_whoever_waits_for_a_connection_gets_the_one_that_is_given_back(database: Database) -> None:
    pool = await hot_pool(plain(database.engine.url.render_as_string(hide_password=False)), size=1)
    try:
        async with asyncio.timeout(10):
            assert await asyncio.gather(*(pool.fetchval("select $1::int", n) for n in range(20))) == list(range(20))
            async with pool.acquire() as connection, connection.transaction():
                waiting = asyncio.create_task(pool.fetchval("select 20"))
                assert await connection.fetchval("select count(*) from teams") == 0
            assert await waiting == 20
    finally:
        await pool.close()


async def test_a_statement_that_fails_leaves_the_pool_sound(database: Database) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await database.pool.fetch("select 1 / 0")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await database.pool.fetch("select pg_sleep(60)")
    assert await database.pool.fetchval("select 1") == 1


async def test_a_connection_that_was_cut_while_it_was_at_hand_is_replaced(database: Database) -> None:
    at_hand = await database.pool.fetchval("select pg_backend_pid()")
    async with database.engine.connect() as other:
        await other.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": at_hand})
    async with asyncio.timeout(10):
        while True:
            try:
                assert await database.pool.fetchval("select pg_backend_pid()") != at_hand
                break
            except (asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError):
                continue  # its end had not been read yet
