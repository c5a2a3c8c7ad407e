"""The process tree of `dialer up` and of the demo: one process per role, kept alive, ended in order.

Promises: a role that ends is started again after a pause that grows from 0.2 s to 10 s (and starts over once a role has lived for
30 s); SIGTERM or SIGINT ends the roles one after another in the order given, so that the one who makes work ends before
those who finish it; no role outlives this process, not even after its ``kill -9`` (see `dialer.embedded.tether`).

Everything happens in the event loop of the main thread: no threads, and no child watcher, which asyncio and uvloop do differently
on each Python. A dead role is seen by asking four times a second, which costs 0.2 % of a core.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dialer.embedded.tether import spawn, tethered

FIRST_PAUSE = 0.2
"""Seconds before the first restart of a role."""
LONGEST_PAUSE = 10.0
"""Seconds between restarts of a role that keeps ending, at the most."""
SETTLED = 30.0
"""Seconds of life after which a role's end counts as its first again."""
GRACE = 30.0
"""Seconds the roles are given to drain."""

_LOOK_SECONDS = 0.25
_DRAIN_LOOK_SECONDS = 0.05
_POKE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RoleProcess:
    """One role: its name in messages, its command line, and what is added to our own environment for it."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


def next_pause(previous: float, lived: float) -> float:
    """Seconds to wait before restarting a role that `lived` so many seconds after a pause of `previous` (0: its first life)."""
    if previous <= 0 or lived >= SETTLED:
        return FIRST_PAUSE
    return min(previous * 2, LONGEST_PAUSE)


class Supervisor:
    """Runs the roles until told to stop.

    `on_event` is told each start, end and restart in one sentence. `poke` is called about once a second and may block for a
    moment (`EmbeddedServers.check`); what it raises is told, too, and it is called again.
    """

    def __init__(
        self, roles: Sequence[RoleProcess], *, on_event: Callable[[str], None], poke: Callable[[], None] | None = None
    ) -> None:
        self._runs = [_Run(role, on_event) for role in roles]
        self._on_event = on_event
        self._poke = poke
        self._next_poke = 0.0
        self._asked = asyncio.Event()
        self._asked_again = asyncio.Event()

    def start(self) -> None:
        """Start every role that does not run. Raises RuntimeError outside the main thread."""
        for run in self._runs:
            run.start()

    async def run(self, *, grace: float = GRACE, signals: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT)) -> None:
        """Start the roles and keep them alive until one of `signals` or :meth:`request_stop`, then stop them.

        A second signal cuts `grace` (seconds) short. A program with signal handlers of its own passes none. Cancelling stops the
        roles as well.
        """
        loop = asyncio.get_running_loop()
        taken = tuple(signals)
        for number in taken:
            loop.add_signal_handler(number, self.request_stop)
        try:
            self.start()
            while not self._asked.is_set():
                self._look()
                await _wait(self._asked, _LOOK_SECONDS)
        finally:
            await self.stop(grace)
            for number in taken:
                loop.remove_signal_handler(number)

    def request_stop(self) -> None:
        """Make :meth:`run` stop the roles and return; asked again, at once."""
        if self._asked.is_set():
            self._asked_again.set()
        self._asked.set()

    async def stop(self, grace: float = GRACE) -> None:
        """SIGTERM to each role in turn, the next when it has ended or had its share of `grace` seconds; then SIGKILL to the rest.

        A role that is slow to end may use up what is left of `grace`; nobody is killed without having been asked.
        """
        deadline = time.monotonic() + grace
        living = [run for run in self._runs if run.lives()]
        for position, run in enumerate(living):
            run.ask()
            share = (deadline - time.monotonic()) / (len(living) - position)
            await self._gone([run], time.monotonic() + share)
        await self._gone(living, deadline)
        for run in living:
            run.kill()

    def pid(self, name: str) -> int | None:
        """The process id of the role `name`, None while it is not running. Raises KeyError if there is no such role."""
        for run in self._runs:
            if run.role.name == name:
                return run.pid()
        raise KeyError(name)

    def _look(self) -> None:
        now = time.monotonic()
        for run in self._runs:
            run.look(now)
        if self._poke is not None and now >= self._next_poke:
            self._next_poke = now + _POKE_SECONDS
            try:
                self._poke()
            except Exception as fault:
                self._on_event(f"check failed: {fault}")

    async def _gone(self, runs: Sequence[_Run], deadline: float) -> None:
        while True:
            left = [run for run in runs if run.lives()]
            if not left or time.monotonic() >= deadline or self._asked_again.is_set():
                return
            await _wait(self._asked_again, _DRAIN_LOOK_SECONDS)


class _Run:
    """The life of one role, through its restarts."""

    def __init__(self, role: RoleProcess, on_event: Callable[[str], None]) -> None:
        self.role = role
        self._on_event = on_event
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._pause = 0.0
        self._due = 0.0

    def start(self) -> None:
        """Start the role unless it lives."""
        if self._process is not None:
            return
        self._began = time.monotonic()
        try:
            self._process = spawn(tethered(self.role.argv, signal.SIGTERM), env={**os.environ, **self.role.env})
        except OSError as fault:  # the system has no process or memory to spare
            self._again(f"cannot be started ({fault.strerror})")
        else:
            self._on_event(f"{self.role.name} started (process {self._process.pid})")

    def look(self, now: float) -> None:
        """Note the role's end, and start it again when its pause is over."""
        if self._process is None:
            if now >= self._due:
                self.start()
        elif (code := self._reaped()) is not None:
            self._again(f"ended with {_spoken(code)} after {now - self._began:.1f} s")

    def lives(self) -> bool:
        """Whether the role runs; its end is told once."""
        if (code := self._reaped()) is not None:
            self._on_event(f"{self.role.name} ended with {_spoken(code)}")
        return self._process is not None

    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def ask(self) -> None:
        """Ask the role to end."""
        if self._process is not None:
            self._on_event(f"{self.role.name} is asked to end")
            self._process.terminate()

    def kill(self) -> None:
        """End the role if it still lives."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._on_event(f"{self.role.name} did not end in time and was killed")

    def _reaped(self) -> int | None:
        """The exit code of a process that ended since we last looked."""
        code = self._process.poll() if self._process is not None else None
        if code is not None:
            self._process = None
        return code

    def _again(self, what: str) -> None:
        now = time.monotonic()
        self._pause = next_pause(self._pause, now - self._began)
        self._due = now + self._pause
        self._on_event(f"{self.role.name} {what}; starting again in {self._pause:.1f} s")


def _spoken(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until `event`, for `seconds` at the most."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
