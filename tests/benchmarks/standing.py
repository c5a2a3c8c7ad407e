"""An API process of its own on servers of its own, with a team in it, for what is measured over HTTP."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import psutil

from dialer.embedded import EmbeddedServers
from dialer.store.database import Database
from dialer.store.migrate import migrate
from tests.benchmarks.resting import free_port
from tests.support.api import fresh_team

LOOK_SECONDS = 0.1


@dataclass(slots=True)
class Standing:
    """`pid` is the API process."""

    pid: int
    team: str
    client: aiohttp.ClientSession
    database: Database
    directory: Path

    async def post(self, path: str, body: Any) -> Any:
        async with self.client.post(path, json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    def resident(self) -> float:
        """MB of the process and of those it started, summed."""
        tree = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        total = 0
        for each in tree:
            try:
                total += each.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total / 1e6


@asynccontextmanager
async def standing() -> AsyncIterator[Standing]:
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        servers = stack.enter_context(EmbeddedServers(directory / "data"))
        await migrate(servers.database_url)
        database = await stack.enter_async_context(await Database.open(servers.database_url))
        team, key = await fresh_team(database, "Bench")
        port = free_port()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("DIALER_")}
        environ |= {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "DIALER_HTTP__PORT": str(port),
            "DIALER_LOGGING__LEVEL": "warning",
        }
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "dialer", "api", env=environ)
        try:
            timeout = aiohttp.ClientTimeout(total=600)
            headers = {"Authorization": f"Bearer {key}"}
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers, timeout=timeout) as client:
                await _answering(client)
                yield Standing(process.pid, team, client, database, directory)
        finally:
            process.terminate()
            await process.wait()


async def _answering(client: aiohttp.ClientSession) -> None:
    for _ in range(300):
        try:
            async with client.get("/readyz") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientConnectionError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError("the API does not answer")


@dataclass(slots=True)
class Watched:
    """While something ran: `most` MB resident, seconds that each look took."""

    most: float
    looks: list[float]

    def p95(self) -> float:
        return sorted(self.looks)[int(len(self.looks) * 0.95)] if self.looks else 0.0


@asynccontextmanager
async def watched(on: Standing, path: str) -> AsyncIterator[Watched]:
    """Look at the memory, and at `path` over HTTP as somebody would who uses the API meanwhile."""
    seen = Watched(on.resident(), [])

    async def look() -> None:
        while True:
            started = time.monotonic()
            async with on.client.get(path) as answer:
                assert answer.status == 200, answer.status
                await answer.read()
            seen.looks.append(time.monotonic() - started)
            seen.most = max(seen.most, on.resident())
            await asyncio.sleep(LOOK_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
