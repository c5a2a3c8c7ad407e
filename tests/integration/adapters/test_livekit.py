"""What is special to LiveKit, over real sockets against a fake of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from adapters.base import Live, TelephonyAdapter, Unsure
from adapters.conformance import Act
from adapters.errors import Ambiguous, RateLimited, Rejected, Unavailable
from adapters.events import CallEvent, Fault, Outcome, Phase
from tests.support.carrier import eventually
from tests.support.providers import livekit
from tests.support.providers.harness import ProviderHarness
from tests.support.providers.livekit import TRUNK, LiveKitProvider

LOOK = 0.02
"""Seconds between two looks into the room of a phone that rings."""
SINCE = datetime.now(UTC) - timedelta(minutes=1)


@asynccontextmanager
async def running(act: Act) -> AsyncIterator[tuple[ProviderHarness, LiveKitProvider]]:
    async with livekit.harness() as harness:
        assert isinstance(harness.provider, LiveKitProvider)
        await harness.act(act)
        yield harness, harness.provider


async def until_the_end(adapter: TelephonyAdapter) -> AsyncIterator[CallEvent]:
    """What is told by no webhook, up to the first end."""
    async for event in adapter.events():
        yield event
        if event.phase is Phase.ENDED:
            return


async def test_an_agent_is_dispatched_and_then_the_callee_called() -> None:
    async with running(Act.HUMAN) as (harness, provider), harness.adapter() as adapter:
        call = harness.call("call_1")
        assert await adapter.place(call) == "call-call_1"
    dispatched = provider.dispatched["call-call_1"]
    assert dispatched["agent_name"] == "agent-of-ours"
    assert json.loads(dispatched["metadata"]) == {
        "attempt": "call_1",
        "labels": {"campaign": "camp_1"},
        "variables": {"name": "Ü"},
    }
    (placed,) = provider.calls.values()  # the fake refuses to call into a room without an agent
    assert placed.order.asked == {
        "sip_trunk_id": TRUNK,
        "sip_call_to": call.to,
        "sip_number": call.caller_id,
        "room_name": "call-call_1",
        "participant_identity": "callee",
        "participant_metadata": '{"attempt": "call_1"}',
        "ringing_timeout": f"{call.ring}s",
        "max_call_duration": f"{call.limit}s",
        "wait_until_answered": True,
    }


async def test_placing_does_not_wait_for_the_phone_to_be_answered() -> None:
    async with running(Act.TALK_ON) as (harness, provider), livekit.make(provider.url, 1, look=LOOK) as adapter:
        provider.picks_up.clear()
        call = harness.call("call_1")
        await adapter.place(call)
        await harness.events(adapter, "call_1", Phase.RINGING)
        assert await adapter.find("call_1", call.to, None, SINCE) == Live("call-call_1", answered=False)
        provider.picks_up.set()
        await harness.events(adapter, "call_1", Phase.ANSWERED)
        assert await adapter.find("call_1", call.to, None, SINCE) == Live("call-call_1", answered=True)
    assert provider.requests["call_1"] == 1


async def test_a_call_that_nobody_sees_is_ambiguous_and_what_became_of_it_is_told_all_the_same() -> None:
    async with running(Act.TALK_ON) as (harness, provider), livekit.make(provider.url, 1, patience=0.2, look=LOOK) as adapter:
        provider.says.clear()
        provider.shows = False
        call = harness.call("call_1")
        with pytest.raises(Ambiguous):
            await adapter.place(call)
        assert isinstance(await adapter.find("call_1", call.to, None, SINCE), Unsure)
        provider.says.set()
        await harness.events(adapter, "call_1", Phase.ANSWERED)
        provider.shows = True
        assert await adapter.find("call_1", call.to, None, SINCE) == Live("call-call_1", answered=True)
    assert (provider.requests["call_1"], provider.deleted) == (1, [])


@pytest.mark.parametrize(
    ("act", "expected"),
    [(Act.BUSY, (Outcome.BUSY, Fault.CALLEE, 486)), (Act.INVALID, (Outcome.INVALID_NUMBER, Fault.NUMBER, 404))],
)
async def test_a_call_that_fails_at_once_was_placed_and_its_agent_leaves(act: Act, expected: tuple[Outcome, Fault, int]) -> None:
    async with running(act) as (harness, provider), harness.adapter() as adapter:
        assert await adapter.place(harness.call("call_1")) == "call-call_1"
        told = await harness.events(adapter, "call_1", Phase.ENDED)
        await eventually(lambda: provider.deleted == ["call-call_1"])
    assert (told[-1].outcome, told[-1].fault, told[-1].sip) == expected


@pytest.mark.parametrize(("act", "error"), [(Act.REFUSE, Rejected), (Act.THROTTLE, RateLimited)])
async def test_the_agent_of_a_call_that_is_refused_leaves(act: Act, error: type[Exception]) -> None:
    async with running(act) as (harness, provider), harness.adapter() as adapter:
        with pytest.raises(error):
            await adapter.place(harness.call("call_1"))
        await eventually(lambda: provider.deleted == ["call-call_1"])


async def test_the_room_of_a_lost_answer_is_left_alone_and_the_call_found_in_it() -> None:
    async with running(Act.RESET_AFTER) as (harness, provider), harness.adapter() as adapter:
        call = harness.call("call_1")
        with pytest.raises(Ambiguous):
            await adapter.place(call)
        assert isinstance(await adapter.find("call_1", call.to, None, SINCE), Live)
        (placed,) = provider.of("call_1")
        await eventually(lambda: placed.over)
        assert isinstance(await adapter.find("call_1", call.to, None, SINCE), Unsure)
    assert (provider.requests["call_1"], provider.deleted) == (1, [])


async def test_whoever_is_hung_up_while_it_rings_is_cancelled() -> None:
    async with running(Act.HUMAN) as (harness, provider), livekit.make(provider.url, 1, look=LOOK) as adapter:
        provider.picks_up.clear()
        await adapter.place(harness.call("call_1"))
        await harness.events(adapter, "call_1", Phase.RINGING)
        await adapter.hang_up("call_1", None)
        told = await harness.events(adapter, "call_1", Phase.ENDED)
    assert [event.outcome for event in told if event.phase is Phase.ENDED] == [Outcome.CANCELLED]


async def test_a_call_that_was_seen_and_is_then_refused_is_over() -> None:
    async with running(Act.HUMAN) as (harness, provider), livekit.make(provider.url, 1, look=LOOK) as adapter:
        provider.picks_up.clear()
        provider.cancelled = ("not_found", 404)
        await adapter.place(harness.call("call_1"))
        provider.hang_up(provider.calls["call-call_1"])
        async with asyncio.timeout(5):
            told = [event async for event in until_the_end(adapter)]
    assert (told[0].phase, told[-1].phase, told[-1].outcome) == (Phase.GAP, Phase.ENDED, None)


async def test_an_adapter_that_is_closed_leaves_the_phones_ringing() -> None:
    async with running(Act.HUMAN) as (harness, provider):
        provider.picks_up.clear()
        async with livekit.make(provider.url, 1, look=LOOK) as adapter:
            call = harness.call("call_1")
            await adapter.place(call)
        async with livekit.make(provider.url, 1, look=LOOK) as another:
            assert await another.find("call_1", call.to, None, SINCE) == Live("call-call_1", answered=False)
    assert provider.deleted == []


async def test_keys_that_are_not_accepted_place_nothing_and_show_in_health() -> None:
    async with running(Act.HUMAN) as (harness, provider):
        async with livekit.make(provider.url, 1, api_secret="wrong") as adapter:
            with pytest.raises(Rejected) as caught:
                await adapter.place(harness.call("call_1"))
            assert caught.value.fault is Fault.CONFIG and provider.requests["call_1"] == 0
            assert not (await adapter.health()).ok
            assert isinstance(await adapter.find("call_1", "+4930123", None, SINCE), Unsure)
        async with harness.adapter() as good:
            assert (await good.health()).ok


async def test_without_an_agent_nobody_is_called() -> None:
    async with running(Act.DOWN) as (harness, provider), harness.adapter() as adapter:
        call = harness.call("call_1")
        with pytest.raises(Unavailable):
            await adapter.place(call)
    assert not call.departure.begun and provider.requests["call_1"] == 0
