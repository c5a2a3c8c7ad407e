"""The embedded Valkey: how it is configured and run, and when it is ready.

It is the doorbell, not the ledger: an append-only file flushed each second is more than it needs. The configuration goes in by
stdin so that the password is in no command line and no file.
"""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from dialer.embedded.access import HOST, Access
from dialer.embedded.child import Plan

_PROBE_SECONDS = 1.0


def plan(home: Path, program: Path, access: Access, log: Path) -> Plan:
    """How to run the server with its files in `home`."""
    configuration = f"""\
bind {HOST}
port {access.valkey_port}
requirepass {access.valkey_password}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""
    return Plan(
        name="Valkey",
        argv=(str(program), "-"),
        ready=lambda _pid: _answers(access),
        death=signal.SIGTERM,
        ends=((signal.SIGTERM, 10.0),),
        cwd=home,
        log=log,
        stdin=configuration.encode(),
    )


def _answers(access: Access) -> bool:
    """Whether it takes our password and commands: not while it still reads its file, and not if another server has the port."""
    try:
        with socket.create_connection((HOST, access.valkey_port), _PROBE_SECONDS) as connection:
            connection.sendall(f"AUTH {access.valkey_password}\r\nPING\r\nQUIT\r\n".encode())
            with connection.makefile("rb") as replies:
                return replies.readline() == b"+OK\r\n" and replies.readline() == b"+PONG\r\n"
    except OSError:
        return False
