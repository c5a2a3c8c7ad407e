"""What is special to Telnyx, over real sockets against a fake of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.base import Live, Over, Unsure
from adapters.conformance import Act
from adapters.errors import AdapterError, Ambiguous
from adapters.events import Outcome, Phase
from adapters.telnyx.adapter import LONGEST_CALL, TelnyxAdapter
from tests.support.carrier import eventually
from tests.support.providers import telnyx
from tests.support.providers.harness import ProviderHarness
from tests.support.providers.telnyx import API_KEY, CONNECTION, PUBLIC_KEY, TelnyxProvider

SINCE = datetime.now(UTC) - timedelta(minutes=1)


@asynccontextmanager
async def running() -> AsyncIterator[tuple[ProviderHarness, TelnyxProvider]]:
    async with telnyx.harness() as harness:
        assert isinstance(harness.provider, TelnyxProvider)
        yield harness, harness.provider


def plain(url: str, *, stream_url: str = "", api_key: str = API_KEY) -> TelnyxAdapter:
    return TelnyxAdapter(
        "tx", api_key=api_key, public_key=PUBLIC_KEY, connection_id=CONNECTION, stream_url=stream_url, base_url=url, timeout=1
    )


async def test_what_is_sent() -> None:
    async with running() as (harness, provider), plain(provider.url) as adapter:
        call = replace(harness.call("call_1"), limit=100_000)
        ref = await adapter.place(call)
    assert provider.calls[ref].order.asked == {
        "connection_id": CONNECTION,
        "to": call.to,
        "from": call.caller_id,
        "command_id": "call_1",
        "client_state": "Y2FsbF8x",
        "timeout_secs": call.ring,
        "time_limit_secs": LONGEST_CALL,
        "assistant": {"id": "assistant-1"},
        "webhook_url": call.callback_url,
        "webhook_url_method": "POST",
    }


@pytest.mark.parametrize(("stream_url", "joint"), [("wss://voice.example/telnyx", "?"), ("wss://voice.example/?v=1", "&")])
async def test_a_stream_learns_whose_call_it_is(stream_url: str, joint: str) -> None:
    async with running() as (harness, provider), plain(provider.url, stream_url=stream_url) as adapter:
        ref = await adapter.place(replace(harness.call("call_1"), voice="anna & co", callback_url=""))
    asked = provider.calls[ref].order.asked
    assert asked["stream_url"] == f"{stream_url}{joint}attempt=call_1&voice=anna+%26+co"
    assert (asked["stream_track"], asked["stream_bidirectional_mode"]) == ("inbound_track", "rtp")
    assert not {"assistant", "answering_machine_detection", "webhook_url"} & asked.keys()


async def test_a_machine_is_told_of_beside_the_end() -> None:
    async with running() as (harness, _), harness.adapter() as adapter:
        await harness.act(Act.MACHINE)
        await adapter.place(harness.call("call_1"))
        told = {event.phase: event.outcome for event in await harness.events(adapter, "call_1", Phase.ENDED)}
    assert (told[Phase.CLASSIFIED], told[Phase.ENDED]) == (Outcome.MACHINE, Outcome.ANSWERED)


@pytest.mark.parametrize("act", [Act.HANG_AFTER, Act.RESET_AFTER])
async def test_a_lost_answer_is_looked_up_and_never_placed_twice(act: Act) -> None:
    async with running() as (harness, provider):
        await harness.act(act)
        async with harness.adapter() as adapter:
            call = harness.call("call_1")
            with pytest.raises(Ambiguous):
                await adapter.place(call)
            (placed,) = provider.of("call_1")
            await eventually(lambda: placed.over)
            sighting = await adapter.find("call_1", call.to, None, SINCE)
    assert isinstance(sighting, Over) and sighting.ref == placed.ref
    assert provider.requests["call_1"] == 1


async def test_the_attempt_is_the_command_so_that_telnyx_itself_would_ignore_a_second_one() -> None:
    async with running() as (harness, provider), harness.adapter() as adapter:
        call = harness.call("call_1")
        assert await adapter.place(call) == await adapter.place(call)
    assert (len(provider.calls), provider.requests["call_1"]) == (1, 2)


async def test_one_of_many_live_calls_is_found_and_hung_up_without_its_id() -> None:
    async with running() as (harness, provider), harness.adapter() as adapter:
        await harness.act(Act.TALK_ON)
        calls = [harness.call(f"call_{n}") for n in range(5)]
        refs = [await adapter.place(call) for call in calls]
        await asyncio.gather(*(harness.events(adapter, call.attempt, Phase.ANSWERED) for call in calls))
        assert await adapter.find("call_4", calls[4].to, None, SINCE) == Live(refs[4], answered=True)
        await adapter.hang_up("call_4", None)
        await harness.events(adapter, "call_4", Phase.ENDED)
        assert [call.over for call in provider.calls.values()] == [False, False, False, False, True]


async def test_a_ringing_call_that_is_hung_up_is_cancelled() -> None:
    async with running() as (harness, _), harness.adapter() as adapter:
        ref = await adapter.place(harness.call("call_1"))
        await adapter.hang_up("call_1", ref)
        told = await harness.events(adapter, "call_1", Phase.ENDED)
    assert told[-1].outcome is Outcome.CANCELLED


async def test_without_records_a_call_is_neither_absent_nor_unanswered() -> None:
    async with running() as (harness, provider), harness.adapter() as adapter:
        await harness.act(Act.TALK_ON)
        provider.recording = False
        call = harness.call("call_1")
        ref = await adapter.place(call)
        lives = await adapter.find("call_1", call.to, None, SINCE)
        await adapter.hang_up("call_1", ref)
        await harness.events(adapter, "call_1", Phase.ENDED)
        over = await adapter.find("call_1", call.to, ref, SINCE)
        never = await adapter.find("call_2", call.to, None, SINCE)
    assert isinstance(lives, Unsure) and "answered" in lives.detail
    assert isinstance(over, Unsure) and isinstance(never, Unsure)


async def test_an_earlier_call_to_the_same_number_is_not_taken_for_this_one() -> None:
    async with running() as (harness, _), harness.adapter() as adapter:
        call = harness.call("call_1")
        await adapter.place(call)
        await harness.events(adapter, "call_1", Phase.ENDED)
        assert isinstance(await adapter.find("call_2", call.to, None, SINCE), Unsure)


async def test_a_key_that_is_not_accepted_shows_in_health_and_look_up() -> None:
    async with running() as (harness, provider), plain(provider.url, api_key="wrong") as adapter:
        health = await adapter.health()
        assert not health.ok and "401" in health.detail
        assert isinstance(await adapter.find("call_1", "+4930123", None, SINCE), Unsure)
        with pytest.raises(AdapterError):
            await adapter.hang_up("call_1", "v3:abc")
    async with running() as (harness, _), harness.adapter() as adapter:
        assert (await adapter.health()).ok
