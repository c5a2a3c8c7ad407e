"""Which callbacks are Twilio's: against its own published example, and forged in every way."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Hook, Reply
from adapters.errors import Forged
from adapters.twilio import signed
from tests.support.providers.twilio import TOKEN, make

NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
URL = "https://dialer.example/hooks/main?attempt=call_1"
TOLD = {"CallSid": "CA1", "CallStatus": "ringing", "Timestamp": "Tue, 01 Sep 2026 10:00:00 +0000", "Empty": ""}
FORM = "application/x-www-form-urlencoded"


def hook(told: dict[str, str], *, url: str = URL, signed_as: str = "", token: str = TOKEN) -> Hook:
    signature = signed.sign(token, signed_as or url, {name: [value] for name, value in told.items()})
    return Hook("POST", url, {signed.SIGNATURE: signature, "content-type": FORM}, urlencode(told).encode(), NOW)


def json_hook(body: bytes, *, digest: str = "", token: str = TOKEN) -> Hook:
    url = f"{URL}&bodySHA256={digest or hashlib.sha256(body).hexdigest()}"
    return Hook("POST", url, {signed.SIGNATURE: signed.sign(token, url, {}), "content-type": "application/json"}, body, NOW)


def test_the_signature_is_that_of_twilios_own_example() -> None:
    form = {
        "CallSid": ["CA1234567890ABCDE"],
        "Digits": ["1234"],
        "From": ["+14158675309"],
        "To": ["+18005551212"],
        "Caller": ["+14158675309"],
    }
    assert signed.sign("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=10), max_size=5))
def test_what_twilio_signed_is_believed_and_read(told: dict[str, str]) -> None:
    assert signed.fields(TOKEN, hook(told)) == told


@given(st.text(max_size=30))
def test_anything_else_is_forged(signature: str) -> None:
    good = hook(TOLD)
    for forged in (
        hook(TOLD, token="another"),
        hook(TOLD, signed_as="https://dialer.example/hooks/main?attempt=call_2"),
        hook(TOLD, signed_as="https://elsewhere.example/hooks/main?attempt=call_1"),
        replace(good, headers={}),
        replace(good, headers={signed.SIGNATURE: signature}),
        replace(good, body=b""),
        replace(good, body=urlencode(TOLD | {"CallStatus": "busy"}).encode()),
        replace(good, body=good.body + b"&AnsweredBy=human"),
        replace(good, body=json.dumps(TOLD).encode()),
        replace(good, url=good.url + "&about=detection"),
        replace(good, url=f"{good.url}&bodySHA256={hashlib.sha256(good.body).hexdigest()}"),
        replace(good, body=b"&".join(b"a=%d" % number for number in range(signed.MOST_FIELDS + 1))),
    ):
        with pytest.raises(Forged):
            signed.fields(TOKEN, forged)
    with pytest.raises(Forged):
        signed.fields("", hook(TOLD))


@pytest.mark.parametrize(
    ("public", "written"),
    [
        ("https://d.example/h", "https://d.example:443/h"),
        ("https://d.example:8443/h", "https://d.example/h"),
        ("https://d.example:8443/h", "https://d.example:8443/h"),
        ("http://d.example/h", "http://d.example:80/h"),
        ("http://[::1]:81/h", "http://[::1]/h"),
        ("https://d.example/h", "https://d.example/h" + signed.OVERRIDES),
    ],
)
def test_the_address_may_be_written_in_twilios_ways(public: str, written: str) -> None:
    assert signed.fields(TOKEN, hook(TOLD, url=public, signed_as=written)) == TOLD


def test_a_body_that_is_no_form_is_signed_by_its_hash() -> None:
    body = json.dumps({**TOLD, "Nested": {"a": 1}}).encode()
    assert signed.fields(TOKEN, json_hook(body)) == TOLD
    for forged in (
        replace(json_hook(body), body=body + b" "),
        replace(json_hook(body), body=b""),
        json_hook(body, token="another"),
        json_hook(body, digest="0" * 64),
        json_hook(body, digest="ü"),
    ):
        with pytest.raises(Forged):
            signed.fields(TOKEN, forged)


@pytest.mark.parametrize("good", [hook(TOLD), json_hook(json.dumps(TOLD).encode())])
def test_a_replay_is_the_same_fact_again(good: Hook) -> None:
    adapter = make("http://127.0.0.1:9", 1.0)
    events, reply = adapter.receive(good)
    assert [event.key for event in events] == ["CA1:ringing"] and events[0].attempt == "call_1"
    assert reply == Reply()
    assert adapter.receive(good) == (events, reply)


def test_a_call_that_is_not_ours_is_heard_and_passed_over() -> None:
    assert make("http://127.0.0.1:9", 1.0).receive(hook(TOLD, url="https://dialer.example/hooks/main")) == ([], Reply())


@pytest.mark.parametrize("unreadable", [hook({"CallSid": "CA1"}), json_hook(b"[]"), json_hook(b"no"), json_hook(b"\xff")])
def test_a_signed_callback_that_cannot_be_read_is_answered_400(unreadable: Hook) -> None:
    events, reply = make("http://127.0.0.1:9", 1.0).receive(unreadable)
    assert (events, reply.status) == ([], 400)
