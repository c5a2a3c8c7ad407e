"""A simulated carrier inside the test's own process, with its books at hand, and something to listen to its callbacks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from adapters.base import Call, Hook
from adapters.simulated.adapter import SimulatedAdapter
from adapters.simulated.carrier.script import Script, Span
from adapters.simulated.carrier.server import Carrier

API_KEY = "key-of-the-carrier"
SIGNING_SECRET = "secret-of-the-carrier"


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


@asynccontextmanager
async def carrier(script: Script | None = None, *, journal_path: Path | None = None, port: int = 0) -> AsyncIterator[Carrier]:
    """A carrier on a free port of the loopback, with `API_KEY` and `SIGNING_SECRET`; `.journal` is its book, `.script` may be
    assigned at any time."""
    async with Carrier(
        script or quick(), api_key=API_KEY, signing_secret=SIGNING_SECRET, journal_path=journal_path, port=port
    ) as running:
        yield running


def adapter(url: str, *, timeout: float = 5.0, signing_secret: str = SIGNING_SECRET) -> SimulatedAdapter:
    """An adapter that speaks to the carrier at `url`."""
    return SimulatedAdapter("sim", base_url=url, api_key=API_KEY, signing_secret=signing_secret, timeout=timeout)


def call(attempt: str, to: str, *, callback_url: str = "", campaign: str = "camp_1", start_in: float = 2.0) -> Call:
    """A call that may start within `start_in` seconds from now."""
    return Call(
        attempt=attempt,
        to=to,
        caller_id="+493011111",
        voice="voice",
        ring=20,
        limit=60,
        not_after=datetime.now(UTC) + timedelta(hours=1),
        callback_url=callback_url,
        start_before=time.monotonic() + start_in,
        labels={"campaign": campaign},
    )


async def eventually(happened: Callable[[], bool], timeout: float = 10.0) -> None:
    """Wait until the books say so. Raises `TimeoutError` after `timeout` seconds."""
    async with asyncio.timeout(timeout):
        while not happened():  # noqa: ASYNC110 - books have no bell; adding one would change what is measured
            await asyncio.sleep(0.01)


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

    async def _hear(self, request: web.Request) -> web.Response:
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
    app.router.add_post("/hook", listener._hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield listener
    finally:
        await runner.cleanup()
