"""The seam: what the dialer asks of a carrier, and what an adapter declares about it.

An adapter places one call, tells what became of it, and answers after a crash: was this attempt placed? It never retries,
never touches audio and knows no database. Its laws: `place` is one transmission; `Ambiguous` whenever the carrier may have
acted; `find` says `Absent` only when that is certain.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

from adapters.events import CallEvent


class Once(StrEnum):
    """How long the carrier itself refuses a second call with the same attempt id."""

    NO = "no"
    WHILE_ALIVE = "while_alive"
    WINDOW = "window"


class Trace(StrEnum):
    """What `find` can see: nothing, live calls only, a search by number and time, or the attempt id itself."""

    NOTHING = "nothing"
    LIVE = "live"
    SEARCH = "search"
    EXACT = "exact"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a carrier can do. `place_timeout` and `settle` are seconds: how long one placement may take at the most, and how
    long after that a look-up must have waited before an absent call is certainly absent."""

    once: Once
    trace: Trace
    voices: frozenset[str]
    can: frozenset[str]
    place_timeout: float
    settle: float
    calls_back: bool = True
    """Whether the carrier calls `callback_url`; else it tells everything by socket."""
    clock_tolerance: float = 300.0
    """Seconds by which its clock may differ from ours: beyond, its callbacks are refused as old, or calls not found by time."""


@dataclass(slots=True)
class Departure:
    """Whether anything of a placement was handed to the network. `adapters.http.post_once` marks it; an adapter that sends by
    another way marks it before its first byte. A defect that strikes before that is known to have placed nothing."""

    begun: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt to be placed. `ring` and `limit` are seconds; `not_after` is UTC: past it nothing may ring any more.

    `start_before` is a reading of `time.monotonic()`: the first byte must not leave after it (the fence between a "no" and
    a dial). `voice` is the assistant's external id; `labels` are echoed into the carrier's own records where it can.
    """

    attempt: str
    to: str = field(repr=False)
    caller_id: str
    voice: str
    ring: int
    limit: int
    not_after: datetime
    callback_url: str
    start_before: float
    labels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    departure: Departure = field(default_factory=Departure, compare=False)


@dataclass(frozen=True, slots=True)
class Absent:
    """The carrier certainly never had this attempt."""


@dataclass(frozen=True, slots=True)
class Live:
    """The call is there and not over; `answered` says whether somebody picked up."""

    ref: str
    answered: bool


@dataclass(frozen=True, slots=True)
class Over:
    """The call is over; `events` tell how (the same facts, with the same keys, as the callbacks would have)."""

    ref: str
    events: tuple[CallEvent, ...]


@dataclass(frozen=True, slots=True)
class Unsure:
    """The carrier cannot tell."""

    detail: str = ""


Sighting: TypeAlias = Absent | Live | Over | Unsure


@dataclass(frozen=True, slots=True)
class Hook:
    """A callback as it arrived. `url` is the public URL; header names are lower case; `received_at` is UTC."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer to a callback once its events are committed."""

    status: int = 204
    body: bytes = b""
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the carrier can be used now; `free` is how many calls it would take, None if it does not say."""

    ok: bool
    detail: str = ""
    free: int | None = None


class TelephonyAdapter(Protocol):
    """One trunk: a configured instance of an adapter."""

    name: str
    capabilities: Capabilities

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def place(self, call: Call) -> str:
        """One transmission. Returns the carrier's id for the call, or raises a `PlaceError`."""
        ...

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        """End the call; a call that is already gone is success. Raises `AdapterError` when the carrier cannot be asked."""
        ...

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        """What the carrier knows of this attempt, placed not before `since` (UTC). Never raises for a carrier in trouble:
        that is `Unsure`."""
        ...

    def events(self) -> AsyncIterator[CallEvent]:
        """Events of a carrier that speaks by socket, GAP first after every (re)connect. Empty for one that calls back."""
        ...

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        """Verify and translate a callback; pure, no I/O. Raises `Forged`."""
        ...

    async def health(self) -> Health: ...


SAMPLE = b'{"sample":true}'
"""The body of a callback that tells of no call."""


@runtime_checkable
class MakesSamples(Protocol):
    """What an adapter may do beside: where we have the secret that signs callbacks, they can be tried without the carrier."""

    def sample(self, url: str, at: datetime) -> Hook:
        """A callback of the body `SAMPLE` to `url`, signed at `at` (UTC) as the carrier does. Raises `Forged` where there is no
        secret."""
        ...


@dataclass(frozen=True, slots=True)
class AdapterSpec:
    """How an adapter is found and built. `build(name, options)` gets the trunk's name and its table of the config file and
    raises `ValueError` with one line per fault (`key: problem; remedy`)."""

    kind: str
    build: Callable[[str, Mapping[str, Any]], TelephonyAdapter]
    options: Mapping[str, str]
    """Option name → one line: what it is, its unit and default."""
    beside: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    """The options with which another process, beside the dialer's own, places a call and hears of it without taking their events
    away. None = the trunk's own options do."""
