"""What is special to Vapi: what is sent, numbers by their ids, calls that wait for a slot, and the search among others' calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.base import Absent, Live, Over, Unsure
from adapters.conformance import Act
from adapters.errors import Ambiguous, RateLimited, Rejected, TooLate, Unavailable
from adapters.events import Fault, Outcome, Phase
from adapters.http import Answer
from adapters.simulated.carrier.harness import NOBODY
from adapters.vapi.adapter import VapiAdapter, _refused
from tests.support.providers.harness import ProviderHarness, harness_of
from tests.support.providers.vapi import API_KEY, CREDENTIAL, NUMBER_ID, SIGNING_SECRET, VapiProvider, make, other

AGO = timedelta(minutes=1)


@pytest.fixture
async def harness() -> AsyncIterator[ProviderHarness]:
    async with harness_of(VapiProvider(), make) as running:
        yield running


def vapi(harness: ProviderHarness) -> VapiProvider:
    assert isinstance(harness.provider, VapiProvider)
    return harness.provider


async def test_an_order_names_assistant_number_attempt_variables_and_limit(harness: ProviderHarness) -> None:
    call = harness.call("call_1")
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
    assert vapi(harness).calls[ref].order.asked == {
        "name": "call_1",
        "assistantId": "voice",
        "phoneNumberId": NUMBER_ID,
        "customer": {"number": call.to, "externalId": "call_1"},
        "assistantOverrides": {
            "variableValues": {"name": "Ü"},
            "metadata": {"attempt": "call_1", "campaign": "camp_1"},
            "maxDurationSeconds": 60,
            "server": {"url": call.callback_url, "credentialId": CREDENTIAL},
            "serverMessages": ["status-update", "end-of-call-report"],
        },
    }


async def test_without_a_credential_the_assistants_own_server_stays(harness: ProviderHarness) -> None:
    adapter = VapiAdapter("vapi", api_key=API_KEY, signing_secret=SIGNING_SECRET, base_url=vapi(harness).url)
    async with adapter:
        ref = await adapter.place(harness.call("call_1"))
    assert {"server", "serverMessages"}.isdisjoint(vapi(harness).calls[ref].order.asked["assistantOverrides"])


async def test_a_caller_id_that_is_not_configured_is_asked_for_once(harness: ProviderHarness) -> None:
    async with make(vapi(harness).url, 1, numbers={}) as adapter:
        await asyncio.gather(*(adapter.place(harness.call(f"call_{n}")) for n in range(3)))
    assert (vapi(harness).numbers_asked, len(vapi(harness).calls)) == (1, 3)


async def test_a_caller_id_that_vapi_does_not_have_places_nothing(harness: ProviderHarness) -> None:
    call = replace(harness.call("call_1"), caller_id="+4940999999")
    async with make(vapi(harness).url, 1, numbers={}) as adapter:
        for _ in range(2):
            with pytest.raises(Rejected) as raised:
                await adapter.place(call)
    assert (raised.value.fault, raised.value.cause) == (Fault.CONFIG, "unknown_caller_id")
    assert call.caller_id not in str(raised.value)
    assert (vapi(harness).numbers_asked, harness.requests("call_1"), call.departure.begun) == (1, 0, False)


async def test_numbers_that_cannot_be_asked_for_place_nothing(harness: ProviderHarness) -> None:
    async with make(NOBODY, 1, numbers={}) as adapter:
        with pytest.raises(Unavailable):
            await adapter.place(harness.call("call_1"))
        with pytest.raises(TooLate):
            await adapter.place(replace(harness.call("call_2"), start_before=time.monotonic() - 1))


async def test_a_call_whose_answer_was_lost_is_found_among_many_others_and_not_placed_again(harness: ProviderHarness) -> None:
    now = datetime.now(UTC)
    vapi(harness).others = [other(f"other-{n}", now.timestamp() - 50 + n / 5) for n in range(250)]
    await harness.act(Act.HANG_AFTER)
    call = harness.call("call_1")
    async with harness.adapter() as adapter:
        with pytest.raises(Ambiguous):
            await adapter.place(call)
        sighting = await adapter.find("call_1", call.to, None, now - AGO)
        assert isinstance(sighting, Live | Over)
        assert [placed.ref for placed in vapi(harness).of("call_1")] == [sighting.ref]
        assert isinstance(await adapter.find("call_2", call.to, None, now - AGO), Absent)
    assert (harness.requests("call_1"), vapi(harness).searches > 12) == (1, True)


async def test_a_crowd_in_one_moment_cannot_be_searched(harness: ProviderHarness) -> None:
    now = datetime.now(UTC)
    vapi(harness).others = [other(f"other-{n}", now.timestamp()) for n in range(20)]
    async with harness.adapter() as adapter:
        assert isinstance(await adapter.find("call_1", "", None, now - AGO), Unsure)


async def test_a_call_that_waits_for_a_slot_is_deleted_and_never_rings(harness: ProviderHarness) -> None:
    vapi(harness).slots = asyncio.Semaphore(0)
    call, since = harness.call("call_1"), datetime.now(UTC) - AGO
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
        assert await adapter.find("call_1", call.to, ref, since) == Live(ref, answered=False)
        await adapter.hang_up("call_1", None)
        told = await harness.events(adapter, "call_1", Phase.ENDED)
        over = await adapter.find("call_1", call.to, ref, since)
    assert {(event.phase, event.outcome) for event in told} == {(Phase.ENDED, Outcome.CANCELLED)}
    assert isinstance(over, Over) and [event.outcome for event in over.events] == [Outcome.CANCELLED]


async def test_a_call_of_no_known_id_is_hung_up_though_many_others_were_made(harness: ProviderHarness) -> None:
    now = datetime.now(UTC).timestamp()
    vapi(harness).others = [other(f"other-{n}", now - 3 * n) for n in range(30)]
    await harness.act(Act.TALK_ON)
    async with harness.adapter() as adapter:
        await adapter.place(harness.call("call_1"))
        await harness.events(adapter, "call_1", Phase.ANSWERED)
        await adapter.hang_up("call_1", None)
        await harness.events(adapter, "call_1", Phase.ENDED)


async def test_a_phone_that_rings_is_hung_up_though_the_control_address_refuses(harness: ProviderHarness) -> None:
    await harness.act(Act.TALK_ON)
    async with harness.adapter() as adapter:
        ref = await adapter.place(harness.call("call_1"))
        await harness.events(adapter, "call_1", Phase.RINGING)
        await adapter.hang_up("call_1", ref)
        end = next(event for event in await harness.events(adapter, "call_1", Phase.ENDED) if event.phase is Phase.ENDED)
    assert end.outcome is Outcome.CANCELLED


async def test_the_result_comes_with_the_report_and_is_the_look_ups_too(harness: ProviderHarness) -> None:
    call = harness.call("call_1")
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
        told = await harness.events(adapter, "call_1", Phase.RESULT)
        over = await adapter.find("call_1", call.to, ref, datetime.now(UTC) - AGO)
    assert isinstance(over, Over)
    (result,) = (event for event in over.events if event.phase is Phase.RESULT)
    assert result in told
    assert result.data["extracted"] == {"size": 3, "interested": True} and result.data["cost"]["amount"] == 0.12


@pytest.mark.parametrize(
    ("status", "body", "kind", "fault"),
    [
        (400, b'{"message": "Couldn\'t find assistant."}', Rejected, Fault.CONFIG),
        (400, b'{"message": ["phoneNumberId must be a UUID"]}', Rejected, Fault.CONFIG),
        (400, b'{"message": ["assistantOverrides.variableValues must be an object"]}', Rejected, Fault.REQUEST),
        (400, b'{"message": null}', Rejected, Fault.REQUEST),
        (400, b"[]", Rejected, Fault.REQUEST),
        (402, b'{"message": "Payment Required"}', Rejected, Fault.CONFIG),
        (400, b'{"message": "no slot", "subscriptionLimits": {"concurrencyBlocked": true}}', RateLimited, None),
        (429, b"{}", RateLimited, None),
        (503, b'{"message": "assistant"}', Ambiguous, None),
    ],
)
def test_refusals_are_read(status: int, body: bytes, kind: type, fault: Fault | None) -> None:
    error = _refused(Answer(status, {}, body))
    assert type(error) is kind and getattr(error, "fault", None) is fault
