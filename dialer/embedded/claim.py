"""One daemon per data directory, and one set of servers.

Two locks, both freed by the kernel however their holders end. ``owner.lock`` is the daemon's alone: taken, it means "already
running". ``servers.lock`` is inherited by the servers and every process of theirs: it outlives a killed daemon until the last
of them is gone, so a daemon that is started again at once waits for them instead of writing beside them.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from dialer.embedded.errors import AlreadyRunning, EmbeddedUnavailable

_LOOK_SECONDS = 0.5  # is_held() of another process takes the owner's lock for a moment
_INHERITED_SECONDS = 25.0  # Postgres has 20 s for its own orderly end


class Claim:
    """The hold on a data directory, from construction to :meth:`release`. Raises AlreadyRunning."""

    def __init__(self, data_dir: Path) -> None:
        self._owner = _open(data_dir / "owner.lock")
        if not _lock(self._owner, _LOOK_SECONDS):
            pid = os.pread(self._owner, 20, 0).decode() or "unknown"
            os.close(self._owner)
            raise AlreadyRunning(
                f"A dialer already runs on {data_dir} (process {pid}): stop it first, or give this one another data directory."
            )
        os.ftruncate(self._owner, 0)
        os.pwrite(self._owner, str(os.getpid()).encode(), 0)
        self.inherited = _open(data_dir / "servers.lock")
        """The descriptor that servers must inherit."""
        if not _lock(self.inherited, _INHERITED_SECONDS):
            self.release()
            raise AlreadyRunning(
                f"The servers of an earlier dialer still run on {data_dir} after {_INHERITED_SECONDS:.0f} s: "
                "end the postgres and valkey-server processes of that directory, then start again."
            )

    def release(self) -> None:
        """Let the directory go."""
        os.close(self.inherited)
        os.close(self._owner)


def is_held(data_dir: Path) -> bool:
    """Whether a living daemon holds `data_dir`. Raises EmbeddedUnavailable if the directory is another user's."""
    try:
        owner = os.open(data_dir / "owner.lock", os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        raise EmbeddedUnavailable(f"{data_dir} belongs to another user: ask as that user.") from None
    try:
        return not _lock(owner, 0, fcntl.LOCK_SH)
    finally:
        os.close(owner)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _lock(descriptor: int, seconds: float, kind: int = fcntl.LOCK_EX) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True
