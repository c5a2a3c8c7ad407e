"""The history as a log: whoever reads on from a bookmark misses nothing, however late it commits, and gets nothing twice."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import pytest

from dialer.domain.bookmark import Bookmark
from dialer.flows.campaigns import events
from dialer.flows.campaigns.events import Following
from dialer.store.database import Database
from scheduler.clock import SystemClock
from tests.support.ledger import Seed, seed


class Reader:
    """Reads on as another process would: each time anew, from the text of the last bookmark."""

    def __init__(self, database: Database, where: Seed) -> None:
        self._database = database
        self._where = where
        self.mark: str | None = None
        self.ids: list[int] = []
        self.counts: dict[str, object] = {}

    async def read(self) -> list[int]:
        new: list[int] = []
        more = True
        while more:
            after = None if self.mark is None else Bookmark.parse(self.mark)
            assert (after is None) == (self.mark is None)
            reading = await Following(self._database, SystemClock(), self._where.team, self._where.campaign, after).read()
            new += [data["id"] for kind, data in reading.events if kind != "counts" and data["id"] is not None]
            self.counts.update({name: value for kind, data in reading.events if kind == "counts" for name, value in data.items()})
            self.mark, more = str(reading.bookmark), reading.more
        self.ids += new
        return new


async def turn(connection: asyncpg.Connection, campaign: str, n: int = 1) -> list[int]:
    """Some turns of calls, which many transactions may write at once; the ids of all that this transaction wrote."""
    await connection.execute(
        """insert into history (entity, entity_id, campaign_id, before, after, actor)
           select 'attempt', 'call_' || n, $1, 'placing', 'ringing', 'engine' from generate_series(1, $2::int) n""",
        campaign, n,
    )  # fmt: skip
    return [r["id"] for r in await connection.fetch("select id from history where xid = pg_current_xact_id()::text::bigint")]


async def skip(connection: asyncpg.Connection, campaign: str) -> None:
    """A waiting contact is skipped, which changes the counts."""
    await connection.execute(
        """update campaign_contacts set status = 'skipped', completed_at = now() where id = (
             select id from campaign_contacts where campaign_id = $1 and status = 'pending' limit 1 for update skip locked)""",
        campaign,
    )  # fmt: skip


async def test_what_commits_late_with_a_smaller_id_is_not_lost(database: Database, database_url: str) -> None:
    where = await seed(database.pool, contacts=10)
    reader = Reader(database, where)
    await reader.read()
    late, soon = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    try:
        slow = late.transaction()
        await slow.start()
        early_ids = await turn(late, where.campaign)
        async with soon.transaction():
            later_ids = await turn(soon, where.campaign)
        assert max(early_ids) < min(later_ids)
        assert await reader.read() == later_ids
        assert await reader.read() == []
        await slow.commit()
        assert await reader.read() == early_ids
        assert await reader.read() == []
    finally:
        await late.close()
        await soon.close()


async def test_a_transaction_that_was_idle_while_others_came_and_went_is_not_lost(database: Database, database_url: str) -> None:
    """It has its number before the snapshot that passes it by, and writes after it: its number is then one that ended nowhere."""
    where = await seed(database.pool, contacts=10)
    reader = Reader(database, where)
    await reader.read()
    late = await asyncpg.connect(database_url)
    try:
        slow = late.transaction()
        await slow.start()
        await late.fetchval("select pg_current_xact_id()")
        async with database.pool.acquire() as soon, soon.transaction():
            first = await turn(soon, where.campaign)
        assert await reader.read() == first
        mine = await turn(late, where.campaign, 3)
        async with late.transaction():  # in a savepoint too
            mine = await turn(late, where.campaign, 1)
        async with database.pool.acquire() as soon, soon.transaction():
            second = await turn(soon, where.campaign)
        assert await reader.read() == second
        await slow.commit()
        assert sorted(await reader.read()) == sorted(mine)
        assert len(mine) == 4
    finally:
        await late.close()


@pytest.mark.parametrize("seed_", range(3))
async def test_many_writers_and_a_reader_that_always_begins_anew(
    database: Database, database_url: str, seed_: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAGE", 7)
    rng = random.Random(seed_)
    where = await seed(database.pool, contacts=400)
    reader = Reader(database, where)
    await reader.read()
    before = await database.pool.fetchval("select max(id) from history")
    done = asyncio.Event()

    async def write(pauses: list[float]) -> None:
        connection = await asyncpg.connect(database_url)
        try:
            for pause in pauses:
                transaction = connection.transaction()
                await transaction.start()
                await turn(connection, where.campaign, 1 + int(pause * 1000) % 5)
                await asyncio.sleep(pause)
                if int(pause * 100_000) % 3 == 0:
                    await skip(connection, where.campaign)
                await (transaction.rollback() if int(pause * 10_000) % 7 == 0 else transaction.commit())
        finally:
            await connection.close()

    async def read() -> None:
        while not done.is_set():
            await reader.read()
        await reader.read()

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read())
        writing = [group.create_task(write([rng.random() * 0.03 for _ in range(20)])) for _ in range(5)]
        await asyncio.wait(writing)
        done.set()
        await reading
    written = await database.pool.fetch("select id from history where campaign_id = $1 and id > $2", where.campaign, before)
    assert len(written) > 100
    assert sorted(reader.ids) == sorted(r["id"] for r in written)
    left = await database.pool.fetchval(
        "select count(*) from campaign_contacts where campaign_id = $1 and status = 'pending'", where.campaign
    )
    by_status = reader.counts["by_status"]
    assert isinstance(by_status, dict) and by_status["pending"] == left


async def test_an_idle_read_is_cheap(database: Database) -> None:
    """Whatever the campaign has behind it, a read without news goes by the index and touches no row of the history."""
    where = await seed(database.pool, contacts=2_000)
    await database.pool.execute("analyze")
    from dialer.store.events import READ

    now = await database.pool.fetchval("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    values = f"('{where.campaign}', '{where.team}', '{{}}', 0, 0, {now}, 0, {2**63 - 1}, '{{}}', 500)"
    async with database.pool.acquire() as connection, connection.transaction():
        types = "text, text, bigint[], bigint, bigint, bigint, bigint, bigint, bigint[], bigint"
        await connection.execute(f"prepare look ({types}) as {READ}")
        plan = "\n".join(r[0] for r in await connection.fetch(f"explain (analyze, buffers) execute look {values}"))
    assert "history_log" in plan and "Seq Scan on history" not in plan
