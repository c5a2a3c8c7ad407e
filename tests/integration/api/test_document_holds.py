"""The running API keeps what its OpenAPI document promises: it serves the printed one, and schemathesis finds no lie in it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import asyncpg
import pytest

from dialer.embedded import Endpoints
from tests.support.fuzzing import fuzz
from tests.support.served import PROJECT, Served, served


@pytest.fixture
def daemon(database_url: str, servers: Endpoints) -> Iterator[Served]:
    with served(database_url, servers.redis_url.rsplit("/", 1)[0] + "/0") as api:
        yield api


def test_the_printed_document_needs_nothing_and_is_the_served_one(daemon: Served) -> None:
    command = [sys.executable, "-m", "dialer", "openapi"]
    printed = subprocess.run(command, env={"PYTHONPATH": str(PROJECT)}, cwd="/", capture_output=True, check=True, timeout=60)
    assert printed.stderr == b""
    with urlopen(f"{daemon.url}/openapi.json") as answer:
        assert json.load(answer) == json.loads(printed.stdout)


@pytest.mark.timeout(300)
def test_no_generated_request_finds_a_fault(daemon: Served, database_url: str, tmp_path: Path) -> None:
    """A short run, the same each time; `make bench ARGS=schemathesis` is the long one."""
    report = fuzz(daemon, tmp_path, cases_each=2, phases="examples,fuzzing,stateful", seconds=280)
    assert report.complete and not report.errors, report.output
    assert report.failures == {}, report.output
    assert report.cases > 400
    assert asyncio.run(teams_with_contacts(database_url)) == 1


async def teams_with_contacts(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    found: int = await connection.fetchval("select count(distinct team_id) from contacts")
    await connection.close()
    return found
