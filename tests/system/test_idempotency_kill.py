"""kill -9 of a real API process between the committed effect and the answer: the next process answers, and does nothing twice."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dialer.store.database import Database
from tests.support.api import fresh_team
from tests.support.desk import new_assistant, new_number

PROJECT = Path(__file__).parents[2]
STALLING = (sys.executable, str(Path(__file__).with_name("stalling.py")))
REAL = (sys.executable, "-m", "dialer", "api", "--config")


def _configure(directory: Path, database_url: str, redis_url: str) -> tuple[Path, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = directory / "config.toml"
    config.write_text(f"""[database]
url = "{database_url}"
[redis]
url = "{redis_url}"
[http]
port = {port}
[adapters.sim]
kind = "simulated"
base_url = "http://127.0.0.1:1"
api_key = "simulated"
signing_secret = "simulated"
""")
    return config, f"http://127.0.0.1:{port}"


@asynccontextmanager
async def api(command: tuple[str, ...], config: Path, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    process = await asyncio.create_subprocess_exec(*command, str(config), stdout=asyncio.subprocess.PIPE, env=env)
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession(url) as http:
            while True:
                try:
                    async with http.get("/healthz"):
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_what_was_committed_before_the_kill_is_told_and_not_done_again(
    database: Database, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    config, url = _configure(tmp_path, database_url, redis_url)
    team, key = await fresh_team(database, "Team")
    assistant = await new_assistant(database.pool, team, "sim")
    number = await new_number(database.pool, team, assistant)
    campaign = {"teamId": team, "assistantId": assistant, "fromNumberIds": [number], "name": "Spring"}
    window = {"callWindowStart": "00:00", "callWindowEnd": "24:00", "settings": {"useContactTimezoneForCallWindow": False}}

    async def post(path: str, body: Any, idempotency_key: str) -> tuple[int, Any, str | None]:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": idempotency_key}
        async with aiohttp.ClientSession(url, headers=headers) as http, http.post(f"/api/crm/{path}", json=body) as answer:
            return answer.status, await answer.json(), answer.headers.get("Idempotent-Replayed")

    async def killed(path: str, body: Any, idempotency_key: str) -> None:
        async with api(STALLING, config, url) as process:
            asked = asyncio.ensure_future(post(path, body, idempotency_key))
            assert process.stdout is not None
            async with asyncio.timeout(30):
                assert await process.stdout.readline() == b"committed\n"
            process.send_signal(signal.SIGKILL)
            await process.wait()
            with pytest.raises(aiohttp.ClientError):  # nobody was told anything
                await asked

    contact = {"teamId": team, "firstName": "Ada", "lastName": "L", "phone": "+493020100001", "timezone": "Europe/Berlin"}
    await killed("contacts", contact, "create")
    async with api(REAL, config, url):
        status, told, replayed = await post("contacts", contact, "create")
        assert (status, replayed, await database.pool.fetchval("select array_agg(id) from contacts")) == (
            200,
            "true",
            [told["contact"]["id"]],
        )
        _, made, _ = await post("campaigns", campaign | window, "campaign")
        id = made["campaign"]["id"]
        assert (await post(f"campaigns/{id}/contacts", {"contactIds": [told["contact"]["id"]]}, "enrol"))[0] == 200

    await killed(f"campaigns/{id}/run", {"maxCalls": 1}, "run")
    attempts = await database.pool.fetchval("select array_agg(campaign_contact_id) from call_attempts")
    assert len(attempts) == 1
    turns = await database.pool.fetchval("select count(*) from history where entity = 'campaign'")
    async with api(REAL, config, url):
        async with asyncio.timeout(20):
            while (answer := await post(f"campaigns/{id}/run", {"maxCalls": 1}, "run"))[0] == 409:  # noqa: ASYNC110 - another process has no event to wait for
                await asyncio.sleep(0.5)  # the process that was killed might still answer
        status, told, replayed = answer
        assert (status, replayed, told["started"]) == (200, "true", 1)
        assert [call["campaign_contact_id"] for call in told["calls"]] == attempts
        assert await database.pool.fetchval("select count(*) from call_attempts") == 1
        assert await database.pool.fetchval("select count(*) from history where entity = 'campaign'") == turns
