"""What is special to Retell: what is sent, the key that makes a call once, the limit, and the list by attempt id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.base import Absent, Health, Live, Over, Unsure
from adapters.conformance import Act
from adapters.errors import AdapterError, Ambiguous, RateLimited, Rejected
from adapters.events import Fault, Outcome, Phase
from adapters.http import Answer
from adapters.retell.adapter import RetellAdapter, _refused
from tests.support.providers.harness import ProviderHarness, harness_of
from tests.support.providers.retell import API_KEY, CALLER_ID, NO_SLOT, RetellProvider, make

NOW = datetime.now(UTC)


@pytest.fixture
async def harness() -> AsyncIterator[ProviderHarness]:
    async with harness_of(RetellProvider(), make) as running:
        yield running


def retell(harness: ProviderHarness) -> RetellProvider:
    assert isinstance(harness.provider, RetellProvider)
    return harness.provider


async def test_an_order_names_agent_number_attempt_variables_and_times(harness: ProviderHarness) -> None:
    call = replace(harness.call("call_1"), variables={"name": "Ü", "size": 3, "vip": True, "none": None}, ring=600, limit=9000)
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
    assert retell(harness).calls[ref].order.asked == {
        "from_number": CALLER_ID,
        "to_number": call.to,
        "override_agent_id": "voice",
        "agent_override": {
            "agent": {
                "ring_duration_ms": 115_000,
                "max_call_duration_ms": 7_200_000,
                "webhook_url": call.callback_url,
                "webhook_events": ["call_started", "call_ended", "call_analyzed"],
            }
        },
        "metadata": {"campaign": "camp_1", "attempt": "call_1"},
        "retell_llm_dynamic_variables": {"name": "Ü", "size": "3", "vip": "true"},
        "idempotency_key": "call_1",
        "honor_internal_dnc": True,
    }


async def test_the_agents_own_webhook_stays_if_asked_to(harness: ProviderHarness) -> None:
    async with RetellAdapter("retell", api_key=API_KEY, own_webhook=True, base_url=retell(harness).url) as adapter:
        ref = await adapter.place(harness.call("call_1"))
    assert "webhook_url" not in retell(harness).calls[ref].order.asked["agent_override"]["agent"]


async def test_a_call_whose_answer_was_lost_is_found_by_its_attempt_and_not_placed_again(harness: ProviderHarness) -> None:
    await harness.act(Act.HANG_AFTER)
    call = harness.call("call_1")
    async with harness.adapter() as adapter:
        with pytest.raises(Ambiguous):
            await adapter.place(call)
        sighting = await adapter.find("call_1", call.to, None, NOW)
        assert isinstance(sighting, Live | Over)
        assert [placed.ref for placed in retell(harness).of("call_1")] == [sighting.ref]
        assert isinstance(await adapter.find("call_2", call.to, None, NOW), Absent)
    assert harness.requests("call_1") == 1


async def test_even_a_second_placement_would_be_the_same_call(harness: ProviderHarness) -> None:
    call = harness.call("call_1")
    async with harness.adapter() as adapter:
        assert await adapter.place(call) == await adapter.place(call)
    assert len(retell(harness).calls) == 1


async def test_a_list_that_is_not_filtered_says_nothing(harness: ProviderHarness) -> None:
    retell(harness).filters = False
    async with harness.adapter() as adapter:
        await adapter.place(harness.call("call_1"))
        assert isinstance(await adapter.find("call_2", "", None, NOW), Unsure)
        with pytest.raises(AdapterError, match="not asked for"):
            await adapter.hang_up("call_2", None)


async def test_a_call_beyond_the_limit_is_the_trunks_fault(harness: ProviderHarness) -> None:
    retell(harness).limit = 0
    async with harness.adapter() as adapter:
        assert await adapter.health() == Health(True, free=0)
        await adapter.place(harness.call("call_1"))
        told = await harness.events(adapter, "call_1", Phase.ENDED)
    assert {(event.phase, event.cause, event.fault) for event in told if event.phase is Phase.ENDED} == {
        (Phase.ENDED, NO_SLOT, Fault.TRUNK)
    }
    assert Phase.ANSWERED not in {event.phase for event in told}


async def test_a_live_call_of_no_known_id_is_hung_up_and_one_that_is_over_is_left(harness: ProviderHarness) -> None:
    await harness.act(Act.TALK_ON)
    call = harness.call("call_1")
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
        await harness.events(adapter, "call_1", Phase.ANSWERED)
        assert await adapter.find("call_1", call.to, None, NOW) == Live(ref, answered=True)
        await adapter.hang_up("call_1", None)
        told = await harness.events(adapter, "call_1", Phase.ENDED)
        await adapter.hang_up("call_1", ref)
        await adapter.hang_up("call_1", None)
    assert [event.outcome for event in told if event.phase is Phase.ENDED] == [Outcome.ANSWERED]


async def test_a_stop_and_a_result_come_by_callback_and_by_look_up_alike(harness: ProviderHarness) -> None:
    retell(harness).said = "user_requested_dnc"
    call = harness.call("call_1")
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
        await harness.events(adapter, "call_1", Phase.ENDED)
        while len(told := await harness.events(adapter, "call_1", Phase.RESULT)) < 6:  # answered; end, stop; end, stop, result
            await harness._news(len(harness.hooks("call_1")))
        over = await adapter.find("call_1", call.to, ref, NOW)
    assert isinstance(over, Over)
    assert {event.key for event in over.events} == {f"{ref}:ended", f"{ref}:do_not_call", f"{ref}:result"}
    assert all(event in told for event in over.events)
    assert all(event.data["do_not_call"] is True for event in over.events if event.phase is Phase.RESULT)


@pytest.mark.parametrize(
    ("status", "body", "kind", "fault"),
    [
        (422, b'{"message": "Cannot find requested asset under given agent id"}', Rejected, Fault.CONFIG),
        (400, b'{"message": "from_number is not owned"}', Rejected, Fault.CONFIG),
        (400, b'{"message": "contact is marked do_not_call"}', Rejected, Fault.REQUEST),
        (422, b'{"message": "to_number is not valid"}', Rejected, Fault.REQUEST),
        (400, b"[]", Rejected, Fault.REQUEST),
        (402, b'{"message": "pay"}', Rejected, Fault.CONFIG),
        (409, b"{}", Ambiguous, None),
        (429, b"{}", RateLimited, None),
        (500, b'{"message": "agent"}', Ambiguous, None),
    ],
)
def test_refusals_are_read(status: int, body: bytes, kind: type, fault: Fault | None) -> None:
    error = _refused(Answer(status, {}, body))
    assert type(error) is kind and getattr(error, "fault", None) is fault
