"""The conformance suite's harness over the simulated carrier itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec

from adapters.base import Call, Hook, TelephonyAdapter
from adapters.conformance import Act
from adapters.events import CallEvent, Phase
from adapters.simulated.carrier.script import Faults, Span
from adapters.simulated.carrier.server import Carrier
from tests.support.carrier import Ear, adapter, call, carrier, ear, quick
from tests.support.providers.harness import NOBODY, patience_for

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


class SimulatedHarness:
    patience = 5.0

    def __init__(self, running: Carrier, listening: Ear) -> None:
        self.acts = frozenset({*ACTS, Act.DOWN})
        self._carrier, self._ear = running, listening
        self._url = running.url
        self._calls = 0
        self._act = Act.HUMAN

    def adapter(self) -> TelephonyAdapter:
        return adapter(self._url, timeout=self.timeout)

    def call(self, attempt: str) -> Call:
        self._calls += 1
        return replace(
            call(attempt, f"+49301234{self._calls:03}", callback_url=self._ear.url, start_in=5), variables={"name": "Ü"}
        )

    @property
    def timeout(self) -> float:
        return patience_for(self._act)

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
async def harness() -> AsyncIterator[SimulatedHarness]:
    async with ear() as listening, carrier() as running:
        yield SimulatedHarness(running, listening)
