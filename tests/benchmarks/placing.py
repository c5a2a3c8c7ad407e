"""How many placements a second go through each adapter, one process, to a fake of its provider in another."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from adapters.asterisk.order import Stasis
from adapters.base import TelephonyAdapter
from adapters.conformance import Act
from adapters.simulated.carrier.harness import Make
from adapters.simulated.carrier.script import Span
from adapters.simulated.carrier.server import Carrier
from tests.benchmarks.table import Row, at_least, exactly
from tests.support.carrier import adapter as simulated
from tests.support.carrier import call, carrier, quick
from tests.support.providers import asterisk, elevenlabs, freeswitch, livekit, retell, telnyx, twilio, vapi, webhook
from tests.support.providers.base import Callback, FakeProvider
from tests.support.providers.calls import FakeCall, FakeCarrier, Stage

CALLS = 2000
AT_ONCE = 50
CALLBACK = "https://dialer.example/hooks/main"
TIMEOUT = 10.0

Attempts = Callable[[], Sequence[str]]
"""The attempt of every call that the provider has had."""


class Unanswered(asterisk.FakeAsterisk):
    """Phones only ring, so that in Stasis no voice has to be connected."""

    async def _live(self, call: FakeCall) -> None:
        call.at[Stage.RINGING] = time.time()
        await self.tell(call, Stage.RINGING)
        await call.hung_up.wait()


async def _told_to_nobody(self: FakeProvider, call: FakeCall, news: Sequence[Callback]) -> None:
    return


@asynccontextmanager
async def _fake(kind: Callable[[], FakeCarrier]) -> AsyncIterator[tuple[str, Attempts]]:
    """Calls are answered and go on. What is told over a socket is told, for the adapter has to hear it; callbacks, which go to
    another process, are not."""
    fake = kind()
    fake.act = Act.TALK_ON
    if isinstance(fake, FakeProvider):
        setattr(fake, "_send", partial(_told_to_nobody, fake))  # noqa: B010 - mypy would want the method's own type
    assert isinstance(fake, AbstractAsyncContextManager)
    async with fake:
        yield fake.url, lambda: [each.order.attempt for each in fake.calls.values()]


@asynccontextmanager
async def _simulated() -> AsyncIterator[tuple[str, Attempts]]:
    async with carrier(quick(setup=Span(600, 600))) as running:
        yield running.url, partial(_of, running)


def _of(running: Carrier) -> Sequence[str]:
    return [entry.attempt for entry in running.journal.entries.values()]


@dataclass(frozen=True, slots=True)
class Way:
    """`target` is placements a second. `voice`: an assistant that the fake has."""

    fake: Callable[[], AbstractAsyncContextManager[tuple[str, Attempts]]]
    make: Make
    target: float = 100
    voice: str = "voice"


def _stasis(url: str, timeout: float) -> TelephonyAdapter:
    return asterisk.make(url, timeout, route=Stasis("dialer", "", "ulaw"))


WAYS = {
    "twilio": Way(partial(_fake, twilio.TwilioProvider), twilio.make, 400),
    "asterisk (dialplan)": Way(partial(_fake, asterisk.FakeAsterisk), asterisk.make, 300),
    "asterisk (stasis)": Way(partial(_fake, Unanswered), _stasis, 300),
    "simulated": Way(_simulated, lambda url, timeout: simulated(url, timeout=timeout)),
    "telnyx": Way(partial(_fake, telnyx.TelnyxProvider), telnyx.make, voice="assistant-1"),
    "vapi": Way(partial(_fake, vapi.VapiProvider), vapi.make, voice="assistant-1"),
    "freeswitch": Way(partial(_fake, freeswitch.FakeFreeSwitch), freeswitch.make),
    "webhook": Way(partial(_fake, webhook.AcmeProvider), webhook.make),
    "retell": Way(partial(_fake, retell.RetellProvider), retell.make, voice="agent-1"),
    "livekit": Way(partial(_fake, livekit.LiveKitProvider), livekit.make, voice="agent-of-ours"),
    "elevenlabs": Way(partial(_fake, elevenlabs.ElevenLabsProvider), elevenlabs.make, voice="agent-1"),
}


async def placing(calls: int = CALLS) -> list[Row]:
    """The whole way of a placement: the order written, one request on a connection that is open, the answer read. `calls` of
    each, `AT_ONCE` of them under way."""
    return [row for name, way in WAYS.items() for row in await _measured(name, way, calls)]


async def _measured(name: str, way: Way, calls: int) -> list[Row]:
    pipe = asyncio.subprocess.PIPE
    fake = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, name, stdin=pipe, stdout=pipe)
    assert fake.stdin is not None and fake.stdout is not None
    try:
        url = (await fake.stdout.readline()).decode().strip()
        async with way.make(url, TIMEOUT) as adapter:
            await _place(adapter, way.voice, range(AT_ONCE))  # connections open
            started = time.monotonic()
            await _place(adapter, way.voice, range(AT_ONCE, AT_ONCE + calls))
            took = time.monotonic() - started
        fake.stdin.close()
        had = (await fake.stdout.read()).decode().split()
    finally:
        fake.stdin.close()
        await fake.wait()
    return [
        at_least(f"{name}: placements through one adapter", way.target, calls / took, "/s"),
        exactly(f"{name}: calls that came of {AT_ONCE + calls} placements", AT_ONCE + calls, len(had)),
        exactly(f"{name}: attempts that were called twice", 0, len(had) - len(set(had))),
    ]


async def _place(adapter: TelephonyAdapter, voice: str, numbers: range) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with places:
            ordered = call(f"call_{number}", f"+4930{number:07}", callback_url=CALLBACK, start_in=60)
            await adapter.place(replace(ordered, voice=voice))

    await asyncio.gather(*map(one, numbers))


async def _serve(name: str) -> None:
    """Prints the URL; when its input ends, the attempts that were called, a line each."""
    async with WAYS[name].fake() as (url, attempts):
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(*attempts(), sep="\n", flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
