"""What is special to ElevenLabs: what is sent where, ends that only a look-up tells, and calls that cannot be ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.base import Absent, Live, Over, Unsure
from adapters.conformance import Act
from adapters.elevenlabs.adapter import _refused
from adapters.errors import AdapterError, Ambiguous, RateLimited, Rejected
from adapters.events import Fault, Outcome, Phase
from adapters.http import Answer
from tests.support.carrier import eventually
from tests.support.providers.elevenlabs import NUMBER_ID, SIP_CALLER_ID, SIP_NUMBER_ID, ElevenLabsProvider, make
from tests.support.providers.harness import ProviderHarness, harness_of

NOW = datetime.now(UTC)


@pytest.fixture
async def harness() -> AsyncIterator[ProviderHarness]:
    async with harness_of(ElevenLabsProvider(), make) as running:
        yield running


def elevenlabs(harness: ProviderHarness) -> ElevenLabsProvider:
    assert isinstance(harness.provider, ElevenLabsProvider)
    return harness.provider


async def test_an_order_names_agent_number_attempt_variables_and_ring(harness: ProviderHarness) -> None:
    call = replace(harness.call("call_1"), variables={"name": "Ü", "size": 3, "none": None}, ring=600)
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
    assert elevenlabs(harness).calls[ref].order.asked == {
        "agent_id": "voice",
        "agent_phone_number_id": NUMBER_ID,
        "to_number": call.to,
        "conversation_initiation_client_data": {
            "user_id": "call_1",
            "dynamic_variables": {"name": "Ü", "size": 3, "campaign": "camp_1", "attempt": "call_1"},
        },
        "telephony_call_config": {"ringing_timeout_secs": 115},
    }


async def test_a_number_is_asked_for_and_calls_by_its_own_telephony(harness: ProviderHarness) -> None:
    async with make(elevenlabs(harness).url, 1, numbers={}) as adapter:
        refs = [await adapter.place(harness.call("call_1"))]
        refs += [await adapter.place(replace(harness.call("call_2"), caller_id=SIP_CALLER_ID))]
        with pytest.raises(Rejected) as raised:  # a telephony that the adapter does not know
            await adapter.place(replace(harness.call("call_3"), caller_id="+493033333"))
    assert [elevenlabs(harness).calls[ref].order.caller_id for ref in refs] == [NUMBER_ID, SIP_NUMBER_ID]
    assert (raised.value.fault, harness.requests("call_3")) == (Fault.CONFIG, 0)


async def test_a_call_whose_answer_was_lost_is_found_by_its_attempt_and_not_placed_again(harness: ProviderHarness) -> None:
    await harness.act(Act.HANG_AFTER)
    call = harness.call("call_1")
    async with harness.adapter() as adapter:
        with pytest.raises(Ambiguous):
            await adapter.place(call)
        sighting = await adapter.find("call_1", call.to, None, NOW)
        assert isinstance(sighting, Live | Over)
        assert [placed.ref for placed in elevenlabs(harness).of("call_1")] == [sighting.ref]
        assert isinstance(await adapter.find("call_2", call.to, None, NOW), Absent)
    assert harness.requests("call_1") == 1


async def test_a_list_that_is_not_filtered_says_nothing(harness: ProviderHarness) -> None:
    elevenlabs(harness).filters = False
    async with harness.adapter() as adapter:
        await adapter.place(harness.call("call_1"))
        assert isinstance(await adapter.find("call_2", "", None, NOW), Unsure)


@pytest.mark.parametrize(
    ("act", "outcome", "fault"),
    [
        (Act.BUSY, Outcome.BUSY, Fault.CALLEE),
        (Act.NO_ANSWER, Outcome.NO_ANSWER, Fault.CALLEE),
        (Act.INVALID, Outcome.UNREACHABLE, Fault.TRUNK),
        (Act.UNREACHABLE, Outcome.UNREACHABLE, Fault.TRUNK),
    ],
)
async def test_the_end_of_a_call_that_did_not_come_about_is_looked_up(
    harness: ProviderHarness, act: Act, outcome: Outcome, fault: Fault
) -> None:
    await harness.act(act)
    call = harness.call("call_1")
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
        await eventually(lambda: bool(harness.hooks("call_1")))
        (told,) = harness.hooks("call_1")
        [failed], reply = adapter.receive(told)
        assert (failed.phase, failed.attempt, failed.ref, reply.status) == (Phase.ENDED, "", ref, 200)
        over = await adapter.find("call_1", call.to, ref, NOW)
    assert isinstance(over, Over)
    assert [(event.phase, event.attempt, event.outcome, event.fault) for event in over.events] == [
        (Phase.ENDED, "call_1", outcome, fault)
    ]


async def test_a_live_call_cannot_be_ended_and_that_is_said(harness: ProviderHarness) -> None:
    await harness.act(Act.TALK_ON)
    call = harness.call("call_1")
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
        await eventually(lambda: elevenlabs(harness).calls[ref].answered)
        assert await adapter.find("call_1", call.to, None, NOW) == Live(ref, answered=True)
        for known in (ref, None):
            with pytest.raises(AdapterError, match="no way to end"):
                await adapter.hang_up("call_1", known)
        elevenlabs(harness).hang_up(elevenlabs(harness).calls[ref])
        await harness.events(adapter, "call_1", Phase.ENDED)
        await adapter.hang_up("call_1", ref)


@pytest.mark.parametrize(
    ("status", "body", "kind", "fault"),
    [
        (422, b'{"detail": [{"loc": ["body", "agent_id"], "msg": "missing"}]}', Rejected, Fault.CONFIG),
        (400, b'{"detail": {"status": "invalid_agent", "message": "?"}}', Rejected, Fault.CONFIG),
        (400, b'{"detail": "phone_number_not_found"}', Rejected, Fault.CONFIG),
        (422, b'{"detail": [{"loc": ["body", "to_number"], "msg": "is not valid"}]}', Rejected, Fault.REQUEST),
        (400, b"[]", Rejected, Fault.REQUEST),
        (401, b'{"detail": {"status": "invalid_api_key"}}', Rejected, Fault.CONFIG),
        (429, b"{}", RateLimited, None),
        (500, b'{"detail": "agent"}', Ambiguous, None),
    ],
)
def test_refusals_are_read(status: int, body: bytes, kind: type, fault: Fault | None) -> None:
    error = _refused(Answer(status, {}, body))
    assert type(error) is kind and getattr(error, "fault", None) is fault
