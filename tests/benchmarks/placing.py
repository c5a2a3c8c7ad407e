"""How many placements a second go through one adapter, one process, to a fake of its provider in another."""

from __future__ import annotations

import asyncio
import sys
import time

from adapters.base import TelephonyAdapter
from adapters.conformance import Act
from tests.benchmarks.table import Row, at_least, exactly
from tests.support.carrier import call
from tests.support.providers.calls import FakeCall, Stage
from tests.support.providers.twilio import TwilioProvider, make

CALLS = 4000
AT_ONCE = 50
CALLBACK = "https://dialer.example/hooks/main"


class Mute(TwilioProvider):
    """Takes calls and tells nothing of them, so that placements alone are measured."""

    async def tell(self, call: FakeCall, stage: Stage) -> None:
        return


async def twilio() -> list[Row]:
    """The whole way of a placement: TwiML, form, one request on a pooled connection, the answer read."""
    fake = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, stdout=asyncio.subprocess.PIPE)
    try:
        assert fake.stdout is not None
        url = (await fake.stdout.readline()).decode().strip()
        async with make(url, 10.0) as adapter:
            await _place(adapter, range(AT_ONCE))  # connections open
            started = time.monotonic()
            refs = await _place(adapter, range(AT_ONCE, AT_ONCE + CALLS))
            took = time.monotonic() - started
    finally:
        fake.terminate()
        await fake.wait()
    return [
        at_least("twilio: placements through one adapter", 400, CALLS / took, "/s"),
        exactly("twilio: calls that came of them", CALLS, len(set(refs))),
    ]


async def _place(adapter: TelephonyAdapter, numbers: range) -> list[str]:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> str:
        async with places:
            return await adapter.place(call(f"call_{number}", f"+4930{number:07}", callback_url=CALLBACK, start_in=60))

    return await asyncio.gather(*map(one, numbers))


async def _serve() -> None:
    async with Mute() as provider:
        provider.act = Act.TALK_ON
        print(provider.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
