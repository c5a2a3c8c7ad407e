"""The migrations, the tables SQLAlchemy knows and the state machines say the same."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from dialer.domain.machine import TABLES
from dialer.store.database import Database
from dialer.store.statements import names, statement
from dialer.store.tables import metadata


async def test_the_tables_are_what_the_migrations_make(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": _columns_only})
        found: list[object] = compare_metadata(context, metadata)
        return found

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


def _columns_only(_thing: object, _name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """Laws and indexes live in the migrations alone."""
    return kind in ("table", "column") and _name != "alembic_version"


async def test_the_ledger_allows_exactly_the_turns_of_the_tables(database: Database) -> None:
    async with database.engine.connect() as connection:
        rows = await connection.execute(text("select entity, before, after from legal_turns"))
        written = {(r.entity, r.before, r.after) for r in rows}
    assert written == {
        (entity, before if before is None else str(before), str(after))
        for entity, turns in TABLES.items()
        for before, afters in turns.items()
        for after in afters
    }


async def test_every_hot_statement_is_understood_in_both_forms(database: Database) -> None:
    async with database.pool.acquire() as connection:
        for name in names():
            await connection.prepare(statement(name))
            await connection.prepare(statement(name, skip_locked=True))
