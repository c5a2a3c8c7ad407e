"""The conformance suite's harness over the simulated carrier itself: also the model of one that a distribution announces.

It is installed with the product, so that `dialer adapter check simulated` needs nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec
from aiohttp import web

from adapters.base import Call, Hook, TelephonyAdapter
from adapters.conformance import Act
from adapters.events import CallEvent, Phase
from adapters.simulated.adapter import SimulatedAdapter
from adapters.simulated.carrier.script import Faults, Script, Span
from adapters.simulated.carrier.server import Carrier

API_KEY = "key-of-the-carrier"
SIGNING_SECRET = "secret-of-the-carrier"
NOBODY = "http://127.0.0.1:9"
"""Refuses every connection."""

Make: TypeAlias = Callable[[str, float], TelephonyAdapter]
"""An adapter for the carrier at this URL, with this placement timeout in seconds."""


def patience_for(act: Act) -> float:
    """A placement timeout in seconds: short where it runs out, else so long that a loaded machine does not meet it."""
    return 0.3 if act is Act.HANG_AFTER else 1.0


def quick(**changes: object) -> Script:
    """A script whose calls last hundredths of a second and are answered, but for `changes`."""
    brief = Span(0.01, 0.03)
    script = {
        "answer": 1.0,
        "voicemail": 0.0,
        "busy": 0.0,
        "declined": 0.0,
        "invalid": 0.0,
        "unreachable": 0.0,
        "setup": Span(0, 0.01),
        "ring": brief,
        "patience": brief,
        "talk": brief,
        "result_after": Span(0, 0.01),
        "latency": Span(0, 0),
    }
    return Script(**(script | changes))  # type: ignore[arg-type]


ACTS = {
    Act.HUMAN: quick(),
    Act.MACHINE: quick(answer=0.0, voicemail=1.0),
    Act.BUSY: quick(answer=0.0, busy=1.0),
    Act.DECLINED: quick(answer=0.0, declined=1.0),
    Act.NO_ANSWER: quick(answer=0.0),
    Act.INVALID: quick(answer=0.0, invalid=1.0),
    Act.UNREACHABLE: quick(answer=0.0, unreachable=1.0),
    Act.TALK_ON: quick(talk=Span(60, 60)),
    Act.REFUSE: quick(faults=Faults(refuse_400=1)),
    Act.THROTTLE: quick(faults=Faults(refuse_429=1)),
    Act.ERROR_AFTER: quick(faults=Faults(error_after=1)),
    Act.RESET_AFTER: quick(faults=Faults(reset_after=1)),
    Act.HANG_AFTER: quick(faults=Faults(hang_after=1)),
    Act.GARBAGE_AFTER: quick(faults=Faults(garbage_after=1)),
}


class Ear:
    """Keeps every callback it hears; `status` is what it answers."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 204
        self.hooks: list[Hook] = []
        self._heard = asyncio.Condition()

    async def until(self, count: int, timeout: float = 10.0) -> list[Hook]:
        """The callbacks, once there are `count` of them."""
        async with asyncio.timeout(timeout), self._heard:
            await self._heard.wait_for(lambda: len(self.hooks) >= count)
        return self.hooks

    async def hear(self, request: web.Request) -> web.Response:
        """The handler of `POST /hook`."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        hook = Hook(request.method, str(request.url), headers, await request.read(), datetime.now(UTC))
        async with self._heard:
            self.hooks.append(hook)
            self._heard.notify_all()
        return web.Response(status=self.status)


@asynccontextmanager
async def ear() -> AsyncIterator[Ear]:
    """Something that listens to callbacks at `.url`."""
    listener = Ear()
    app = web.Application()
    app.router.add_post("/hook", listener.hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield listener
    finally:
        await runner.cleanup()


def make(url: str, timeout: float) -> SimulatedAdapter:
    """The adapter that the suite is about."""
    return SimulatedAdapter("sim", base_url=url, api_key=API_KEY, signing_secret=SIGNING_SECRET, timeout=timeout)


class SimulatedHarness:
    """A `Harness` with nothing left out."""

    patience = 5.0
    """Seconds that an event may take."""

    def __init__(self, running: Carrier, listening: Ear, make: Make = make) -> None:
        self.acts = frozenset({*ACTS, Act.DOWN})
        self._carrier, self._ear, self._make = running, listening, make
        self._url = running.url
        self._calls = 0
        self._act = Act.HUMAN

    def adapter(self) -> TelephonyAdapter:
        return self._make(self._url, patience_for(self._act))

    def call(self, attempt: str) -> Call:
        self._calls += 1
        return Call(
            attempt=attempt,
            to=f"+49301234{self._calls:03}",
            caller_id="+493011111",
            voice="voice",
            ring=20,
            limit=60,
            not_after=datetime.now(UTC) + timedelta(hours=1),
            callback_url=self._ear.url,
            start_before=time.monotonic() + 5,
            labels={"campaign": "camp_1"},
            variables={"name": "Ü"},
        )

    async def act(self, act: Act) -> None:
        self._act = act
        self._url = NOBODY if act is Act.DOWN else self._carrier.url
        if act is not Act.DOWN:
            self._carrier.script = ACTS[act]

    def requests(self, attempt: str) -> int:
        return self._carrier.requests[attempt]

    async def events(self, adapter: TelephonyAdapter, attempt: str, until: Phase) -> list[CallEvent]:
        async with asyncio.timeout(self.patience):
            while True:
                heard = len(self._ear.hooks)
                told = [event for hook in self.hooks(attempt) for event in adapter.receive(hook)[0]]
                if until in {event.phase for event in told}:
                    return told
                await self._ear.until(heard + 1)

    def hooks(self, attempt: str) -> list[Hook]:
        return [hook for hook in self._ear.hooks if msgspec.json.decode(hook.body)["attempt"] == attempt]


@asynccontextmanager
async def harness(make: Make = make) -> AsyncIterator[SimulatedHarness]:
    """A carrier on a free port of the loopback, something that listens to its callbacks, and the harness over both. `make`:
    another adapter that speaks to this carrier."""
    async with ear() as listening, Carrier(quick(), api_key=API_KEY, signing_secret=SIGNING_SECRET) as running:
        yield SimulatedHarness(running, listening, make)
