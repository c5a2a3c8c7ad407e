"""The second wall: under row-level security a request meets nothing of another team, in whatever table.

Driven by the catalogue: a new table that is not put behind the wall (`wall_in`, migration 0002), or that the rows below leave
empty, fails here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text

from dialer.store.database import Database
from dialer.store.transaction import reading, transaction, within
from tests.support.ledger import Seed, fill_the_rest, seed

OUTSIDE = {"alembic_version": "which migrations ran; no team's, and nothing is granted on it"}
SHARED = {
    "legal_turns": "the state machines",
    "place_sets": "the sets of zones that exist",
}
"""Tables whose rows are nobody's: every team may read them, none may change them."""

ENGINES = {
    "gaps": "when a trunk's word was missed",
    "storms": "trunks whose endings are not believed",
    "contact_search": "what lists search",
}
"""Tables that no request reads."""

NOBODYS = {"scopes": "key like 'trunk:%'", "suppressions": "scope = 'global'"}
"""Rows that are nobody's in tables of teams."""


@pytest.fixture
async def theirs(database: Database) -> AsyncIterator[Seed]:
    """A team with at least one row in every table."""
    await database.pool.execute("insert into scopes (key) values ('trunk:simulated')")
    made = await seed(database.pool, contacts=3)
    await fill_the_rest(database.pool, made)
    yield made


@pytest.fixture
async def ours(database: Database) -> str:
    """A team that has nothing but itself."""
    team: str = await database.pool.fetchval("insert into teams (name) values ('Ours') returning id")
    return team


async def tables(database: Database) -> list[str]:
    rows = await database.pool.fetch(
        "select relname from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace order by 1"
    )
    return [row["relname"] for row in rows if row["relname"] not in OUTSIDE]


async def visible(database: Database, team: str | None, table: str) -> int:
    """How many rows a request of this team sees; one that may not even look sees none."""
    async with database.pool.acquire() as on:
        try:
            async with on.transaction():
                await _step_behind(on, team)
                count: int = await on.fetchval(f"select count(*) from {table}")
                return count
        except asyncpg.InsufficientPrivilegeError:
            return 0


async def _step_behind(on: object, team: str | None) -> None:
    """As `transaction` does it for a request; None = it forgot the team."""
    await on.fetchval(  # type: ignore[attr-defined]
        "select set_config('dialer.team', $1, true), set_config('role', 'dialer_api', true)", team or ""
    )


async def test_every_table_is_behind_the_wall_or_has_a_reason(database: Database) -> None:
    bare = await database.pool.fetch(
        """select relname from pg_class c where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
           and (not relrowsecurity
                or not exists (select from pg_policy p where p.polrelid = c.oid and 'dialer_api'::regrole = any(p.polroles)))"""
    )
    assert {row["relname"] for row in bare} == set(OUTSIDE)
    granted = await database.pool.fetch(
        """select distinct table_name::text from information_schema.table_privileges
           where grantee in ('dialer_api', 'PUBLIC') and table_schema = 'public'"""
    )
    assert {row["table_name"] for row in granted} <= set(await tables(database)), "views and bare tables are not for requests"


async def test_requests_run_as_a_role_that_owns_nothing_and_bypasses_nothing(database: Database, ours: str) -> None:
    role = await database.pool.fetchrow("select * from pg_roles where rolname = 'dialer_api'")
    assert role is not None
    assert not any(role[flag] for flag in ("rolsuper", "rolbypassrls", "rolcanlogin", "rolcreaterole", "rolcreatedb"))
    assert await database.pool.fetchval("select count(*) from pg_class where relowner = 'dialer_api'::regrole") == 0
    assert await database.pool.fetchval("select count(*) from pg_auth_members where member = 'dialer_api'::regrole") == 0
    with within(ours):
        async with reading(database) as on:
            assert (await on.execute(text("select current_user, team()"))).one() == ("dialer_api", ours)
        async with transaction(database, "test") as on:
            assert (await on.execute(text("select current_user, team(), actor()"))).one() == ("dialer_api", ours, "test")


async def test_with_no_team_every_table_is_empty(database: Database, theirs: Seed) -> None:
    filled = {t: await database.pool.fetchval(f"select count(*) from {t}") for t in await tables(database)}
    assert [t for t, n in filled.items() if n == 0] == [], "give the seed a row of each table, or the wall is not tried"
    assert {t: await visible(database, None, t) for t in filled} == dict.fromkeys(filled, 0)


async def test_a_team_sees_its_own_rows_and_nobodys(database: Database, theirs: Seed, ours: str) -> None:
    for table in await tables(database):
        rows = await database.pool.fetchval(f"select count(*) from {table}")
        if table in SHARED or table in ENGINES:
            assert await visible(database, ours, table) == (rows if table in SHARED else 0)
            continue
        own = f"where {'id' if table == 'teams' else 'key'} like '%{ours}'"
        mine = await database.pool.fetchval(f"select count(*) from {table} {own}") if table in ("teams", "scopes") else 0
        free = await database.pool.fetchval(f"select count(*) from {table} where {NOBODYS[table]}") if table in NOBODYS else 0
        assert (table, await visible(database, ours, table)) == (table, mine + free)
        assert (table, await visible(database, theirs.team, table)) == (table, rows - mine)


async def test_a_team_changes_and_deletes_nothing_of_another(database: Database, theirs: Seed, ours: str) -> None:
    await database.pool.execute("delete from scopes where key = $1", f"team:{ours}")
    for table in await tables(database):
        own = "where id <> team()" if table == "teams" else ""
        columns = await database.pool.fetch(
            """select attname from pg_attribute where attrelid = $1::regclass and attnum > 0
               and attidentity = '' and attgenerated = ''
               and has_column_privilege('dialer_api', attrelid, attnum, 'UPDATE')""",
            table,
        )
        tried = [f"delete from {table} {own}", *(f"update {table} set {c['attname']} = {c['attname']} {own}" for c in columns)]
        for statement in tried:
            assert await _refused(database, ours, statement), statement


async def _refused(database: Database, team: str, statement: str, *args: object) -> bool:
    """Whether it is refused or meets no row."""
    async with database.pool.acquire() as on:
        try:
            async with on.transaction():
                await _step_behind(on, team)
                return str(await on.execute(statement, *args)).endswith(" 0")
        except asyncpg.InsufficientPrivilegeError:
            return True
        except asyncpg.IntegrityConstraintViolationError:
            return False  # only another law stopped it


async def test_a_team_inserts_nothing_for_another(database: Database, theirs: Seed, ours: str) -> None:
    for table in await tables(database):
        row = json.loads(await database.pool.fetchval(f"select to_jsonb(t)::text from {table} t limit 1"))
        worked_out = await database.pool.fetch(
            "select attname from pg_attribute where attrelid = $1::regclass and attgenerated <> ''", table
        )
        names = ", ".join(row.keys() - {each["attname"] for each in worked_out})
        copied = (
            f"insert into {table} ({names}) overriding system value select {names} from jsonb_populate_record(null::{table}, $1)"
        )
        assert await _refused(database, ours, copied, row), table


async def test_a_trunks_semaphore_may_be_held_by_a_request_and_not_changed(database: Database, theirs: Seed, ours: str) -> None:
    async with database.pool.acquire() as on, on.transaction():
        await _step_behind(on, ours)
        assert await on.fetchval("select key from scopes where key = 'trunk:simulated' for update") == "trunk:simulated"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await on.execute("update scopes set budget = 0 where key = 'trunk:simulated'")


class TestNothingOfARequestStaysInItsConnection:
    @pytest.fixture
    async def narrow(self, database_url: str) -> AsyncIterator[Database]:
        """One connection for people, so that the next request surely gets the one before's."""
        async with await Database.open(database_url, pool_size=1) as opened:
            opened.engine.pool._max_overflow = 0  # type: ignore[attr-defined]
            yield opened

    async def next_request(self, database: Database) -> tuple[str, str | None]:
        async with reading(database) as on:
            row = (await on.execute(text("select current_user, team()"))).one()
        return row[0], row[1]

    async def test_after_its_end(self, narrow: Database, ours: str) -> None:
        with within(ours):
            async with transaction(narrow, "test") as on:
                pid = await on.scalar(text("select pg_backend_pid()"))
        async with reading(narrow) as on:
            assert await on.scalar(text("select pg_backend_pid()")) == pid
        assert await self.next_request(narrow) == ("dialer", None)

    async def test_after_an_error_in_the_middle(self, narrow: Database, ours: str) -> None:
        for fault in ("select 1 / 0", "insert into history (entity) values ('x')"):
            with within(ours), pytest.raises(Exception, match=r"zero|denied"):
                async with transaction(narrow, "test") as on:
                    await on.execute(text(fault))
            assert await self.next_request(narrow) == ("dialer", None)

    async def test_after_a_request_that_was_cancelled(self, narrow: Database, ours: str) -> None:
        begun = asyncio.Event()

        async def request(statement: str) -> None:
            with within(ours):
                async with transaction(narrow, "test") as on:
                    await on.execute(text("select 1"))
                    begun.set()
                    await on.execute(text(statement))

        for statement in ("select pg_sleep(30)", "select 1 from pg_sleep(30)"):
            begun.clear()
            task = asyncio.create_task(request(statement))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await self.next_request(narrow) == ("dialer", None)

    async def test_two_teams_at_once_stay_apart(self, database: Database, ours: str, theirs: Seed) -> None:
        async def request(team: str) -> str | None:
            with within(team):
                async with reading(database) as on:
                    await asyncio.sleep(0)
                    seen: str | None = await on.scalar(text("select string_agg(id, ',') from teams"))
                    return seen

        teams = [ours, theirs.team] * 20
        assert await asyncio.gather(*(request(team) for team in teams)) == teams
