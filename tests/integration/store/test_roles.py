"""The roles of the second wall where the migrating user is no superuser, and where several databases share a cluster."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from sqlalchemy import text

from dialer.embedded import EmbeddedServers
from dialer.store.database import Database
from dialer.store.migrate import RolesMissing, migrate
from dialer.store.revision import current
from dialer.store.transaction import reading, within


@pytest.fixture(scope="module")
def admin_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster that no database of ours was in."""
    with EmbeddedServers(tmp_path_factory.mktemp("roles") / "data") as endpoints:
        yield endpoints.database_url


@pytest.fixture
async def admin(admin_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    connection = await asyncpg.connect(admin_url)
    for statement in (
        "create role humble login password 'x'",
        "create role manager login createrole password 'x'",
        "create role daemon login password 'x'",
        "create database humble owner humble",
        "create database manager owner manager",
        "create database second owner manager",
    ):
        await connection.execute(statement)
    yield connection
    await connection.close()


def url_of(admin_url: str, user: str, database: str) -> str:
    return re.sub(r"//[^@]+@", f"//{user}:x@", admin_url).rsplit("/", 1)[0] + f"/{database}"


async def test_the_roles_are_made_or_the_lines_are_named_that_make_them(
    admin_url: str, admin: asyncpg.Connection[asyncpg.Record]
) -> None:
    humble, manager = url_of(admin_url, "humble", "humble"), url_of(admin_url, "manager", "manager")
    with pytest.raises(RolesMissing) as refused:
        await migrate(humble)
    assert str(refused.value).splitlines()[1:] == [
        "create role dialer_api nologin; create role dialer_engine nologin;",
        "grant dialer_api, dialer_engine to humble;",
    ]

    # Whoever may create roles needs nobody, and two databases that make them at once do not stumble over each other.
    await asyncio.gather(_migrated(manager), _migrated(url_of(admin_url, "manager", "second")))
    await _a_request_stays_in_its_team(manager)

    with pytest.raises(RolesMissing) as refused:
        await migrate(humble)
    lines = str(refused.value).splitlines()[1:]
    assert lines == ["grant dialer_api, dialer_engine to humble;"]
    await admin.execute(lines[0])
    await migrate(humble)
    await _a_request_stays_in_its_team(humble)

    # A daemon whose user owns nothing: a member of the two roles, and no more.
    await admin.execute("grant dialer_api, dialer_engine to daemon")
    daemon = url_of(admin_url, "daemon", "humble")
    await _a_request_stays_in_its_team(daemon)
    assert await current(humble) == await current(manager)


async def _migrated(url: str) -> None:
    """In a process of its own: Alembic is one to a process."""
    code = "import asyncio, sys; from dialer.store.migrate import migrate; asyncio.run(migrate(sys.argv[1]))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, url)
    assert await process.wait() == 0


async def _a_request_stays_in_its_team(url: str) -> None:
    async with await Database.open(url) as database:
        names = [f"{url[-6:]} {n} {await database.pool.fetchval('select new_id($1)', 'x')}" for n in range(2)]
        ours, _ = [await database.pool.fetchval("insert into teams (name) values ($1) returning id", name) for name in names]
        assert await database.pool.fetchval("select count(*) from teams") >= 2
        with within(ours):
            async with reading(database) as on:
                assert list((await on.execute(text("select name from teams"))).scalars()) == names[:1]
