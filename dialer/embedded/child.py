"""One server as a foreground child process: started until ready, started again when it died, ended in order.

Promises: the child ends when this process does (see `tether`); a dead child is always waited for before its next start; what it
prints goes to a log file, of which one older generation is kept.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dialer.embedded.errors import EmbeddedUnavailable
from dialer.embedded.privileges import Identity, environment
from dialer.embedded.tether import spawn

START_SECONDS = 5.0
"""How long a start that ends in death is repeated: the processes of a killed postmaster need a moment to go."""
READY_SECONDS = 120.0
"""How long a living server may take to answer at the first start, when it may have a crash to recover from."""

_POLL_SECONDS = 0.02
_RETRY_SECONDS = 0.2
_LOG_BYTES = 8 * 1024 * 1024  # a longer log is set aside at the next start of its server

_log = logging.getLogger("dialer.embedded")


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be known of a server to run it."""

    name: str
    argv: tuple[str, ...]
    ready: Callable[[int], bool]
    """Whether the server with this process id answers."""
    death: signal.Signals
    """The signal it gets when this process dies."""
    ends: tuple[tuple[signal.Signals, float], ...]
    """What to send to end it, in turn, each with the seconds it is given; SIGKILL follows by itself."""
    cwd: Path
    log: Path
    stdin: bytes = field(default=b"", repr=False)


class Child:
    """A server running by a plan, as an identity; it keeps the descriptor `inherited` open as long as it lives."""

    def __init__(self, plan: Plan, identity: Identity, inherited: int) -> None:
        self._plan = plan
        self._identity = identity
        self._inherited = inherited
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self, *, ready_seconds: float = READY_SECONDS) -> bool:
        """Start the server and wait until it answers; False if it lives but does not answer within `ready_seconds`.

        Raises EmbeddedUnavailable, with the server's own last words, when it keeps dying for 5 s.
        """
        last_try = time.monotonic() + START_SECONDS
        while True:
            self._spawn()
            if self._await_ready(ready_seconds):
                return True
            if self.ended() is None:
                return False
            if time.monotonic() >= last_try:
                raise EmbeddedUnavailable(f"{self._plan.name} does not start: {self._last_words()} (more in {self._plan.log})")
            time.sleep(_RETRY_SECONDS)

    def revive(self) -> None:
        """Start the server again if it died. Blocks for 5 s at the most to see it answer, though recovery may take longer."""
        code = self.ended()
        if code is None:
            return
        began = time.monotonic()
        answers = self.start(ready_seconds=START_SECONDS)
        state = "answers" if answers else "is still recovering"
        seconds = time.monotonic() - began
        _log.warning("%s ended with code %d; started again, it %s after %.2f s", self._plan.name, code, state, seconds)

    def ended(self) -> int | None:
        """The exit code of the dead child (negative: a signal), None while it lives. RuntimeError before the first start."""
        if self._process is None:
            raise RuntimeError(f"{self._plan.name} was never started")
        return self._process.poll()

    def end(self) -> None:
        """End the server by its plan, and by SIGKILL if that does not help. Returns when it is gone."""
        if self._process is None:
            return
        for sent, seconds in self._plan.ends:
            self._process.send_signal(sent)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                return
            _log.warning("%s did not end within %.0f s of %s", self._plan.name, seconds, sent.name)
        self._process.kill()
        self._process.wait()

    def _spawn(self) -> None:
        path = self._plan.log
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            path.chmod(0o600)
            self._log_start = log.tell()
            self._process = spawn(
                self._identity.command(self._plan.argv, self._plan.death),
                env=environment(),
                cwd=self._plan.cwd,
                stdin=subprocess.PIPE,
                output=log,
                keep=(self._inherited,),
            )
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:  # it may be dead already; that is seen next
                pipe.write(self._plan.stdin)

    def _await_ready(self, seconds: float) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._plan.ready(self._process.pid):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _last_words(self) -> str:
        with self._plan.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").split("\n")
        return " ".join(line.strip() for line in lines if line.strip())[-500:] or "it ended without a word"
