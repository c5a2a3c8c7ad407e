"""What is FreeSWITCH's own: its event socket, jobs that say no, and what nobody heard, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.base import Call, Hook, Live, Over, Sighting, Unsure
from adapters.conformance import Act
from adapters.errors import AdapterError, Ambiguous, Forged, PlaceError, RateLimited, Rejected, TooLate, Unavailable
from adapters.events import CallEvent, Fault, Outcome, Phase
from adapters.freeswitch import adapter as module
from adapters.freeswitch.adapter import FreeswitchAdapter
from adapters.freeswitch.ear import Rhythm
from adapters.freeswitch.order import Dialplan
from adapters.freeswitch.translate import ref_of
from adapters.simulated.carrier.harness import NOBODY
from tests.support import carrier
from tests.support.carrier import eventually
from tests.support.providers.freeswitch import FakeFreeSwitch, make
from tests.support.providers.listening import using

NUMBER = "+493012345678"
ATTEMPT = "call_1"
REF = ref_of(ATTEMPT)


@pytest.fixture
async def switch() -> AsyncIterator[FakeFreeSwitch]:
    async with FakeFreeSwitch() as running:
        running.act = Act.TALK_ON
        yield running


def call(attempt: str = ATTEMPT, *, start_in: float = 5) -> Call:
    return carrier.call(attempt, NUMBER, start_in=start_in)


async def find(adapter: FreeswitchAdapter, ref: str | None = None) -> Sighting:
    return await adapter.find(ATTEMPT, NUMBER, ref, datetime.now(UTC) - timedelta(minutes=1))


async def test_what_is_sent(switch: FakeFreeSwitch) -> None:
    async with make(switch.url, 1, route=Dialplan("answered", "")) as adapter:
        assert await adapter.place(replace(call(), variables={"first_name": "O'Brien, Ü"})) == REF
    asked = switch.calls[REF].order.asked
    assert (asked["dialled"], asked["goes_to"], asked["job"]) == (
        f"sofia/gateway/trunk/{NUMBER}",
        ["voice", "XML", "answered"],
        REF,
    )
    assert asked["variables"]["dialer_var_first_name"] == "O%27Brien%2C%20%C3%9C"


async def test_a_lost_answer_is_looked_up_and_nobody_is_dialled_twice(switch: FakeFreeSwitch) -> None:
    switch.breaks = True
    async with using(make(switch.url, 1)) as heard:
        with pytest.raises(Ambiguous):
            await heard.adapter.place(call())
        await heard.until(Phase.GAP, 2)
        sighting = await find(heard.adapter)
        assert isinstance(sighting, Live) and sighting.ref == REF
        await eventually(lambda: switch.calls[REF].answered)
        assert await find(heard.adapter) == Live(REF, answered=True)
        await heard.adapter.hang_up(ATTEMPT, None)
        end = await heard.until(Phase.ENDED)
        assert end.outcome is Outcome.ANSWERED
        assert await find(heard.adapter) == Over(REF, (end,))
    assert (switch.dialled, switch.requests[ATTEMPT]) == ([ATTEMPT], 1)


async def test_a_channel_that_is_alive_is_not_made_twice(switch: FakeFreeSwitch) -> None:
    async with make(switch.url, 1) as adapter:
        assert await adapter.place(call()) == await adapter.place(call()) == REF
    assert (switch.dialled, switch.requests[ATTEMPT]) == ([ATTEMPT], 2)


@pytest.mark.parametrize(
    ("word", "kind", "fault"),
    [
        ("DESTINATION_OUT_OF_ORDER", RateLimited, None),
        ("INVALID_GATEWAY", Rejected, Fault.CONFIG),
        ("GATEWAY_DOWN", Rejected, Fault.TRUNK),
    ],
)
async def test_a_job_that_made_no_channel_is_a_refusal(
    switch: FakeFreeSwitch, word: str, kind: type[PlaceError], fault: Fault | None
) -> None:
    switch.act, switch.refusal = Act.REFUSE, word
    async with using(make(switch.url, 1, grace=0.01)) as heard:
        with pytest.raises(kind) as raised:
            await heard.adapter.place(call())
        assert getattr(raised.value, "fault", None) is fault
        switch.act = Act.BUSY
        await heard.adapter.place(call("call_2"))
        await heard.until(Phase.ENDED)
    assert {event.attempt for event in heard.events} == {"", "call_2"}, "a refusal is told once"


@pytest.mark.parametrize("job_first", [False, True])
async def test_what_a_job_says_of_a_call_gives_way_to_the_end_of_its_channel(switch: FakeFreeSwitch, job_first: bool) -> None:
    switch.act, switch.job_first, switch.codes = Act.INVALID, job_first, ("CALL_REJECTED", 21, 404)
    async with using(make(switch.url, 1, grace=0.05)) as heard:
        assert await heard.adapter.place(call()) == REF
        await heard.until(Phase.ENDED)
        switch.act = Act.BUSY
        await heard.adapter.place(call("call_2"))
        await heard.until(Phase.ENDED, 2)
    ends = [event for event in heard.events if event.attempt == ATTEMPT and event.phase is Phase.ENDED]
    assert [(end.outcome, end.sip) for end in ends] == [(Outcome.INVALID_NUMBER, 404)]


async def test_a_call_of_whose_end_only_the_job_tells_ends(switch: FakeFreeSwitch) -> None:
    switch.mute = True
    async with using(make(switch.url, 2, grace=0.02)) as heard, asyncio.TaskGroup() as tasks:
        placing = tasks.create_task(heard.adapter.place(call()))
        await eventually(lambda: switch.requests[ATTEMPT] == 1)
        switch.job(REF, "-ERR USER_BUSY\n")
        assert await placing == REF
        end = await heard.until(Phase.ENDED)
    assert (end.attempt, end.outcome, end.fault) == (ATTEMPT, Outcome.BUSY, Fault.CALLEE)


async def test_an_order_that_nothing_comes_of_is_settled_by_its_job_after_a_reconnect_too(switch: FakeFreeSwitch) -> None:
    switch.mute = True
    async with using(make(switch.url, 0.1, grace=0.02)) as heard:
        with pytest.raises(Ambiguous):
            await heard.adapter.place(call())
        assert isinstance(await find(heard.adapter), Unsure)
        switch.cut()
        await heard.until(Phase.GAP, 2)
        switch.job(REF, "-ERR INVALID_GATEWAY\n")
        end = await heard.until(Phase.ENDED)
    assert (end.attempt, end.outcome, end.fault) == (ATTEMPT, Outcome.UNREACHABLE, Fault.CONFIG)


async def test_a_switch_that_does_not_answer_gets_a_reset(switch: FakeFreeSwitch) -> None:
    async with using(make(switch.url, 0.3)) as heard:
        switch.frozen = set(switch.listeners)
        with pytest.raises(Ambiguous):
            await heard.adapter.place(call())
        await eventually(lambda: not switch.frozen & switch.listeners)
        await heard.until(Phase.GAP, 2)
        await heard.adapter.place(call("call_2"))
    assert switch.dialled == ["call_2"]


async def test_what_was_missed_is_looked_up_after_the_gap(switch: FakeFreeSwitch) -> None:
    async with using(make(switch.url, 1)) as heard:
        await heard.adapter.place(call())
        await heard.until(Phase.ANSWERED)
        switch.deaf = True
        switch.cut()
        switch.hang_up(switch.calls[REF])
        await eventually(lambda: switch.calls[REF].over)
        assert isinstance(await find(heard.adapter, REF), Unsure), "nobody can be asked"
        switch.deaf = False
        await heard.until(Phase.GAP, 2)
        sighting = await find(heard.adapter, REF)
        assert isinstance(sighting, Over) and [event.outcome for event in sighting.events] == [Outcome.UNKNOWN]
        assert abs((sighting.events[0].at - datetime.now(UTC)).total_seconds()) < 5
        assert isinstance(await find(heard.adapter), Unsure), "without its id nothing proves that it was placed"
    assert heard.phases == [Phase.GAP, Phase.RINGING, Phase.ANSWERED, Phase.GAP]


async def test_nobody_is_called_whose_call_would_not_be_heard_of(switch: FakeFreeSwitch) -> None:
    switch.deaf = True
    async with make(switch.url, 1) as adapter:
        with pytest.raises(Unavailable):
            await adapter.place(call())
        assert not (await adapter.health()).ok
        began = time.monotonic()
        with pytest.raises((TooLate, Unavailable)):
            await adapter.place(call(start_in=0.01))
        assert time.monotonic() - began < 1.5, "it waits no longer than it may start"
        switch.deaf = False
        await eventually(lambda: adapter._ear.link is not None)
        assert await adapter.place(call()) == REF
    assert switch.dialled == [ATTEMPT]


async def test_a_wrong_password_is_a_matter_of_configuration(switch: FakeFreeSwitch) -> None:
    async with make(switch.url, 1, password="another") as adapter:
        with pytest.raises(Rejected) as raised:
            await adapter.place(call())
        assert raised.value.fault is Fault.CONFIG
        assert (await adapter.health()).detail.startswith("FreeSWITCH refuses our password")
        with pytest.raises(AdapterError):
            await adapter.hang_up(ATTEMPT, REF)


async def test_a_process_that_only_hangs_up_hears_nothing(switch: FakeFreeSwitch) -> None:
    async with make(switch.url, 1) as adapter:
        await adapter.hang_up(ATTEMPT, REF)
        assert (await adapter.health()).ok and isinstance(await find(adapter), Unsure)
        with pytest.raises(AdapterError):
            await adapter.hang_up(ATTEMPT, "all now\n\napi shutdown")
        with pytest.raises(Forged):
            adapter.receive(Hook("POST", "https://dialer.example/hooks/pbx", {}, b"{}", datetime.now(UTC)))
        assert [listener.events for listener in switch.listeners] == [set()]
    assert switch.connects == 1


async def test_every_process_hears_of_every_call(switch: FakeFreeSwitch) -> None:
    async with using(make(switch.url, 1)) as one, using(make(switch.url, 1)) as other:
        async with asyncio.TaskGroup() as tasks:
            placed = [tasks.create_task(one.adapter.place(call(f"call_{each}"))) for each in range(20)]
        assert [each.result() for each in placed] == [ref_of(f"call_{each}") for each in range(20)]
        for heard in (one, other):
            await heard.until(Phase.ANSWERED, 20)
        assert {event.key for event in one.events} == {event.key for event in other.events}


async def test_a_connection_that_went_silent_is_given_up(switch: FakeFreeSwitch) -> None:
    async with using(make(switch.url, 0.3, rhythm=Rhythm(first=0.01, longest=0.05, ping=0.01))) as heard:
        switch.frozen = set(switch.listeners)
        await heard.until(Phase.GAP, 2)
        await heard.adapter.place(call())


async def test_events_that_nobody_reads_become_a_gap(switch: FakeFreeSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_UNREAD", 1)
    async with make(switch.url, 1) as adapter:
        await adapter.place(call())
        await eventually(lambda: switch.calls[REF].answered)
        await adapter.hang_up(ATTEMPT, REF)
        await eventually(lambda: isinstance(adapter._ends.get(REF), CallEvent))
        told = adapter.events()
        assert [(await anext(told)).phase for _ in range(2)] == [Phase.GAP, Phase.ENDED]


async def test_health(switch: FakeFreeSwitch) -> None:
    async with using(make(switch.url, 1)) as heard:
        await heard.adapter.place(call())
        assert (await heard.adapter.health()).free == 999
        switch.ready = False
        assert not (await heard.adapter.health()).ok
    async with make(NOBODY, 1) as adapter:
        assert not (await adapter.health()).ok
