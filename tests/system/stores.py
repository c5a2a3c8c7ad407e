"""Postgres and Valkey of a chaos run in a process of their own: `python -m tests.system.stores DIRECTORY ENVIRONMENT`.

ENVIRONMENT is a JSON object that is added to that of Postgres.

Prints the two URLs as JSON once both answer, and revives a server that died, on its old port, as `dialer up` does. On its input
`hold` keeps it from that until `go`; when its input ends, both servers end.
"""

from __future__ import annotations

import asyncio
import json
import select
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import psutil

from dialer.embedded import EmbeddedServers, tether
from dialer.embedded import child as embedded_child
from dialer.embedded.errors import EmbeddedUnavailable

LOOK_SECONDS = 0.1
PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Stores:
    """Both servers, running."""

    database_url: str
    redis_url: str
    process: asyncio.subprocess.Process

    def server(self, name: Literal["postgres", "valkey"]) -> psutil.Process | None:
        """The server's (main) process, to be killed, stopped and looked at; None while there is none."""
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                if name in child.name():
                    return child
        return None

    def revive(self, on: bool) -> None:
        """Whether a server that died is started again."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n" if on else b"hold\n")


@asynccontextmanager
async def stores(directory: Path, postgres_env: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[Stores]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.stores", str(directory), json.dumps(dict(postgres_env))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=PROJECT,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(60):
            line = await process.stdout.readline()
        yield Stores(**json.loads(line), process=process)
    finally:
        process.stdin.close()
        await process.wait()


def _hand_on(postgres_env: Mapping[str, str]) -> None:
    """Start Postgres with more in its environment than the nothing it gets otherwise."""

    def spawn(argv: Sequence[str], *, env: Mapping[str, str], **more: Any) -> subprocess.Popen[bytes]:
        is_postgres = any(Path(part).name == "postgres" for part in argv)
        return tether.spawn(argv, env={**env, **postgres_env} if is_postgres else env, **more)

    setattr(embedded_child, "spawn", spawn)  # noqa: B010 - mypy would want the function's own type


def main(directory: str, postgres_env: str) -> None:
    _hand_on(json.loads(postgres_env))
    servers = EmbeddedServers(Path(directory))
    with servers as endpoints:
        print(json.dumps({"database_url": endpoints.database_url, "redis_url": endpoints.redis_url}), flush=True)
        reviving = True
        while True:
            ready, _, _ = select.select([sys.stdin], [], [], LOOK_SECONDS)
            if ready:
                if not (line := sys.stdin.readline()):
                    return
                reviving = line.strip() == "go"
            if reviving:
                with suppress(EmbeddedUnavailable):  # it is tried again at the next look
                    servers.check()


if __name__ == "__main__":
    main(*sys.argv[1:])
