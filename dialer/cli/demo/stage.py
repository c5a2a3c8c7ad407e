"""The demo's own small world: stores and processes in a directory that vanishes with it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dialer.cli.context import Failed, with_urls
from dialer.cli.roles import role_processes
from scheduler.clock import SystemClock

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from adapters.simulated.carrier.journal import Entry
    from dialer.embedded import EmbeddedServers, Endpoints
    from dialer.settings import Settings

READY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Stage:
    """Running processes; `events` are what the supervisor said."""

    settings: Settings
    journal: Path
    http: ClientSession
    events: list[str]

    async def call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """One request to the API, like any other service's. Raises Failed with the API's own sentence."""
        async with self.http.request(method, f"/api/crm/{path}", **request) as response:
            body: dict[str, Any] = await response.json()
            if not body.get("success"):
                raise Failed(f"{method} {path}: {body.get('error')}")
            return body

    def authorise(self, key: str) -> None:
        self.http.headers["Authorization"] = f"Bearer {key}"

    def entries(self) -> list[Entry]:
        """The carrier's books so far."""
        from adapters.simulated.carrier.journal import read

        return read(self.journal)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def configure(directory: Path, endpoints: Endpoints, script: object) -> tuple[Settings, Path]:
    """Write the demo's config file and the carrier's script; the settings they make."""
    from dialer.settings import load

    (directory / "script.json").write_bytes(msgspec.json.encode(script))
    config = directory / "config.toml"
    config.write_text(
        f"""[http]
port = {_free_port()}
requests_per_hour = 0
[logging]
level = "warning"
[adapters.simulated]
kind = "simulated"
base_url = "http://127.0.0.1:{_free_port()}"
api_key = "simulated"
signing_secret = "simulated"
"""
    )
    return with_urls(load(config, {}), endpoints), config


@asynccontextmanager
async def stage(directory: Path, servers: EmbeddedServers, settings: Settings, config: Path) -> AsyncIterator[Stage]:
    """Start carrier, scheduler, worker and API under supervision, and end them."""
    from aiohttp import ClientSession

    from dialer.supervisor import RoleProcess, Supervisor

    carrier = settings.adapters["simulated"].options["base_url"]
    journal = directory / "journal.jsonl"
    arguments = ("--port", carrier.rsplit(":", 1)[1], "--script", str(directory / "script.json"), "--journal", str(journal))
    simulated = RoleProcess("carrier", (sys.executable, "-m", "dialer", "simulate-carrier", *arguments), {})
    events: list[str] = []
    roles = [*role_processes(settings, config), simulated]
    supervisor = Supervisor(roles, on_event=events.append, poke=servers.check)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run(signals=(), grace=10), name="supervisor")
        try:
            async with ClientSession(settings.http.base_url) as http:
                await _ready(http, events)
                yield Stage(settings, journal, http, events)
        finally:
            supervisor.request_stop()


async def _ready(http: ClientSession, events: list[str]) -> None:
    from aiohttp import ClientError

    try:
        async with asyncio.timeout(READY_SECONDS):
            while True:
                with contextlib.suppress(ClientError):
                    async with http.get("/readyz") as response:
                        if response.status == 200:
                            return
                await SystemClock().sleep(0.05)
    except TimeoutError:
        raise Failed(f"the API did not answer within {READY_SECONDS} s: {'; '.join(events[-5:])}") from None
