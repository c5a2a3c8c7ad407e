"""The conformance suite's harness over a `FakeCarrier`: the same for each kind, callbacks and sockets alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

from adapters.base import Call, Hook, TelephonyAdapter
from adapters.conformance import Act
from adapters.events import CallEvent, Phase
from adapters.simulated.carrier.harness import NOBODY, Make, patience_for
from tests.support.carrier import Ear, call, ear
from tests.support.providers.base import path_of
from tests.support.providers.calls import FakeCarrier


class ProviderHarness:
    """`acts`: what the fake can do; without those that the carrier itself does not know. `voice`: what calls are connected to."""

    patience = 5.0
    """Seconds that an event may take."""

    def __init__(self, provider: FakeCarrier, listening: Ear, make: Make, acts: frozenset[Act], voice: str) -> None:
        self.acts = acts
        self.provider = provider
        self._ear = listening
        self._make = make
        self._voice = voice
        self._numbers = 0
        self._down = False
        self._spoken: list[CallEvent] = []
        self._heard = asyncio.Event()
        self._pumps: list[tuple[TelephonyAdapter, asyncio.Task[None]]] = []

    def adapter(self) -> TelephonyAdapter:
        return self._make(NOBODY if self._down else self.provider.url, patience_for(self.provider.act))

    def call(self, attempt: str) -> Call:
        self._numbers += 1
        named = call(attempt, f"+49301234{self._numbers:03}", callback_url=self._ear.url, start_in=5)
        return replace(named, voice=self._voice, variables={"name": "Ü"})

    async def act(self, act: Act) -> None:
        self._down = act is Act.DOWN
        self.provider.act = act

    def requests(self, attempt: str) -> int:
        return self.provider.requests[attempt]

    async def events(self, adapter: TelephonyAdapter, attempt: str, until: Phase) -> list[CallEvent]:
        if all(pumped is not adapter for pumped, _ in self._pumps):
            self._pumps.append((adapter, asyncio.create_task(self._pump(adapter), name="events of an adapter")))
        async with asyncio.timeout(self.patience):
            while True:
                heard = len(self._ear.hooks)
                self._heard.clear()
                told = [event for hook in self.hooks(attempt) for event in adapter.receive(hook)[0]]
                told += [event for event in self._spoken if event.attempt == attempt]
                if until in {event.phase for event in told}:
                    return told
                await self._news(heard)

    def hooks(self, attempt: str) -> list[Hook]:
        mine = {(path, body) for of, path, body in self.provider.told if of == attempt}
        return [hook for hook in self._ear.hooks if (path_of(hook.url), hook.body) in mine]

    async def close(self) -> None:
        """Stop listening to sockets. Raises what an adapter's `events()` raised."""
        for _, pump in self._pumps:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

    async def _pump(self, adapter: TelephonyAdapter) -> None:
        async for event in adapter.events():
            self._spoken.append(event)
            self._heard.set()

    async def _news(self, heard: int) -> None:
        waits = {asyncio.create_task(self._ear.until(heard + 1)), asyncio.create_task(self._heard.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


@asynccontextmanager
async def harness_of(
    running: AbstractAsyncContextManager[FakeCarrier],
    make: Make,
    *,
    acts: frozenset[Act] = frozenset(Act),
    voice: str = "voice",
) -> AsyncIterator[ProviderHarness]:
    """The provider running, something that listens to its callbacks, and the harness over both."""
    async with ear() as listening, running as provider:
        provider.webhook_url = listening.url
        harness = ProviderHarness(provider, listening, make, acts, voice)
        try:
            yield harness
        finally:
            await harness.close()
