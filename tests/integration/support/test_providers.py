"""The fakes' ground where the conformance suite does not go: carriers that speak by socket, results after the end, failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from adapters.conformance import Act
from adapters.events import CallEvent, Phase
from adapters.simulated.adapter import SimulatedAdapter
from tests.support.providers.calls import FakeCall, FakeCarrier, Order, Stage
from tests.support.providers.harness import harness_of


class Line(FakeCarrier):
    """Both ends of a socket, without the socket."""

    talks_after_the_end = True

    def __init__(self) -> None:
        super().__init__()
        self.sent: asyncio.Queue[CallEvent] = asyncio.Queue()

    async def tell(self, call: FakeCall, stage: Stage) -> None:
        if call.order.to == "nobody":
            raise ValueError("a defect of the fake")
        at = datetime.fromtimestamp(call.at[stage], UTC)
        self.sent.put_nowait(CallEvent(Phase(stage), at, call.order.attempt, call.ref, f"{call.ref}:{stage}"))


class Listener(SimulatedAdapter):
    line: Line

    async def events(self) -> AsyncIterator[CallEvent]:
        while True:
            yield await self.line.sent.get()


@asynccontextmanager
async def running() -> AsyncIterator[Line]:
    line = Line()
    yield line
    await line.close()


def make(url: str, timeout: float) -> Listener:
    return Listener("line", base_url="http://line", api_key="k", signing_secret="s", timeout=timeout)


def phases(events: list[CallEvent]) -> list[str]:
    return [event.phase.value for event in events]


async def test_events_of_a_socket_are_gathered_by_attempt_also_those_that_came_before_anybody_asked() -> None:
    async with harness_of(running(), make) as harness:
        line = harness.provider
        assert isinstance(line, Line)
        adapter = make("", 1)
        adapter.line = line
        await harness.act(Act.BUSY)
        line.begin(Order("call_1", "+491"))
        line.begin(Order("call_2", "+492"))
        assert phases(await harness.events(adapter, "call_1", Phase.ENDED)) == ["ringing", "ended"]
        assert phases(await harness.events(adapter, "call_2", Phase.ENDED)) == ["ringing", "ended"]


async def test_a_call_that_was_answered_has_its_result_also_when_we_hung_up() -> None:
    async with harness_of(running(), make) as harness:
        line = harness.provider
        assert isinstance(line, Line)
        adapter = make("", 1)
        adapter.line = line
        await harness.act(Act.TALK_ON)
        call = line.begin(Order("call_1", "+491"))
        await harness.events(adapter, "call_1", Phase.ANSWERED)
        line.hang_up(call)
        assert phases(await harness.events(adapter, "call_1", Phase.RESULT)) == ["ringing", "answered", "ended", "result"]
        early = line.begin(Order("call_2", "+492"))
        line.hang_up(early)
        assert phases(await harness.events(adapter, "call_2", Phase.ENDED)) == ["ended"]
        assert early.cancelled and not call.cancelled


async def test_what_goes_wrong_in_the_life_of_a_call_is_raised_at_the_end() -> None:
    with pytest.raises(ValueError, match="a defect of the fake"):
        async with harness_of(running(), make) as harness:
            harness.provider.begin(Order("call_1", "nobody"))
            await asyncio.wait(harness.provider._lives)
