"""The way to the simulated carrier, with a stop before and after each transmission and a say in what becomes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal, Self, get_args

from adapters.base import Call, Health, Hook, Reply, Sighting, Unsure
from adapters.errors import Ambiguous, PlaceError
from adapters.events import CallEvent
from adapters.simulated.carrier.script import Fate, Faults, Script, Span
from adapters.simulated.carrier.server import Carrier
from scheduler.clock import Clock
from tests.support.carrier import adapter, quick

Mishap = Literal[
    "", "not_reached", "refuse_429", "refuse_400", "error_before", "reset_before", "hang_before", "error_after", "reset_after",
    "hang_after", "garbage_after",
]  # fmt: skip
"""What goes wrong with a transmission: nothing, the carrier is not there, or a fault of `adapters.simulated.carrier.script`."""
MISHAPS: Final[tuple[Mishap, ...]] = get_args(Mishap)

FATES: Final[tuple[Fate, ...]] = tuple(fate for fate in get_args(Fate) if fate != "blocked")
"""How calls go by themselves; one is blocked for the caller ID that it shows."""
_SHARES: Final = {"human": "answer", "machine": "voicemail"}
PATIENCE = 15.0
"""Real seconds a transmission may take; the fence itself is measured by the clock of the test."""


def script(fate: Fate, mishap: Mishap, talk: float) -> Script:
    """One call that goes so: it rings after a second, for four seconds, and is talked for `talk` seconds."""
    shares = {"answer": 0.0} | ({} if fate == "no_answer" else {_SHARES.get(fate, fate): 1.0})
    times = {"setup": Span(1, 1), "ring": Span(4, 4), "patience": Span(3600, 3600), "talk": Span(talk, talk)}
    share = {} if mishap in ("", "not_reached") else {mishap: 1.0}
    return quick(**shares, **times, faults=Faults(**share, hang_seconds=0, retry_after=3), result_after=Span(1, 1))


@dataclass
class Stop:
    """Where a transmission waits: `here` is done when it has come, and it goes on when `go` is."""

    here: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    go: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def wait(self) -> None:
        self.here.set_result(None)
        await self.go


class Line:
    """A `TelephonyAdapter` around the simulated one. `clock` is what `start_before` is read from; `blind`: look-ups fail."""

    def __init__(self, carrier: Carrier, clock: Clock) -> None:
        self._inner = adapter(carrier.url)
        self._nowhere = adapter("http://127.0.0.1:1")
        self._carrier = carrier
        self._clock = clock
        self.name = self._inner.name
        self.capabilities = self._inner.capabilities
        self.before: dict[str, Stop] = {}
        self.after: dict[str, Stop] = {}
        self.mishaps: dict[str, Mishap] = {}
        self.blind = False

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        await self._nowhere.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._inner.__aexit__(*exc)
        await self._nowhere.__aexit__(*exc)

    async def place(self, call: Call) -> str:
        if call.attempt in self.before:
            await self.before.pop(call.attempt).wait()
        # The adapter reads the machine's clock: what is left by ours decides, generously, whether anything is left by that one.
        left = PATIENCE if self._clock.monotonic() <= call.start_before else -1.0
        in_time = replace(call, start_before=time.monotonic() + left)
        fault: PlaceError | None = None
        ref = ""
        try:
            ref = await self._transmit(in_time, self.mishaps.pop(call.attempt, ""))
        except PlaceError as error:
            fault = error
        if call.attempt in self.after:
            await self.after.pop(call.attempt).wait()
        if fault is not None:
            raise fault
        return ref

    async def _transmit(self, call: Call, mishap: Mishap) -> str:
        if mishap == "not_reached":
            return await self._nowhere.place(call)
        if not mishap.startswith("hang"):
            return await self._inner.place(call)
        asked = self._carrier.requests[call.attempt]
        answer = asyncio.ensure_future(self._inner.place(call))
        while not answer.done() and self._carrier.requests[call.attempt] == asked:  # noqa: ASYNC110 - the carrier rings no bell
            await asyncio.sleep(0)
        if not answer.cancel():
            return await answer  # too late, so nothing was sent
        raise Ambiguous("no answer in time")

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        await self._inner.hang_up(attempt, ref)

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        return Unsure("blind") if self.blind else await self._inner.find(attempt, to, ref, since)

    def events(self) -> AsyncIterator[CallEvent]:
        return self._inner.events()

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        return self._inner.receive(hook)

    async def health(self) -> Health:
        return await self._inner.health()
