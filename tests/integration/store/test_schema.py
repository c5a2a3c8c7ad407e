"""The migrations, the tables SQLAlchemy knows and the state machines say the same."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from dialer.domain.machine import TABLES
from dialer.store import migrate, revision
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


def test_the_files_of_the_migrations_are_named_by_their_revisions() -> None:
    script = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert revision.known() == [each.revision for each in script.walk_revisions()][::-1]
    assert revision.newest() == script.get_current_head()


async def test_a_database_is_usable_with_our_schema_or_a_newer_one(database: Database, database_url: str) -> None:
    assert await revision.current(database_url) == revision.newest()
    assert await revision.usable(database_url)
    await database.pool.execute("update alembic_version set version_num = '9999'")
    assert await revision.usable(database_url)
    await database.pool.execute("update alembic_version set version_num = $1", revision.known()[-2])
    assert not await revision.usable(database_url)
    await database.pool.execute("drop table alembic_version")
    assert (await revision.current(database_url), await revision.usable(database_url)) == (None, False)


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
