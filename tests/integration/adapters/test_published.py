"""What an adapter sends is what the provider publishes: each request of each adapter against the provider's own SDK or schema."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import adapters
from adapters.asterisk.order import Stasis
from adapters.base import TelephonyAdapter
from adapters.conformance import Act
from adapters.elevenlabs.adapter import ElevenLabsAdapter
from adapters.errors import AdapterError, PlaceError
from adapters.retell.adapter import RetellAdapter
from adapters.telnyx.adapter import TelnyxAdapter
from adapters.twilio.detection import Detection
from adapters.twilio.voice import Voice
from adapters.vapi.adapter import VapiAdapter
from tests.support.carrier import eventually
from tests.support.providers import asterisk, elevenlabs, livekit, retell, telnyx, twilio, vapi
from tests.support.providers.base import FakeProvider, Seen
from tests.support.providers.harness import harness_of
from tests.support.published import told, twiml
from tests.support.published.providers import PUBLISHED, is_form, of_form

Make = Callable[[str], TelephonyAdapter]
README = Path(adapters.__file__).with_name("README.md")
GONE = object()
"""In place of a value: the key is left out."""
CALLEES = b"49301234"
"""How the numbers of the harness begin, which only a placement holds."""
BODIES_ONLY = frozenset({"livekit", "asterisk"})
"""Kinds of which no query is looked at: one has none, and of the other's no text was at hand."""


@dataclass(frozen=True)
class Sent:
    """How an adapter is made to send all that it ever sends: `ways` it can be configured, and what is `wrong` with a placement of
    the first way: where in the body, and what stands there instead. `waits` keeps the next calls from ringing, where a call that
    waits is ended otherwise than one that is up."""

    fake: Callable[[], FakeProvider]
    ways: Sequence[Make]
    wrong: Sequence[tuple[tuple[str, ...], object]]
    waits: Callable[[FakeProvider, bool], None] = lambda fake, waiting: None
    is_up: Callable[[FakeProvider], bool] = lambda fake: list(fake.calls.values())[-1].answered


def _telnyx(url: str, **options: Any) -> TelnyxAdapter:
    return TelnyxAdapter(
        "telnyx", api_key=telnyx.API_KEY, public_key=telnyx.PUBLIC_KEY, connection_id=telnyx.CONNECTION, base_url=url, **options
    )


def _sip_trunk(url: str) -> ElevenLabsAdapter:
    return ElevenLabsAdapter(
        "elevenlabs",
        api_key=elevenlabs.API_KEY,
        signing_secret=elevenlabs.SIGNING_SECRET,
        base_url=url,
        numbers={elevenlabs.CALLER_ID: elevenlabs.SIP_NUMBER_ID},
        telephony="sip_trunk",
    )


def _all_slots_are_taken(fake: FakeProvider, taken: bool) -> None:
    assert isinstance(fake, vapi.VapiProvider)
    fake.slots = asyncio.Semaphore(0 if taken else 10)


def _voice_is_connected(fake: FakeProvider) -> bool:
    assert isinstance(fake, asterisk.FakeAsterisk)
    newest = list(fake.calls.values())[-1]
    return newest.answered and ("app" not in newest.order.asked or any(len(members) == 2 for members in fake.bridges.values()))


SENT: Mapping[str, Sent] = {
    "twilio": Sent(
        twilio.TwilioProvider,
        [
            lambda url: twilio.make(url, 5, detection=Detection("detect_message_end", 20)),
            lambda url: twilio.make(url, 5, voice=Voice("sip", "sip:{voice}@example.com")),
            lambda url: twilio.make(url, 5, voice=Voice("url", "https://voice.example/{voice}")),
        ],
        [(("Timeuot",), "20"), (("TimeLimit",), "soon"), (("To",), GONE), (("MachineDetectionTimeout",), "20.5")],
    ),
    "telnyx": Sent(
        telnyx.TelnyxProvider,
        [
            lambda url: _telnyx(url, stream_url="wss://voice.example/", stream_track="both_tracks", detection="premium"),
            _telnyx,
        ],
        [(("time_limit",), 60), (("timeout_secs",), "20"), (("stream_track",), "both"), (("connection_id",), GONE)],
    ),
    "vapi": Sent(
        vapi.VapiProvider,
        [
            lambda url: vapi.make(url, 5),
            lambda url: VapiAdapter("vapi", api_key=vapi.API_KEY, signing_secret=vapi.SIGNING_SECRET, base_url=url),
        ],
        [
            (("number",), "+49"),
            (("customer", "number"), 49),
            (("assistantOverrides", "maxDuration"), 60),
            (("assistantOverrides", "serverMessages"), ["status"]),
            (("assistantOverrides", "server", "credential"), "credential-1"),
        ],
        waits=_all_slots_are_taken,
    ),
    "retell": Sent(
        retell.RetellProvider,
        [
            lambda url: retell.make(url, 5),
            lambda url: RetellAdapter("retell", api_key=retell.API_KEY, base_url=url, own_webhook=True),
        ],
        [
            (("agent_override", "agent", "ring_duration"), 20_000),
            (("agent_override", "agent", "ring_duration_ms"), 0.5),
            (("agent_override", "agent", "webhook_events"), ["call_over"]),
            (("retell_llm_dynamic_variables", "first_name"), 3),
            (("to_number",), GONE),
        ],
    ),
    "elevenlabs": Sent(
        elevenlabs.ElevenLabsProvider,
        [lambda url: elevenlabs.make(url, 5), lambda url: elevenlabs.make(url, 5, numbers={}), _sip_trunk],
        [
            (("telephony_call_config", "ringing_timeout"), 20),
            (("telephony_call_config", "ringing_timeout_secs"), "20"),
            (("conversation_initiation_client_data", "user"), "call_1"),
            (("agent_id",), GONE),
        ],
    ),
    "livekit": Sent(
        livekit.LiveKitProvider,
        [lambda url: livekit.make(url, 5, look=0.02)],
        [(("wait_until_answer",), True), (("ringing_timeout",), "20"), (("sip_number",), 49), (("max_call_duration",), 60)],
    ),
    "asterisk": Sent(
        asterisk.FakeAsterisk,
        [lambda url: asterisk.make(url, 5), lambda url: asterisk.make(url, 5, route=Stasis("dialer", "", "ulaw"))],
        [(("callerid",), "+49"), (("timeout",), "20"), (("endpoint",), GONE), (("variables", "DIALER_LIMIT"), 60)],
        is_up=_voice_is_connected,
    ),
}


async def _all_that_is_sent(sent: Sent) -> list[Seen]:
    """Placements, look-ups, hang-ups by attempt and by id, and the question for health, in each way."""
    seen: list[Seen] = []
    for make in sent.ways:
        async with harness_of(sent.fake(), lambda url, _timeout, make=make: make(url), voice="assistant-1") as harness:  # type: ignore[misc]
            fake = harness.provider
            assert isinstance(fake, FakeProvider)
            await harness.act(Act.TALK_ON)
            since = datetime.now(UTC) - timedelta(minutes=1)
            async with harness.adapter() as adapter:
                for attempt, waits in (("call_1", True), ("call_2", False)):
                    sent.waits(fake, waits)
                    call = replace(
                        harness.call(attempt),
                        ring=45,
                        limit=300,
                        labels={"campaign": "camp_1", "team": "team_1"},
                        variables={"first_name": 'Zoë "the" <&> 陈', "size": 3, "last_name": None, "premium": True},
                    )
                    ref = await adapter.place(call)
                    if not waits:
                        await eventually(partial(sent.is_up, fake))
                    await adapter.find(attempt, call.to, ref, since)
                    await adapter.find(attempt, call.to, None, since)
                    for known in (None, ref) if waits else (ref,):
                        with suppress(AdapterError):  # not every call can be ended, nor every one by its attempt
                            await adapter.hang_up(attempt, known)
                await adapter.health()
            seen += fake.seen
    return seen


@pytest.mark.parametrize("kind", SENT)
async def test_every_request_is_one_that_the_provider_publishes(kind: str) -> None:
    published = PUBLISHED[kind]
    seen = await _all_that_is_sent(SENT[kind])
    faults = {(each.path, fault) for each in seen for fault in published.faults(each)}
    assert {(path, fault) for path, fault in faults if fault not in published.exempt} == set()
    assert {fault for _, fault in faults} == set(published.exempt), "an exemption that nothing needs"
    named = [each if isinstance(each, str) else each.name for each in published.operations()]
    assert {published.named(each) for each in seen} - {""} == set(named), "what is published and never sent proves nothing"


@pytest.mark.parametrize("sdk", ["twilio", "telnyx", "vapi-server-sdk", "retell-sdk", "elevenlabs", "livekit-protocol"])
def test_the_readme_names_the_version_that_is_checked_against(sdk: str) -> None:
    assert f"`{sdk}` {version(sdk)}" in README.read_text("utf-8")


@pytest.mark.parametrize("kind", SENT)
async def test_what_the_provider_does_not_publish_is_refused(kind: str) -> None:
    published, sent = PUBLISHED[kind], SENT[kind]
    seen = await _all_that_is_sent(replace(sent, ways=sent.ways[:1]))
    placement = next(each for each in seen if CALLEES in each.body)
    assert not published.faults(placement)
    for where, instead in sent.wrong:
        assert published.faults(_changed(placement, where, instead)), (where, instead)
    assert published.faults(replace(placement, path=f"{placement.path}/more"))
    if kind not in BODIES_ONLY:
        for each in seen:
            assert published.faults(replace(each, query=f"{each.query}&surprise=1")), each.path


def _changed(seen: Seen, where: tuple[str, ...], instead: object) -> Seen:
    """The request with another value there, a new key with it, or without the key."""
    body = of_form(seen.body) if is_form(seen) else json.loads(seen.body)
    inside = body
    for name in where[:-1]:
        inside = inside[name]
    if instead is GONE:
        del inside[where[-1]]
    else:
        inside[where[-1]] = instead
    return replace(seen, body=(urlencode(body, doseq=True) if is_form(seen) else json.dumps(body)).encode())


async def test_twiml_is_what_twilios_own_classes_write() -> None:
    seen = await _all_that_is_sent(SENT["twilio"])
    written = {of_form(each.body)["Twiml"] for each in seen if b"Twiml=" in each.body}
    assert {text.split(">")[1] for text in written} == {"<Connect", '<Dial callerId="+493011111"'}
    for text in written:
        assert twiml.faults(text) == []
        for right, wrong in (
            ("<Parameter name", "<Parameter nom"),
            ("Stream", "Streem"),
            ("callerId", "callerID"),
            ("Sip", "Sips"),
        ):
            assert right not in text or twiml.faults(text.replace(right, wrong)), wrong


TOLD: Mapping[str, tuple[str, str]] = {
    "telnyx": ('"hangup_cause": "', '"hangup_cause": "no_'),
    "vapi": ('"endedReason": "', '"endedReason": "no-'),
    "retell": ('"disconnection_reason": "', '"disconnection_reason": "no_'),
    "elevenlabs": ('"call_result": "', '"call_result": "no_'),
    "livekit": ('"disconnectReason": "', '"disconnectReason": "NO_'),
}
"""Kinds whose SDK has models of callbacks, and how a callback becomes one that nobody sends."""


@pytest.mark.parametrize("kind", TOLD)
async def test_what_our_fakes_tell_is_what_the_provider_tells(kind: str) -> None:
    bodies: list[bytes] = []
    for act in (Act.HUMAN, Act.MACHINE, Act.BUSY, Act.NO_ANSWER, Act.INVALID):
        make = SENT[kind].ways[0]
        async with harness_of(SENT[kind].fake(), lambda url, _timeout, make=make: make(url), voice="assistant-1") as harness:  # type: ignore[misc]
            await harness.act(act)
            async with harness.adapter() as adapter:
                with suppress(PlaceError):  # a call that failed at once, where the answer to the placement says so
                    await adapter.place(harness.call("call_1"))
                await harness.provider.lived()
            bodies += [body for _, _, body in harness.provider.told]
    assert bodies and [fault for body in bodies for fault in told.faults(kind, json.loads(body))] == []
    right, wrong = TOLD[kind]
    ends = [body.decode() for body in bodies if right in body.decode()]
    assert ends and all(told.faults(kind, json.loads(body.replace(right, wrong))) for body in ends)
