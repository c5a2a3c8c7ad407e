"""The two ways to Postgres."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dialer.store.database import Database


async def test_a_statement_that_fails_does_not_tell_whom_it_was_about(database: Database) -> None:
    with pytest.raises(DBAPIError) as failed:
        async with database.engine.connect() as connection:
            await connection.execute(text("select cast(:number as integer) / 0"), {"number": "+14155552671"})
    assert "4155552671" not in str(failed.value).replace(str(failed.value.orig), "")
