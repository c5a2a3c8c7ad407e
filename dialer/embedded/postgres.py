"""The embedded Postgres: how a cluster is made, how the server is run, and when it is ready.

Durability is never traded (fsync, full_page_writes and synchronous_commit are on: at-most-once rests on them). What is trimmed
is memory and the background work of an idle server. Errors are the client's to see: with their statements and details they
would put phone numbers into the log, so the log holds only what concerns the server itself.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

from dialer.embedded.access import HOST, Access
from dialer.embedded.binaries import Postgres
from dialer.embedded.child import Plan
from dialer.embedded.errors import EmbeddedUnavailable
from dialer.embedded.privileges import Identity

_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket's path may hold 107 bytes, a data directory's may be longer
    "max_connections": "100",
    "huge_pages": "off",
    "jit": "off",  # compiling costs more than these short statements take
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "checkpoint_timeout": "15min",
    "autovacuum": "on",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
}
_SETTINGS_SINCE = (18, {"io_method": "sync"})  # no workers that wait for disk reads a small database does not make
_READY_LINE = 7  # of postmaster.pid, where pg_ctl looks too


def major_of(cluster: Path) -> int | None:
    """The Postgres major that wrote `cluster`, None if there is none yet; EmbeddedUnavailable if it cannot be told."""
    try:
        written = (cluster / "PG_VERSION").read_text("ascii").strip()
        return int(written)
    except FileNotFoundError:
        if cluster.exists():
            raise EmbeddedUnavailable(f"{cluster} exists but is no Postgres data directory: move it away.") from None
        return None
    except ValueError:
        raise EmbeddedUnavailable(f"{cluster / 'PG_VERSION'} is damaged: restore the data directory from a backup.") from None


def make_cluster(cluster: Path, postgres: Postgres, identity: Identity, password: str, inherited: int) -> None:
    """Make a cluster with the superuser and the database `dialer`, aside, and move it into place when it is whole.

    The programs that do it keep the descriptor `inherited` open. Raises EmbeddedUnavailable with their words if they fail.
    """
    draft = cluster.with_name(cluster.name + ".new")  # a leftover of a start that was cut off is worth nothing
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    key = cluster.with_name("initdb.password")
    key.touch(mode=0o600)
    try:
        key.write_text(password, "ascii")
        identity.own(draft)
        identity.own(key)
        initdb = [str(postgres.bin / "initdb"), "-D", str(draft), "-U", "dialer", "--auth=scram-sha-256", f"--pwfile={key}"]
        _must(identity, [*initdb, "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"], inherited)
        single = [str(postgres.bin / "postgres"), "--single", "-D", str(draft), "postgres"]
        _must(identity, single, inherited, stdin=b"CREATE DATABASE dialer\n")
    finally:
        key.unlink()
    draft.rename(cluster)


def plan(cluster: Path, postgres: Postgres, access: Access, log: Path) -> Plan:
    """How to run the server on `cluster`."""
    since, newer = _SETTINGS_SINCE
    own = {"shared_buffers": f"{_buffers_mb()}MB", "port": str(access.postgres_port)}
    settings = {**_SETTINGS, **own, **(newer if postgres.major >= since else {})}
    options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
    return Plan(
        name="Postgres",
        argv=(str(postgres.bin / "postgres"), "-D", str(cluster), *options),
        ready=lambda pid: _is_ready(cluster, pid),
        death=signal.SIGINT,  # its fast shutdown: roll back, checkpoint, end
        ends=((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0)),
        cwd=cluster,
        log=log,
    )


def _buffers_mb() -> int:
    """An eighth of the machine's memory, at least 64 and at most 256 MB: to look through what is searched of a million contacts,
    140 MB, takes twice as long where it has to be copied in first. Not more, because an idle server takes 1 MB for every 50."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(max(memory // (8 * 1024 * 1024), 64), 256)


def forget_stranger(cluster: Path) -> None:
    """Remove a stale postmaster.pid whose number now belongs to another program, as after a restart of a container.

    Postgres would refuse to start for fear of a second writer. Only to be called by the holder of a fresh claim.
    """
    lock = cluster / "postmaster.pid"
    try:
        pid = int(lock.read_text("ascii").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    try:
        at_home = os.path.samefile(f"/proc/{pid}/cwd", cluster)  # where every postmaster lives
    except OSError:
        at_home = False
    if not at_home:
        lock.unlink()


def _is_ready(cluster: Path, pid: int) -> bool:
    try:
        lines = (cluster / "postmaster.pid").read_text("utf-8").split("\n")
    except FileNotFoundError:
        return False
    return lines[0] == str(pid) and len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready"


def _must(identity: Identity, argv: list[str], inherited: int, *, stdin: bytes = b"") -> None:
    code, printed = identity.run(argv, stdin=stdin, keep=(inherited,))
    # single-user mode reports a failed statement by its words alone
    faults = [line for line in printed.splitlines() if any(mark in line for mark in ("ERROR:", "FATAL:", "PANIC:", "error:"))]
    if code != 0 or faults:
        words = " ".join(faults) or printed.strip()[-500:] or f"exit code {code}"
        raise EmbeddedUnavailable(f"The Postgres data directory could not be made: {words}")
