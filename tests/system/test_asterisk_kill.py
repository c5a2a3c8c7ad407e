"""kill -9 of every process of the dialer with fifty calls up over ARI: whatever happened meanwhile, each ends as it truly did."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from adapters.session import basic
from dialer.store.database import Database, Pool
from tests.support.engine import TRUNK
from tests.support.laws import laws_hold, nothing_left
from tests.support.ledger import seed
from tests.support.providers.asterisk import PASSWORD, USER
from tests.system.crew import PROJECT, Crew, crew
from tests.system.pbx import ALL

ROLES = {"scheduler": "scheduler", "worker": "worker"}
"""Who has to do with a call over ARI, which calls nobody back."""


@asynccontextmanager
async def asterisk() -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.pbx"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=PROJECT,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(30):
            url = (await process.stdout.readline()).decode().strip()
        yield url
    finally:
        process.stdin.close()
        await process.wait()


def start(made: Crew, env: dict[str, str]) -> None:
    for name, role in ROLES.items():
        made.start(name, role, env=lambda: env)


async def until(pool: Pool, query: str, *args: object) -> None:
    async with asyncio.timeout(60):
        while not await pool.fetchval(query, *args):  # noqa: ASYNC110 - other processes have no event to wait for
            await asyncio.sleep(0.05)


async def test_every_call_that_was_up_ends_as_it_truly_did(
    database: Database, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    pool = database.pool
    async with (
        asterisk() as url,
        crew(tmp_path) as made,
        aiohttp.ClientSession(url, headers={"Authorization": basic(USER, PASSWORD)}) as http,
    ):

        async def let(when: str) -> None:
            async with http.post(f"/test/{when}") as answer:
                assert answer.status == 204

        async def books() -> dict[str, Any]:
            async with http.get("/test/books") as answer:
                told: dict[str, Any] = await answer.json()
            return told

        config = tmp_path / "config.toml"
        config.write_text(
            f"""[scheduler]
slow_start_seconds = 0
[logging]
level = "warning"
[adapters.{TRUNK}]
kind = "asterisk"
base_url = "{url}"
user = "{USER}"
password = "{PASSWORD}"
endpoint = "PJSIP/{{number}}@trunk"
context = "answered"
timeout = 0.5
""",
            encoding="utf-8",
        )
        env = {"DIALER_CONFIG": str(config), "DATABASE_URL": database_url, "REDIS_URL": redis_url}
        campaign = await seed(
            pool, contacts=len(ALL), concurrency=len(ALL), max_attempts=1, settings={"ring_timeout_seconds": 120}
        )
        await pool.execute("update assistants set external_id = 'agent'")

        start(made, env)
        await let("up")
        await until(pool, "select count(*) = $1 from call_attempts where provider_ref is not null", len(ALL))
        await asyncio.gather(*(made.stop(name, signal.SIGKILL) for name in ROLES))
        assert (await books())["connects"] == 1, "nobody but the worker listens"
        await let("down")
        start(made, env)
        async with asyncio.timeout(30):
            while (await books())["connects"] < 2:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        await let("after")
        await until(pool, "select status = 'completed' from campaigns where id = $1", campaign.campaign)
        for name in ROLES:
            await made.stop(name)
        told = await books()

    assert made.deaths == [], [made.words(name) for name in ROLES]
    truly = {call["attempt"]: call["truly"] for call in told["calls"]}
    assert len(truly) == len(ALL)
    rows = await pool.fetch("select id, outcome, contact_id from call_attempts")
    assert {row["id"]: row["outcome"] for row in rows} == truly
    assert Counter(told["dialled"]) == dict.fromkeys(truly, 1) and set(told["requests"].values()) == {1}
    assert len({call["to"] for call in told["calls"]}) == len(ALL), "somebody was called twice"
    assert all(call["over"] and not call["hung_up"] for call in told["calls"])
    said_no = {call["to"] for call in told["calls"] if call["no"]}
    heard = await pool.fetch("select phone_number from suppressions")
    assert {row["phone_number"] for row in heard} == said_no
    await laws_hold(pool)
    await nothing_left(pool)
