"""What is configured and what a placement is made of: whom an answered call is connected to, and the options."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import registry
from adapters.errors import Rejected
from adapters.events import Fault
from adapters.twilio.detection import Detection
from adapters.twilio.voice import LONGEST_PARAMETER, Voice
from tests.support.carrier import call

NUMBER = "+493012345678"
STREAM = Voice("stream", "wss://voice.example/{voice}")
LEGAL = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=40)
OPTIONS = {
    "account_sid": "AC" + "0" * 32,
    "auth_token": "token",
    "target": "wss://voice.example/{voice}",
}


def twiml(voice: Voice, **variables: Any) -> ElementTree.Element:
    ((name, text),) = voice.fields(replace(call("call_1", NUMBER), voice='a/"b', variables=variables))
    assert name == "Twiml"
    return ElementTree.fromstring(text)


@given(first=LEGAL, last=LEGAL)
def test_a_stream_is_told_attempt_assistant_and_variables(first: str, last: str) -> None:
    stream = twiml(STREAM, first=first, last=last, attempt="another", age=7, nothing=None, tags=["a"]).find("Connect/Stream")
    assert stream is not None and stream.get("url") == "wss://voice.example/a%2F%22b"
    told = {each.get("name"): each.get("value") for each in stream}
    assert told == {"attempt": "call_1", "voice": 'a/"b', "first": first, "last": last, "age": "7", "tags": '["a"]'}


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_whatever_a_contact_is_called_the_document_can_be_read(name: str) -> None:
    assert twiml(STREAM, name=name).tag == "Response"


@pytest.mark.parametrize("variables", [{"name": "x" * LONGEST_PARAMETER}, {str(n): "ü" * 400 for n in range(10)}])
def test_what_would_fail_only_when_it_is_answered_is_refused_before(variables: dict[str, str]) -> None:
    with pytest.raises(Rejected) as raised:
        twiml(STREAM, **variables)
    assert (raised.value.fault, raised.value.cause) == (Fault.REQUEST, "twiml_too_long")
    assert "xxx" not in str(raised.value)


def test_a_sip_agent_is_dialled_with_attempt_and_assistant_as_headers() -> None:
    dial = twiml(Voice("sip", "sip:{voice}@agents.example;transport=tls")).find("Dial")
    assert dial is not None and dial.get("callerId") == "+493011111"
    assert dial.findtext("Sip") == "sip:a%2F%22b@agents.example;transport=tls?X-Attempt=call_1&X-Voice=a%2F%22b"


@pytest.mark.parametrize("target", ["https://voice.example/twiml", "https://voice.example/twiml?key=1"])
def test_twiml_of_somebody_else_is_asked_for_with_attempt_and_assistant(target: str) -> None:
    fields = dict(Voice("url", target).fields(call("call_1", NUMBER)))
    assert fields["Method"] == "POST" and fields["Url"].startswith(target)
    query = parse_qs(urlsplit(fields["Url"]).query)
    assert (query["attempt"], query["voice"]) == (["call_1"], ["voice"])


def test_detection_never_makes_anybody_wait() -> None:
    assert Detection().fields("https://d.example") == []
    fields = dict(Detection("detect_message_end", 10).fields("https://d.example"))
    assert fields["AsyncAmd"] == "true" and fields["AsyncAmdStatusCallback"] == "https://d.example"
    assert (fields["MachineDetection"], fields["MachineDetectionTimeout"]) == ("DetectMessageEnd", "10")
    assert dict(Detection("enable").fields(""))["MachineDetection"] == "Enable"


def test_it_is_built_from_its_options() -> None:
    built = registry.build("main", "twilio", OPTIONS)
    assert (built.name, built.capabilities.place_timeout) == ("main", 10) and built.capabilities.voices == {"stream"}
    keyed = OPTIONS | {"api_key_sid": "SK" + "0" * 32, "api_key_secret": "secret", "timeout": "2.5"}
    assert registry.build("main", "twilio", keyed).capabilities.place_timeout == 2.5
    for more in ({"connect": "sip", "target": "sip:{voice}@host"}, {"connect": "url", "target": "https://host/{voice}"}):
        assert registry.build("main", "twilio", OPTIONS | more).capabilities.voices == {more["connect"]}


@pytest.mark.parametrize(
    ("given_", "faulty"),
    [
        ({"account_sid": "SK" + "0" * 32}, "account_sid"),
        ({"auth_token": " "}, "auth_token"),
        ({"api_key_sid": "SK" + "0" * 32}, "api_key_secret"),
        ({"api_key_secret": "secret"}, "api_key_sid"),
        ({"connect": "carrier-pigeon"}, "connect"),
        ({"target": "ws://voice.example"}, "target"),
        ({"connect": "sip"}, "target"),
        ({"connect": "url", "target": "sip:a@b"}, "target"),
        ({"machine_detection": True}, "machine_detection"),
        ({"machine_detection_timeout": 60}, "machine_detection_timeout"),
        ({"base_url": "twilio"}, "base_url"),
        ({"timeout": 61}, "timeout"),
    ],
)
def test_a_fault_names_the_option_and_never_its_value(given_: dict[str, Any], faulty: str) -> None:
    with pytest.raises(ValueError, match=f"^{faulty}: ") as raised:
        registry.build("main", "twilio", OPTIONS | given_)
    assert "\n" not in str(raised.value) and "0000" not in str(raised.value)


def test_nothing_configured_names_all_that_is_required() -> None:
    with pytest.raises(ValueError, match="account_sid") as raised:
        registry.build("main", "twilio", {})
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == ["account_sid", "auth_token", "target"]
