"""Brings a database to the newest schema."""

from __future__ import annotations

import logging
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from dialer.store.database import engine_for
from dialer.store.revision import newest

logging.getLogger("alembic").setLevel(logging.WARNING)

LOCK = 0x64696C6572  # "dialer": two migrate jobs at once wait for each other


class RolesMissing(Exception):
    """The roles of the second wall are missing and may not be made; the message names what an administrator must run."""


ROLES_MISSING = "DL001"
"""How the migration says so."""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection) -> tuple[str | None, str | None]:
    connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": LOCK})
    before = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
    connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": LOCK})
    connection.commit()
    return before, newest()


async def migrate(url: str) -> tuple[str | None, str | None]:
    """Upgrade to the newest schema. Returns the revision before and after. Raises RolesMissing."""
    engine = engine_for(url, statement_timeout=0)  # a large table takes as long as it takes
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_upgrade)
    except asyncpg.PostgresError as fault:
        if getattr(fault, "sqlstate", None) != ROLES_MISSING:
            raise
        raise RolesMissing(str(fault)) from None
    finally:
        await engine.dispose()
