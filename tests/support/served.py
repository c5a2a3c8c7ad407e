"""The API as a process of its own, on a real socket.

with served(database_url, redis_url) as api:
    answer = urlopen(f"{api.url}/healthz")
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from dialer.flows import teams
from dialer.settings.model import Http
from dialer.store.database import Database
from scheduler.clock import SystemClock

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Served:
    url: str
    team: str
    key: str
    process: subprocess.Popen[bytes]
    stranger: tuple[str, str]
    """Another team and its key."""


@contextmanager
def served(database_url: str, redis_url: str, *, env: Mapping[str, str] | None = None) -> Iterator[Served]:
    """`dialer api` on the stores, once it answers; a fresh team with a key that may everything. Its log goes to our stderr."""
    (team, key), stranger = asyncio.run(_two_teams(database_url))
    port = _free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DIALER_HTTP__PORT": str(port),
        "DIALER_LOGGING__LEVEL": "error",
        **({"DIALER_HTTP__REQUESTS_PER_HOUR": "0"} if "requests_per_hour" in Http.model_fields else {}),
        **(env or {}),
    }
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-m", "dialer", "api"], env=environment, cwd="/") as process:
        try:
            _wait_until_ready(process, url)
            yield Served(url, team, key, process, stranger)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


async def _two_teams(database_url: str) -> list[tuple[str, str]]:
    made = []
    async with await Database.open(database_url) as database:
        for name in ("Team", "Strangers"):
            team = await teams.create_team(database, name=name, default_region="US", actor="test")
            key, _ = await teams.create_key(database, team_id=team.id, name="test", now=SystemClock().now(), actor="test")
            made.append((team.id, key))
    return made


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while True:
        assert process.poll() is None, f"the API ended by itself with {process.returncode}"
        assert time.monotonic() < until, f"the API was not ready within {seconds:g} s"
        try:
            with urlopen(f"{url}/readyz", timeout=5):
                return
        except (HTTPError, URLError, TimeoutError, ConnectionError):
            time.sleep(0.05)
