"""The roles of a chaos run: started by the nursery, and started again when they end, as systemd would."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

RESTART_SECONDS = 0.1
"""Between the end of a role and its next start; what systemd waits when nobody says otherwise."""

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a process by itself or by a signal; `at` is seconds since 1970."""

    role: str
    code: int
    at: float


@dataclass(slots=True)
class Role:
    """One role: `env` is asked at each start. `kept` False: its next end is not followed by a start."""

    name: str
    argv: tuple[str, ...]
    env: Callable[[], Mapping[str, str]]
    exec: bool
    kept: bool = True
    pid: int | None = None
    starts: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Crew:
    """All roles of one run. `deaths` is what ended though it was not asked to; `on_stopped` is called with a role that was
    stopped (SIGSTOP)."""

    def __init__(self, nursery: asyncio.subprocess.Process, logs: Path) -> None:
        self._nursery = nursery
        self._logs = logs
        self._timers: set[asyncio.TimerHandle] = set()
        self.roles: dict[str, Role] = {}
        self.deaths: list[Death] = []
        self.on_stopped: Callable[[Role], None] = lambda role: None

    def start(self, name: str, *argv: str, env: Callable[[], Mapping[str, str]], exec: bool = False) -> Role:
        """Run `dialer *argv` under this name until `stop`."""
        role = self.roles[name] = Role(name, argv, env, exec)
        self._launch(role)
        return role

    async def stop(self, name: str, how: signal.Signals = signal.SIGTERM, *, within: float = 40) -> None:
        """End a role for good, and wait until it has gone. Raises TimeoutError."""
        role = self.roles[name]
        role.kept = False
        self.signal(name, how)
        async with asyncio.timeout(within):
            while role.pid is not None:
                await role.changed.wait()

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a signal; False when the role does not run at the moment."""
        pid = self.roles[name].pid
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    @property
    def kills(self) -> list[Death]:
        return [death for death in self.deaths if death.code == -signal.SIGKILL]

    def words(self, name: str, most: int = 800) -> str:
        """The end of what a role has logged."""
        path = self._logs / f"{name}.log"
        return path.read_text(errors="replace")[-most:] if path.exists() else ""

    def struck(self, action: str) -> Counter[str]:
        """How often each fail point did this (kill, stop, block), by what the roles have logged."""
        said = "".join(self.words(name, sys.maxsize) for name in self.roles)
        return Counter(re.findall(rf"fail point (K\d+): {action}", said))

    def _launch(self, role: Role) -> None:
        if not role.kept:
            return
        order = {
            "name": role.name,
            "argv": role.argv,
            "env": {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), **role.env()},
            "log": str(self._logs / f"{role.name}.log"),
            "exec": role.exec,
        }
        role.starts += 1
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(order).encode() + b"\n")

    async def hear(self) -> None:
        """Follow what the nursery tells, until it ends."""
        assert self._nursery.stdout is not None
        async for line in self._nursery.stdout:
            told = json.loads(line)
            role = self.roles[told["name"]]
            match told["event"]:
                case "started":
                    role.pid = told["pid"]
                case "stopped":
                    self.on_stopped(role)
                case "ended":
                    role.pid = None
                    if role.kept:
                        self.deaths.append(Death(role.name, told["code"], told["at"]))
                        self._later(role)
            role.changed.set()
            role.changed = asyncio.Event()

    def _later(self, role: Role) -> None:
        def run() -> None:
            self._timers.discard(timer)
            self._launch(role)

        timer = asyncio.get_running_loop().call_later(RESTART_SECONDS, run)
        self._timers.add(timer)

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        for role in self.roles.values():
            role.kept = False


@asynccontextmanager
async def crew(logs: Path) -> AsyncIterator[Crew]:
    """A crew whose processes all end with it; they log into the directory `logs`, a file for each role."""
    nursery = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.nursery"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=PROJECT,
    )
    made = Crew(nursery, logs)
    hearing = asyncio.create_task(made.hear(), name="nursery")
    try:
        yield made
    finally:
        made.close()
        assert nursery.stdin is not None
        nursery.stdin.close()
        await nursery.wait()
        await hearing
