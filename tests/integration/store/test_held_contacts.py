"""Contacts and their campaigns are locked together, anew when an enrolment came between: nobody waits in a ring for that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg

from dialer.store import callability
from dialer.store.database import Database, plain
from dialer.store.transaction import transaction
from tests.support.ledger import seed

TAKE = "select key from scopes where key = $1 for update"
WAITERS = "select count(*) from pg_locks where not granted"


async def test_taking_the_locks_anew_waits_in_no_ring_with_those_who_wait_for_them(database: Database) -> None:
    """A deadlock of three, seen as a 500: one had let go and came again, one still waited for it, one had come in between."""
    first, second = [(await seed(database.pool, contacts=1, prefix=prefix)).campaign for prefix in ("+4930", "+4940")]
    key = f"campaign:{first}"
    url = plain(database.engine.url.render_as_string(hide_password=False))
    waits, comes = await asyncpg.connect(url), await asyncpg.connect(url)
    waiting: asyncio.Task[object] | None = None
    read = 0

    async def who_waits() -> Sequence[str]:
        """The second reading of the first round finds a campaign more, so that the locks are let go."""
        nonlocal read, waiting
        read += 1
        if read == 2:
            waiting = asyncio.create_task(_take_and_let_go(waits, key))
            async with asyncio.timeout(10):
                while not await database.pool.fetchval(WAITERS):  # noqa: ASYNC110 - a lock rings no bell
                    await asyncio.sleep(0.01)
            return [first, second]
        if read == 3:  # between letting go and coming again
            await comes.execute("begin")
            await comes.fetch(TAKE, key)
            asyncio.get_running_loop().call_later(0.2, lambda: leaving.append(asyncio.create_task(comes.execute("commit"))))
        return [first] if read == 1 else [first, second]

    leaving: list[asyncio.Task[str]] = []
    try:
        async with asyncio.timeout(20), transaction(database, "test") as on:
            held = await callability.hold(on, who_waits, _nothing)
            assert held is not None and set(held[0].campaigns) == {first, second}
        assert waiting is not None
        await waiting
        await asyncio.gather(*leaving)
    finally:
        await waits.close()
        await comes.close()


async def _take_and_let_go(connection: asyncpg.Connection, key: str) -> None:
    async with connection.transaction():
        await connection.fetch(TAKE, key)


async def _nothing() -> None:
    return None
