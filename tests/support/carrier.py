"""A simulated carrier inside the test's own process, with its books at hand, and something to listen to its callbacks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.base import Call
from adapters.simulated.adapter import SimulatedAdapter
from adapters.simulated.carrier.harness import API_KEY, SIGNING_SECRET, Ear, ear, quick
from adapters.simulated.carrier.script import Script
from adapters.simulated.carrier.server import Carrier

__all__ = ["API_KEY", "SIGNING_SECRET", "Ear", "adapter", "call", "carrier", "ear", "eventually", "quick"]


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
