"""How the servers of one data directory are reached: ports and passwords, remembered, and the published endpoints.

``access.json`` is made once, before the first server, and lives as long as the data, which knows the Postgres password too.
``endpoints.json`` exists only while both servers are up. Both are readable by their owner alone.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dialer.embedded.errors import EmbeddedUnavailable

HOST = "127.0.0.1"
_PORTS = range(20_000, 32_000)  # below Linux' ephemeral range: no outgoing connection takes a port while its server is down


@dataclass(frozen=True, slots=True, repr=False)
class Endpoints:
    """The two URLs of servers that are up. They hold passwords; the repr does not."""

    database_url: str
    redis_url: str

    def __repr__(self) -> str:
        places = (url.rpartition("@")[2] for url in (self.database_url, self.redis_url))
        return "Endpoints(postgresql://***@{}, redis://***@{})".format(*places)


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """Ports and passwords of the two servers."""

    postgres_port: int
    postgres_password: str
    valkey_port: int
    valkey_password: str

    def endpoints(self) -> Endpoints:
        """The URLs made of these."""
        return Endpoints(
            database_url=f"postgresql://dialer:{self.postgres_password}@{HOST}:{self.postgres_port}/dialer",
            redis_url=f"redis://:{self.valkey_password}@{HOST}:{self.valkey_port}/0",
        )


def recall_access(data_dir: Path, *, data_exists: bool) -> Access:
    """The remembered access, with another port where someone else has taken one; made now if there is no data yet.

    Raises EmbeddedUnavailable when there is data but the file with its password is gone or damaged.
    """
    path = data_dir / "access.json"
    known: Access | None = None
    try:
        known = Access(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        fault = "is missing"
    except (ValueError, TypeError):
        fault = "is damaged"
    if known is None and data_exists:
        raise EmbeddedUnavailable(f"{path} holds the password of the data beside it and {fault}: restore it from a backup.")
    if known is None:
        known = Access(_free_port(), secrets.token_urlsafe(24), _free_port(), secrets.token_urlsafe(24))
    if not is_free(known.postgres_port):
        known = replace(known, postgres_port=_free_port())
    if not is_free(known.valkey_port) or known.valkey_port == known.postgres_port:
        known = replace(known, valkey_port=_free_port(known.postgres_port))
    _write(path, asdict(known))
    return known


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: closing connections do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def publish(data_dir: Path, endpoints: Endpoints) -> None:
    """Say that the servers are up."""
    _write(data_dir / "endpoints.json", asdict(endpoints))


def withdraw(data_dir: Path) -> None:
    """Say that they are not, or no longer."""
    (data_dir / "endpoints.json").unlink(missing_ok=True)


def published(data_dir: Path) -> Endpoints | None:
    """What was last published and not withdrawn; whoever published it may be dead."""
    try:
        return Endpoints(**json.loads((data_dir / "endpoints.json").read_bytes()))
    except FileNotFoundError:
        return None


def _free_port(besides: int = 0) -> int:
    for _ in range(1_000):
        port = random.choice(_PORTS)
        if port != besides and is_free(port):
            return port
    raise EmbeddedUnavailable(f"No free port between {_PORTS.start} and {_PORTS.stop} on {HOST}: end what listens there.")


def _write(path: Path, content: Mapping[str, object]) -> None:
    """Replace `path` whole and durably, mode 0600."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
