"""ElevenLabs' conversations, webhooks and signature."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import registry
from adapters.base import Hook
from adapters.elevenlabs import translate
from adapters.elevenlabs.adapter import ElevenLabsAdapter
from adapters.errors import Forged
from adapters.events import CallEvent, Fault, Outcome, Phase

SECRET = "secret"
AUDIO = "https://api.example/{}/audio"
NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
THEN = NOW - timedelta(seconds=30)
TURNS = [{"role": "agent", "message": "Hello"}, {"role": "user", "message": "Tomorrow!"}, {"role": "agent", "message": None}]
METADATA: dict[str, Any] = {
    "start_time_unix_secs": THEN.timestamp(),
    "call_duration_secs": 30,
    "cost_fiat": 0.12,
    "phone_call": {"call_result": "answered"},
}
CONVERSATION: dict[str, Any] = {
    "conversation_id": "ref-1",
    "user_id": "call_1",
    "status": "done",
    "transcript": TURNS,
    "metadata": METADATA,
    "has_audio": True,
    "analysis": {
        "transcript_summary": "They talked.",
        "call_successful": "failure",
        "data_collection_results": {"callback_at": {"value": "2026-09-02T10:00:00+02:00"}, "do_not_call": {"value": True}},
    },
}

HUMAN = (Outcome.HUMAN, Fault.NONE)
MACHINE = (Outcome.MACHINE, Fault.CALLEE)
BUSY = (Outcome.BUSY, Fault.CALLEE)
NO_ANSWER = (Outcome.NO_ANSWER, Fault.CALLEE)
FAILED_DIALOGUE = (Outcome.HUMAN, Fault.CALLEE)
TRUNK = (Outcome.UNREACHABLE, Fault.TRUNK)


def hook(body: bytes, *, at: datetime = NOW, secret: str = SECRET) -> Hook:
    headers = {translate.SIGNATURE: translate.sign(secret, f"{at.timestamp():.0f}", body)}
    return Hook("POST", "https://dialer.example/hooks/elevenlabs", headers, body, NOW)


def read(kind: str, data: object) -> list[CallEvent]:
    return translate.read(json.dumps({"type": kind, "event_timestamp": NOW.timestamp(), "data": data}).encode(), AUDIO)


def ended(status: str, word: str | None, **metadata: Any) -> tuple[Outcome | None, Fault | None]:
    conversation = CONVERSATION | {"status": status, "metadata": METADATA | {"phone_call": {"call_result": word}} | metadata}
    end = next(each for each in translate.events_of(conversation, AUDIO) if each.phase is Phase.ENDED)
    return end.outcome, end.fault


@pytest.mark.parametrize(
    ("status", "word", "expected"),
    [
        ("done", "answered", HUMAN),
        ("done", None, HUMAN),
        ("processing", "answered", HUMAN),
        ("done", "voicemail", MACHINE),
        ("done", "a-word-of-next-year", FAILED_DIALOGUE),
        ("failed", "answered", FAILED_DIALOGUE),
        ("failed", "busy", BUSY),
        ("failed", "no_answer", NO_ANSWER),
        ("failed", "failed", FAILED_DIALOGUE),
        ("failed", None, FAILED_DIALOGUE),
    ],
)
def test_a_conversation_that_is_over_is_judged(status: str, word: str | None, expected: tuple[Outcome, Fault]) -> None:
    assert ended(status, word) == expected


@pytest.mark.parametrize("word", ["failed", "a-word-of-next-year", None])
def test_a_call_that_nobody_took_failed_by_the_trunk(word: str | None) -> None:
    silent = CONVERSATION | {"status": "failed", "transcript": [], "metadata": METADATA | {"call_duration_secs": 0}}
    (end,) = translate.events_of(silent | {"metadata": silent["metadata"] | {"phone_call": {"call_result": word}}}, AUDIO)
    assert (end.outcome, end.fault) == TRUNK


@pytest.mark.parametrize(
    ("status", "seconds", "left_over"), [("initiated", 29, False), ("initiated", 30, True), ("done", 99, False)]
)
def test_no_phone_rings_for_ever(status: str, seconds: int, left_over: bool) -> None:
    conversation = CONVERSATION | {"status": status}
    assert translate.is_left_over(conversation, THEN + timedelta(seconds=seconds), 30) is left_over
    assert not translate.is_left_over(conversation, None, 30)


def test_a_voicemail_that_only_the_agent_recognised_is_one() -> None:
    assert ended("done", "answered", termination_reason="Voicemail_detection tool was called") == MACHINE


@given(st.sampled_from(["done", "failed", "processing"]), st.none() | st.text(), st.text())
def test_no_word_of_a_conversation_ends_a_number(status: str, word: str | None, reason: str) -> None:
    assert ended(status, word, termination_reason=reason)[1] is not Fault.NUMBER


@pytest.mark.parametrize(
    ("reason", "body", "expected"),
    [
        ("busy", {}, BUSY),
        ("no-answer", {}, NO_ANSWER),
        ("unknown", {"CallStatus": "busy"}, BUSY),
        ("unknown", {"CallStatus": "failed", "SipResponseCode": "404"}, (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        ("unknown", {"sip_status_code": 486}, BUSY),
        ("unknown", {"sip_status_code": 503}, TRUNK),
        ("unknown", {"SipResponseCode": "²"}, TRUNK),
        ("unknown", {}, TRUNK),
        ("a-word-of-next-year", None, TRUNK),
    ],
)
def test_a_failure_that_says_whose_it_is_is_an_end(reason: str, body: object, expected: tuple[Outcome, Fault]) -> None:
    told = {"conversation_id": "ref-1", "failure_reason": reason, "metadata": {"type": "twilio", "body": body}}
    (end,) = read("call_initiation_failure", told | {"user_id": "call_1"})
    assert end == CallEvent(Phase.ENDED, NOW, "call_1", "ref-1", "ref-1:ended", *expected, cause=reason)
    assert read("call_initiation_failure", told) == [replace(end, attempt="")], "whose it is the ledger knows by its reference"


@pytest.mark.parametrize("kind", ["call_initiation_failure", "post_call_transcription"])
def test_what_cannot_be_read_and_may_be_none_of_ours_is_passed_over(kind: str) -> None:
    assert read(kind, {"agent_id": "another"}) == []
    with pytest.raises(ValueError, match="cannot be read"):
        read(kind, {"user_id": "call_1"})


def test_a_transcription_is_an_answer_an_end_and_a_result() -> None:
    answered, end, result = read(
        "post_call_transcription", {name: told for name, told in CONVERSATION.items() if name != "status"}
    )
    assert answered == CallEvent(Phase.ANSWERED, THEN, "call_1", "ref-1", "ref-1:answered")
    assert end == CallEvent(Phase.ENDED, NOW, "call_1", "ref-1", "ref-1:ended", Outcome.HUMAN, Fault.NONE, cause="answered")
    assert (result.phase, result.at, result.key) == (Phase.RESULT, NOW, "ref-1:result")
    assert result.data == {
        "transcript": [{"role": "agent", "text": "Hello"}, {"role": "user", "text": "Tomorrow!"}],
        "recording_url": "https://api.example/ref-1/audio",
        "summary": "They talked.",
        "success": False,
        "cost": {"amount": 0.12, "currency": "USD"},
        "extracted": {"callback_at": "2026-09-02T10:00:00+02:00", "do_not_call": True},
        "callback_at": "2026-09-02T10:00:00+02:00",
        "do_not_call": True,
    }
    assert list(translate.events_of(CONVERSATION, AUDIO)) == [answered, end, result]
    assert list(translate.events_of(CONVERSATION | {"status": "processing"}, AUDIO)) == [answered, end]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("post_call_audio", CONVERSATION),
        ("answering_machine_detection", {}),
    ],
)
def test_what_is_none_of_our_business_is_no_event(kind: str, data: object) -> None:
    assert read(kind, data) == []


def test_a_transcription_that_does_not_say_whose_it_is_names_the_conversation() -> None:
    told = read("post_call_transcription", CONVERSATION | {"user_id": None})
    assert [(each.phase, each.attempt, each.ref) for each in told] == [
        (phase, "", "ref-1") for phase in (Phase.ANSWERED, Phase.ENDED, Phase.RESULT)
    ]


def test_an_attempt_is_known_by_its_variable_too() -> None:
    variables = {"dynamic_variables": {"attempt": "call_2"}}
    assert translate.attempt_of({"conversation_initiation_client_data": variables}) == "call_2"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"\xff", b'{"type": "post_call_transcription", "data": null}']
    + [
        json.dumps({"type": "post_call_transcription", "data": CONVERSATION | {"metadata": odd}}).encode()
        for odd in (None, {}, {"start_time_unix_secs": "noon"}, {"start_time_unix_secs": 1e300})
    ],
)
def test_a_signed_webhook_that_cannot_be_read_is_answered_400(body: bytes) -> None:
    events, reply = ElevenLabsAdapter("elevenlabs", api_key="k", signing_secret=SECRET).receive(hook(body))
    assert (events, reply.status) == ([], 400)


@given(st.binary(max_size=200), st.integers(-1799, 1799))
def test_what_was_signed_within_thirty_minutes_is_believed(body: bytes, seconds: int) -> None:
    translate.verify(SECRET, hook(body, at=NOW + timedelta(seconds=seconds)))


@given(st.binary(max_size=50), st.binary(max_size=50), st.text(max_size=80))
def test_anything_else_is_forged(body: bytes, other: bytes, signature: str) -> None:
    good = hook(body)
    signed, seconds = good.headers[translate.SIGNATURE], f"{NOW.timestamp():.0f}"
    forgeries = [
        hook(body, secret="another"),
        hook(body, at=NOW - timedelta(seconds=1801)),
        hook(body, at=NOW + timedelta(seconds=1801)),
        replace(good, headers={}),
        *(
            replace(good, headers={translate.SIGNATURE: odd})
            for odd in (signature, f"t={seconds},v0={signature}", f"t={seconds}")
        ),
        replace(good, headers={translate.SIGNATURE: signed.replace(seconds, f"{NOW.timestamp() + 1:.0f}")}),
    ]
    forgeries += [replace(good, body=other)] * (other != body)
    for forged in forgeries:
        with pytest.raises(Forged):
            translate.verify(SECRET, forged)


def test_it_needs_a_key_and_a_secret_and_nothing_else() -> None:
    assert registry.build("trunk", "elevenlabs", {"api_key": "k", "signing_secret": "s"}).capabilities.place_timeout == 10
    with pytest.raises(ValueError, match="api_key: missing") as raised:
        registry.build("trunk", "elevenlabs", {"telephony": "pigeon", "timeout": 0})
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == [
        "api_key",
        "signing_secret",
        "telephony",
        "timeout",
    ]
