"""What was seen of a carrier while an adapter spoke to it: for whoever wants to know more than that all is well, or not.

    with watching() as seen:
        health = await adapter.health()
    # seen: where it asked, whether it was let in, and what time it is there

`Session` tells of each request, an adapter with a connection of its own does so itself. Nobody watching: nothing is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class Exchange:
    """One question. `admitted`: whether our key was taken; None = no answer came, or one that says nothing of it."""

    host: str
    port: int
    secure: bool
    status: int | None = None
    """Of an HTTP answer."""
    admitted: bool | None = None
    date: datetime | None = None
    """What time it was there, by its own clock."""
    at: float = 0.0
    """When it said so, a reading of `time.monotonic()`."""

    @property
    def heard(self) -> bool:
        """Whether anything came back."""
        return self.status is not None or self.admitted is not None

    def answered(self, status: int, date: datetime | None) -> None:
        """By HTTP. 401 and 403 refuse us, a 2xx does not; of others nobody knows."""
        self.status = status
        self.admitted = False if status in {401, 403} else True if 200 <= status < 300 else None
        self.date, self.at = date, time.monotonic()


_seen: ContextVar[list[Exchange] | None] = ContextVar("seen", default=None)


@contextmanager
def watching() -> Iterator[list[Exchange]]:
    """What is asked inside, in tasks that are started inside too, in its order."""
    seen: list[Exchange] = []
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)


def asks(url: str) -> Exchange | None:
    """A request to this address begins; None where nobody watches."""
    if _seen.get() is None:
        return None
    parts = urlsplit(url)
    return connects(parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0), secure=parts.scheme == "https")


def connects(host: str, port: int, *, secure: bool = False) -> Exchange | None:
    """A connection is opened, or a request begins; None where nobody watches."""
    seen = _seen.get()
    if seen is None:
        return None
    seen.append(Exchange(host, port, secure))
    return seen[-1]


def told(date: datetime | None) -> None:
    """What time it is there, by the answer to the last question."""
    if seen := _seen.get():
        seen[-1].date, seen[-1].at = date, time.monotonic()
