"""`dialer adapter test` and `doctor` as a person types them, beside a daemon that hears the carrier's callbacks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.simulated.carrier.script import Span
from adapters.simulated.carrier.server import Carrier
from dialer.store.database import Database
from tests.integration.cli.conftest import Shell
from tests.support.carrier import API_KEY, SIGNING_SECRET, carrier, eventually, quick
from tests.support.served import served

PROJECT = Path(__file__).parents[3]
TO, FROM = "+493012345678", "+4930901820"
CALL = ("adapter", "test", "sim", "--to", TO, "--from", FROM, "--voice", "ada", "--any-hour")


@pytest.fixture
async def running() -> AsyncIterator[Carrier]:
    async with carrier() as found:
        yield found


@pytest.fixture
def shell(dialer: Shell, running: Carrier) -> Shell:
    given = {"BASE_URL": running.url, "API_KEY": API_KEY, "SIGNING_SECRET": SIGNING_SECRET}
    dialer.environ |= {f"DIALER_ADAPTERS__SIM__{name}": value for name, value in given.items()}
    return dialer


async def test_beside_a_daemon_all_is_well_and_one_call_is_placed_of_which_it_keeps_nothing(
    shell: Shell, running: Carrier, database: Database, database_url: str, redis_url: str
) -> None:
    own = {name: value for name, value in shell.environ.items() if name.startswith("DIALER_ADAPTERS__")}
    with ExitStack() as stack:
        daemon = await asyncio.to_thread(stack.enter_context, served(database_url, redis_url, env=own))
        shell.environ["DIALER_HTTP__PORT"] = daemon.url.rpartition(":")[2]

        told = json.loads(await shell("doctor", "--json"))
        assert told["ok"] and {row["check"]: row["ok"] for row in told["checks"]} == {
            "database": True,
            "redis": True,
            "extraction": True,
            "sim: reachability": True,
            "sim: credentials": True,
            "sim: clock": True,
            "sim: webhook": True,
            "sim: signature": True,
        }

        said = json.loads(await shell(*CALL, "--yes", "--json"))
        assert (said["outcome"], said["fault"], said["do_not_call"]) == ("human", "none", False)
        assert next(step["what"] for step in said["timeline"] if not step["detail"].startswith("seen by")) == "placed"
        assert {"ringing", "answered", "ended"} <= {step["what"] for step in said["timeline"]}
        await eventually(lambda: running.courier.delivered == 4)
        assert running.courier.given_up == 0, "the daemon takes what it has no attempt for"
    [entry] = running.journal.entries.values()
    assert (entry.to, entry.caller_id) == (TO, FROM)
    for table in ("call_attempts", "call_events", "contacts", "campaigns"):
        assert await database.pool.fetchval(f"select count(*) from {table}") == 0


async def test_a_no_is_heard_before_and_in_the_call(shell: Shell, running: Carrier, database: Database) -> None:
    assert "nobody to ask" in await shell(*CALL, code=1)
    assert "no country code" in await shell("adapter", "test", "sim", "--to", "911", "--from", FROM, "--yes", code=1)
    assert "use one of sim" in await shell("adapter", "test", "other", "--to", TO, "--from", FROM, "--yes", code=1)
    assert "no assistant speaks" in await shell(
        "adapter", "test", "sim", "--to", TO, "--from", FROM, "--any-hour", "--yes", code=1
    )
    assert running.requests.total() == 0

    running.script = quick(opt_out=1.0)
    said = await shell(*CALL, "--yes")
    assert "suppressed for every team" in said and "ended" in said and "outcome human" in said and TO not in said
    assert await database.pool.fetchval("select phone_number from suppressions where scope = 'global'") == TO
    assert "suppressed" in await shell(*CALL, "--yes", code=1)
    assert running.requests.total() == 1


async def test_a_trunk_that_is_not_well_is_not_called_over(shell: Shell, running: Carrier) -> None:
    shell.environ["DIALER_ADAPTERS__SIM__API_KEY"] = "another"
    said = await shell(*CALL, "--yes", code=1)
    assert "sim is not well" in said and "dialer doctor" in said and running.requests.total() == 0
    told = json.loads(await shell("doctor", "--json", code=4))
    assert [row["check"] for row in told["checks"] if row["ok"] is False] == ["sim: credentials", "sim: webhook"]


async def test_ctrl_c_hangs_up(shell: Shell, running: Carrier) -> None:
    running.script = quick(talk=Span(60, 60))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dialer", *CALL, "--yes"),
        env={**shell.environ, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"},
        cwd="/",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        process_group=0,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while b"answered" not in (line := await process.stdout.readline()):
            assert line, await process.communicate()
        os.kill(process.pid, signal.SIGINT)
        rest, _ = await process.communicate()
    assert process.returncode == 130 and b"hung up" in rest
    assert running.requests.total() == 1
    await eventually(lambda: all(entry.ended for entry in running.journal.entries.values()))
