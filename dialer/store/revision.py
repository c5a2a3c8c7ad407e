"""Which schema a database has, and which ones this version knows.

Without Alembic: every command and every role asks on its way up, and importing Alembic takes as long as all else it does then.
"""

from __future__ import annotations

from pathlib import Path

import asyncpg

from dialer.store.database import plain

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def known() -> list[str]:
    """The revisions of this version, the oldest first: the numbers that the files of the migrations begin with."""
    return sorted(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py"))


def newest() -> str:
    return known()[-1]


async def current(url: str) -> str | None:
    """The revision of the database, None for an empty one."""
    connection = await asyncpg.connect(plain(url), server_settings={"application_name": "dialer"})
    try:
        if await connection.fetchval("select to_regclass('alembic_version')") is None:
            return None
        found: str | None = await connection.fetchval("select version_num from alembic_version")
        return found
    finally:
        await connection.close()


async def usable(url: str) -> bool:
    """Whether this version can run on the database: its schema is ours, or one that a newer version made. Schemas only grow
    (expand, then contract one release later), so the last release runs on the newest schema."""
    found = await current(url)
    return found is not None and (found == newest() or found not in known())
