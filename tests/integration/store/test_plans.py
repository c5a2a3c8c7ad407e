"""The hot statements find their rows by an index, whatever the tables looked like when they were planned."""

from __future__ import annotations

import pytest

from dialer.store.database import Database
from dialer.store.statements import names, statement

WIDE = {"recount_scopes", "recount_tallies"}
"""Once a minute, and planned for what is there."""


async def _plan(database: Database, text: str) -> str:
    async with database.pool.acquire() as connection:
        prepared = await connection.prepare(text)
        nulls = ", ".join("null" for _ in prepared.get_parameters())
        planned = f"explain execute {prepared.get_name()}" + (f" ({nulls})" if nulls else "")
        return "\n".join(row[0] for row in await connection.fetch(planned))


@pytest.mark.parametrize("name", [name for name in names() if name not in WIDE])
async def test_no_hot_statement_reads_a_table_whole(database: Database, name: str) -> None:
    assert "Seq Scan" not in await _plan(database, statement(name))


async def test_the_guard_sees_a_table_that_is_read_whole(database: Database) -> None:
    assert "Seq Scan on history" in await _plan(database, "select * from history where reason = $1")
