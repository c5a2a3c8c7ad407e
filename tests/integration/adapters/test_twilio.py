"""What is special to Twilio: the placement it gets, its queue, its list of calls, and who picked up; against its fake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from adapters import registry
from adapters.base import Absent, Live, Over, TelephonyAdapter, Unsure
from adapters.conformance import Act
from adapters.errors import AdapterError, Ambiguous, Rejected
from adapters.events import CallEvent, Fault, Outcome, Phase
from adapters.twilio.detection import Detection
from adapters.twilio.search import PATIENCE, Doubts
from dialer.domain.attempt import Progress, fold
from dialer.domain.machine import AttemptState
from tests.support.carrier import Ear, call, ear
from tests.support.providers.calls import FakeCall
from tests.support.providers.twilio import ACCOUNT, TOKEN, TwilioProvider, make

NUMBER = "+493012345678"


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioProvider]:
    async with TwilioProvider() as running:
        yield running


@pytest.fixture
async def listening() -> AsyncIterator[Ear]:
    async with ear() as running:
        yield running


def since() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


def told(adapter: TelephonyAdapter, listening: Ear) -> list[CallEvent]:
    return [event for hook in listening.hooks for event in adapter.receive(hook)[0]]


async def ended(adapter: TelephonyAdapter, listening: Ear) -> list[CallEvent]:
    """What was told, once the one call that there is has ended."""
    while Phase.ENDED not in {event.phase for event in told(adapter, listening)}:
        await listening.until(len(listening.hooks) + 1)
    return told(adapter, listening)


async def lost(twilio: TwilioProvider, adapter: TelephonyAdapter, attempt: str, callback_url: str) -> FakeCall:
    """A call that was placed, of which we never got the id."""
    with pytest.raises(Ambiguous):
        await adapter.place(call(attempt, NUMBER, callback_url=callback_url))
    [placed] = twilio.of(attempt)
    return placed


async def test_a_placement_says_all_that_twilio_must_know(twilio: TwilioProvider, listening: Ear) -> None:
    async with make(twilio.url, 1.0, detection=Detection("enable")) as adapter:
        ref = await adapter.place(replace(call("call_1", NUMBER, callback_url=listening.url), ring=601))
    asked = twilio.calls[ref].order.asked
    callback = f"{listening.url}?attempt=call_1"
    assert {name: asked[name] for name in asked if name not in {"Twiml", "AsyncAmdStatusCallback"}} == {
        "To": [NUMBER],
        "From": ["+493011111"],
        "Timeout": ["600"],  # more it does not take
        "TimeLimit": ["60"],
        "StatusCallback": [f"{callback}#rc=5&rp=all"],
        "StatusCallbackMethod": ["POST"],
        "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
        "MachineDetection": ["Enable"],
        "MachineDetectionTimeout": ["30"],
        "AsyncAmd": ["true"],
        "AsyncAmdStatusCallbackMethod": ["POST"],
    }
    query = urlsplit(asked["AsyncAmdStatusCallback"][0]).query
    assert parse_qs(query) == {"attempt": ["call_1"], "about": ["detection"]}
    assert ElementTree.fromstring(asked["Twiml"][0]).find("Connect/Stream/Parameter[@value='call_1']") is not None


async def test_too_long_for_twilio_is_refused_before_anything_is_sent(twilio: TwilioProvider) -> None:
    async with make(twilio.url, 1.0) as adapter:
        long = replace(call("call_1", NUMBER, callback_url=twilio.url), variables={"name": "x" * 5000})
        with pytest.raises(Rejected, match="too long"):
            await adapter.place(long)
    assert not twilio.requests and not long.departure.begun


async def test_a_lost_call_is_found_on_the_last_page_of_the_list_and_placed_once(twilio: TwilioProvider, listening: Ear) -> None:
    twilio.queue, twilio.act = asyncio.Event(), Act.RESET_AFTER
    async with make(twilio.url, 1.0) as adapter:
        placed = await lost(twilio, adapter, "call_1", listening.url)
        for number in range(4):
            older = await lost(twilio, adapter, f"older_{number}", listening.url)
            older.placed -= 3600
        assert await adapter.find("call_1", NUMBER, None, since()) == Live(placed.ref, answered=False)
        with pytest.raises(AdapterError, match="which call it is"):
            await adapter.hang_up("call_1", None)
    assert twilio.requests["call_1"] == 1


async def test_an_attempt_is_absent_only_after_a_minute_of_look_ups(twilio: TwilioProvider) -> None:
    clock = [0.0]
    async with make(twilio.url, 1.0, doubts=Doubts(lambda: clock[0])) as adapter:
        for seconds, expected in ((1000, Unsure), (PATIENCE - 1, Unsure), (1, Absent)):
            clock[0] += seconds
            assert isinstance(await adapter.find("call_1", NUMBER, None, since()), expected)


async def test_the_failed_call_of_the_attempt_before_is_not_taken_for_this_ones(twilio: TwilioProvider, listening: Ear) -> None:
    clock = [0.0]
    async with make(twilio.url, 1.0, doubts=Doubts(lambda: clock[0])) as adapter:
        twilio.act = Act.UNREACHABLE
        before = await adapter.place(call("call_1", NUMBER, callback_url=listening.url))
        await ended(adapter, listening)
        assert isinstance(await adapter.find("call_2", NUMBER, None, since()), Unsure)
        twilio.queue, twilio.act = asyncio.Event(), Act.RESET_AFTER
        placed = await lost(twilio, adapter, "call_2", listening.url)
        assert await adapter.find("call_2", NUMBER, None, since()) == Live(placed.ref, answered=False)
        clock[0] += PATIENCE
        del twilio.calls[placed.ref]
        over = await adapter.find("call_2", NUMBER, None, since())
        assert isinstance(over, Over) and over.ref == before


async def test_a_call_in_twilios_queue_is_up_and_hung_up_before_it_rings(twilio: TwilioProvider, listening: Ear) -> None:
    twilio.queue = asyncio.Event()
    async with make(twilio.url, 1.0) as adapter:
        ref = await adapter.place(call("call_1", NUMBER, callback_url=listening.url))
        assert await adapter.find("call_1", NUMBER, ref, since()) == Live(ref, answered=False)
        await adapter.hang_up("call_1", ref)
        events = await ended(adapter, listening)
        assert isinstance(await adapter.find("call_1", NUMBER, ref, since()), Over)
    assert Phase.RINGING not in {event.phase for event in events}
    assert (events[-1].outcome, events[-1].fault) == (Outcome.CANCELLED, Fault.NONE)


@pytest.mark.parametrize(("act", "outcome"), [(Act.HUMAN, Outcome.HUMAN), (Act.MACHINE, Outcome.MACHINE)])
@pytest.mark.parametrize("backwards", [False, True])
async def test_who_picked_up_decides_the_outcome_whenever_it_is_told(
    twilio: TwilioProvider, listening: Ear, act: Act, outcome: Outcome, backwards: bool
) -> None:
    twilio.act, twilio.backwards, twilio.repeats = act, backwards, 2
    async with make(twilio.url, 1.0, detection=Detection("enable")) as adapter:
        ref = await adapter.place(call("call_1", NUMBER, callback_url=listening.url))
        await listening.until(10)
        events = told(adapter, listening)
        seen = await adapter.find("call_1", NUMBER, ref, since())
    assert fold(Progress(AttemptState.PLACING), events).outcome is outcome
    assert isinstance(seen, Over) and fold(Progress(AttemptState.PLACING), seen.events).outcome is outcome


async def test_a_refused_country_is_the_calls_own_fault_and_a_wrong_key_the_configurations(twilio: TwilioProvider) -> None:
    twilio.act, twilio.refuses_with = Act.REFUSE, (400, 21215)
    options = {"account_sid": ACCOUNT, "auth_token": TOKEN, "base_url": twilio.url, "target": "wss://voice.example"}
    async with registry.build("main", "twilio", options) as adapter:
        with pytest.raises(Rejected) as raised:
            await adapter.place(call("call_1", NUMBER, callback_url=twilio.url))
        assert (raised.value.fault, raised.value.cause) == (Fault.REQUEST, "twilio_21215")
    keyed = options | {"api_key_sid": "SK" + "0" * 32, "api_key_secret": "another"}
    async with registry.build("main", "twilio", keyed) as adapter:
        with pytest.raises(Rejected) as raised:
            await adapter.place(call("call_2", NUMBER, callback_url=twilio.url))
        assert raised.value.fault is Fault.CONFIG
        assert isinstance(await adapter.find("call_2", NUMBER, None, since()), Unsure)
        with pytest.raises(AdapterError):
            await adapter.hang_up("call_2", "CA1")


async def test_a_list_that_goes_on_elsewhere_does_not_get_our_key(twilio: TwilioProvider) -> None:
    async with make(twilio.url, 1.0) as adapter:
        twilio.elsewhere = "/elsewhere?Page=1"
        seen = await adapter.find("call_1", NUMBER, None, since())
    assert isinstance(seen, Unsure) and "/elsewhere" not in twilio.paths


async def test_health_is_that_of_the_account(twilio: TwilioProvider) -> None:
    async with make(twilio.url, 1.0) as adapter:
        health = await adapter.health()
        assert (health.ok, health.detail, health.free) == (True, "balance 12.50 USD", None)
        twilio.balance = None
        assert (await adapter.health()).ok
        for status in ("suspended", "closed"):
            twilio.account = {"status": status}
            assert not (await adapter.health()).ok
        twilio.account = {}
        assert not (await adapter.health()).ok
