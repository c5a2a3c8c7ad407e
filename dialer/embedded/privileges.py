"""As whom the servers run. Postgres refuses root, so as root a lesser identity is found; an ordinary user runs them directly.

As root, first choice: a user namespace in which root is called 65534. It needs no system user and reaches what belongs to root,
even under a home closed to others. Where namespaces are shut (as in most containers) the servers become `postgres` or `nobody`,
and own their data.

Never creates a system user and never changes the mode of a directory above the data directory.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from dialer.embedded.errors import EmbeddedUnavailable
from dialer.embedded.tether import spawn, tethered

_SYSTEM_USERS = ("postgres", "nobody")
_OTHERS_MAY_PASS = 0o001


@dataclass(frozen=True, slots=True)
class Identity:
    """How a server command becomes the user it runs as."""

    prefix: tuple[str, ...] = ()
    """Command put before the server's own, to enter a user namespace."""
    user: tuple[int, int] | None = None
    """(uid, gid) to become, or None to stay."""

    def command(self, argv: Sequence[str], death: signal.Signals) -> list[str]:
        """The command line that runs `argv` under this identity, tethered to this process by `death`."""
        return [*self.prefix, *tethered(argv, death, user=self.user)]

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", keep: Collection[int] = ()) -> tuple[int, str]:
        """Run a short command to its end, keeping the descriptors `keep` open; its exit code and everything it printed."""
        command = self.command(argv, signal.SIGTERM)
        pipe = subprocess.PIPE
        with spawn(command, env=environment(), cwd=Path("/"), stdin=pipe, output=pipe, keep=keep) as process:
            printed, _ = process.communicate(stdin)
        return process.returncode, printed.decode(errors="replace")

    def own(self, path: Path) -> None:
        """Give `path` and all below it to the user the servers run as. Nothing to do unless this process is root."""
        if os.geteuid() != 0:
            return
        uid, gid = self.user or (0, 0)
        if path.stat().st_uid == uid:
            return
        for entry in (path, *path.rglob("*")):
            os.chown(entry, uid, gid, follow_symlinks=False)

    def admit(self, directory: Path) -> None:
        """Let the servers pass through `directory`, which is ours. EmbeddedUnavailable if one above it is closed."""
        if self.user is None:
            return
        directory.chmod(directory.stat().st_mode | _OTHERS_MAY_PASS)
        for above in directory.parents:
            if not above.stat().st_mode & _OTHERS_MAY_PASS:
                raise EmbeddedUnavailable(
                    f"Postgres must not run as root, and {above} is closed to the user it would run as here: run as an ordinary "
                    "user, or choose an embedded data directory that all may reach, such as /var/lib/dialer."
                )


def identity() -> Identity:
    """The identity for this process's user; EmbeddedUnavailable if root finds none."""
    if os.geteuid() != 0:
        return Identity()
    namespace = _namespace()
    if namespace:
        return Identity(prefix=namespace)
    for name in _SYSTEM_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        lesser = Identity(user=(entry.pw_uid, entry.pw_gid))
        if lesser.run(["true"])[0] == 0:  # a container may have taken from root the right to become someone else
            return lesser
    raise EmbeddedUnavailable(
        "Postgres must not run as root, and here root can neither open a user namespace nor become the user 'postgres' or "
        "'nobody': run as an ordinary user."
    )


def environment() -> dict[str, str]:
    """All the environment the servers get, so that a PGPORT or LD_PRELOAD of the user changes nothing."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _namespace() -> tuple[str, ...]:
    """The command that enters a user namespace, or nothing where that fails."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    command = (unshare, "--user", "--map-user=65534", "--map-group=65534", "--")
    probe = subprocess.run([*command, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return command if probe.returncode == 0 else ()
