"""The adapter for any provider over real sockets: what is sent, and what follows when the answer is lost."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from adapters import registry
from adapters.base import Absent, Live, Over, TelephonyAdapter, Unsure
from adapters.conformance import Act
from adapters.errors import AdapterError, Ambiguous, Forged
from adapters.events import Phase
from tests.support.carrier import call, ear
from tests.support.providers.harness import ProviderHarness
from tests.support.providers.webhook import AcmeProvider, harness, options

SINCE = datetime.now(UTC) - timedelta(minutes=1)


@pytest.fixture
async def acme() -> AsyncIterator[ProviderHarness]:
    async with harness() as running:
        yield running


def sent(acme: ProviderHarness, attempt: str) -> Any:
    (placed,) = acme.provider.of(attempt)
    return placed.order.asked


async def test_the_body_sent_is_what_the_template_says_whatever_the_variables_are(acme: ProviderHarness) -> None:
    variables = {"first_name": '","to":"+1900","x":"', "{to}": "{{to}}", "nested": {"a": [1, None]}, "line": "a\r\nX: y"}
    asked = replace(acme.call("call_1"), variables=variables, labels={"campaign": "camp_1"}, limit=61)
    async with acme.adapter() as adapter:
        await adapter.place(asked)
    assert sent(acme, "call_1") == {
        "agent": "voice",
        "to": asked.to,
        "from": asked.caller_id,
        "ring_seconds": 20,
        "max_minutes": 2,
        "expires_at": asked.not_after.isoformat(),
        "events_url": asked.callback_url,
        "metadata": {"attempt": "call_1", "campaign": "camp_1"},
        "dynamic": variables,
        "greeting": "Hello {{first_name}}",
    }


@pytest.mark.parametrize("act", [Act.HANG_AFTER, Act.RESET_AFTER, Act.GARBAGE_AFTER])
async def test_a_call_whose_answer_was_lost_is_looked_up_and_never_placed_twice(acme: ProviderHarness, act: Act) -> None:
    await acme.act(act)
    asked = acme.call("call_1")
    async with acme.adapter() as adapter:
        with pytest.raises(Ambiguous):
            await adapter.place(asked)
        await acme.events(adapter, "call_1", Phase.RESULT)
        found = await adapter.find("call_1", asked.to, None, SINCE)
    (placed,) = acme.provider.of("call_1")
    assert isinstance(found, Over) and found.ref == placed.ref
    assert acme.requests("call_1") == 1


async def test_a_filter_that_the_provider_ignores_never_makes_a_call_absent(acme: ProviderHarness) -> None:
    assert isinstance(acme.provider, AcmeProvider)
    await acme.act(Act.TALK_ON)
    async with acme.adapter() as adapter:
        assert await adapter.find("call_2", "", None, SINCE) == Absent()
        ref = await adapter.place(acme.call("call_1"))
        acme.provider.ignores_filters = True
        assert isinstance(await adapter.find("call_2", "", None, SINCE), Unsure)
        assert isinstance(found := await adapter.find("call_1", "", None, SINCE), Live) and found.ref == ref


async def test_a_call_whose_id_was_lost_is_hung_up_by_what_a_look_up_finds(acme: ProviderHarness) -> None:
    await acme.act(Act.TALK_ON)
    async with acme.adapter() as adapter:
        await adapter.place(acme.call("call_1"))
        await acme.events(adapter, "call_1", Phase.ANSWERED)
        await adapter.hang_up("call_1", None)
        await acme.events(adapter, "call_1", Phase.ENDED)
        await adapter.hang_up("call_1", None)


async def test_without_a_look_up_only_a_call_whose_id_is_known_is_hung_up(acme: ProviderHarness) -> None:
    await acme.act(Act.TALK_ON)
    blind = {key: value for key, value in options(base_url=acme.provider.url).items() if key != "find"}
    async with registry.build("acme", "webhook", blind) as adapter:
        ref = await adapter.place(acme.call("call_1"))
        with pytest.raises(AdapterError, match="the call to hang up is not known"):
            await adapter.hang_up("call_1", None)
        await adapter.hang_up("call_1", ref)
        await acme.events(adapter, "call_1", Phase.ENDED)


async def test_a_provider_that_cannot_be_asked_or_told_says_so() -> None:
    blind = {key: value for key, value in options().items() if key not in {"find", "hang_up"}}
    async with registry.build("acme", "webhook", blind) as adapter:
        assert isinstance(await adapter.find("call_1", "", None, SINCE), Unsure)
        with pytest.raises(AdapterError, match="no hang_up is configured"):
            await adapter.hang_up("call_1", "acme-1")


def plain(url: str) -> TelephonyAdapter:
    """Of a provider that takes and sends forms, and echoes nothing but the address of its callbacks."""
    return registry.build(
        "plain",
        "webhook",
        {
            "base_url": url,
            "username": "me",
            "api_key": "the-key",
            "callback_token": "0123456789abcdef",
            "timeout": 1,
            "outcomes": {"completed": "answered"},
            "place": {
                "path": "/hook?by={attempt}",
                "form": {"To": "{to}", "Event": ["ringing", "ended"], "Url": "{callback_url}", "X[first]": "{variables.x}"},
                "id": "id",
            },
            "callback": {
                "format": "form",
                "phase": "ended",
                "outcome": "Status",
                "attempt_query": "attempt",
                "token": {"query": "token"},
            },
            "hang_up": {"method": "DELETE", "path": "/hook/{attempt}"},
        },
    )


async def test_a_form_is_sent_and_the_callbacks_address_carries_attempt_and_token() -> None:
    async with ear() as provider, plain(provider.url.removesuffix("/hook")) as adapter:
        asked = replace(
            call("call_1", "+493012345", callback_url="https://dialer.example/hooks/plain"), variables={"x": "&To=+1"}
        )
        with pytest.raises(Ambiguous):  # it answers 204, which names no call
            await adapter.place(asked)
        (heard,) = provider.hooks
        url = "https://dialer.example/hooks/plain?attempt=call_1&token=0123456789abcdef"
        assert parse_qsl(heard.body.decode()) == [
            ("To", "+493012345"),
            ("Event", "ringing"),
            ("Event", "ended"),
            ("Url", url),
            ("X[first]", "&To=+1"),
        ]
        assert heard.url.endswith("/hook?by=call_1")
        assert heard.headers["authorization"] == "Basic " + base64.b64encode(b"me:the-key").decode()
        told = replace(heard, url=url, headers={}, body=b"Status=completed")
        (event,), _ = adapter.receive(told)
        assert (event.attempt, event.phase) == ("call_1", Phase.ENDED)
        with pytest.raises(Forged):
            adapter.receive(replace(told, url=url.replace("0123", "1123")))
        with pytest.raises(AdapterError, match="HTTP 404"):
            await adapter.hang_up("call_1", None)
