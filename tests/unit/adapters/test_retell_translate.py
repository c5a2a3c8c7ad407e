"""Retell's words, webhooks and signature."""

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
from adapters.errors import Forged
from adapters.events import CallEvent, Fault, Outcome, Phase
from adapters.retell import translate
from adapters.retell.adapter import RetellAdapter
from adapters.retell.endings import WORDS, verdict

KEY = "secret"
NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
THEN = NOW - timedelta(seconds=30)
MS = int(NOW.timestamp() * 1000)
CALL: dict[str, Any] = {
    "call_id": "ref-1",
    "metadata": {"attempt": "call_1"},
    "call_status": "ended",
    "disconnection_reason": "user_hangup",
    "start_timestamp": int(THEN.timestamp() * 1000),
    "end_timestamp": MS,
    "duration_ms": 30_000,
    "transcript_object": [
        {"role": "agent", "content": "Hello", "words": []},
        {"role": "user", "content": "Tomorrow!", "words": []},
    ],
}
ANALYSED = CALL | {
    "recording_url": "https://storage.example/1.wav",
    "call_cost": {"combined_cost": 12.5},
    "call_analysis": {
        "call_summary": "They talked.",
        "call_successful": False,
        "in_voicemail": False,
        "custom_analysis_data": {"size": 3, "callback_at": "2026-09-02T10:00:00+02:00"},
    },
}
UNCONNECTED = {"call_id": "ref-1", "metadata": {"attempt": "call_1"}, "call_status": "not_connected"}

HUMAN = (Outcome.HUMAN, Fault.NONE)
MACHINE = (Outcome.MACHINE, Fault.CALLEE)
FAILED_DIALOGUE = (Outcome.HUMAN, Fault.CALLEE)
TRUNK = (Outcome.UNREACHABLE, Fault.TRUNK)
CONFIG = (Outcome.UNREACHABLE, Fault.CONFIG)
BLOCKED = (Outcome.BLOCKED, Fault.CALLEE)


def hook(body: bytes, *, ms: int = MS, key: str = KEY) -> Hook:
    headers = {translate.SIGNATURE: translate.sign(key, str(ms), body)}
    return Hook("POST", "https://dialer.example/hooks/retell", headers, body, NOW)


def read(event: str, call: object, told_at: datetime = NOW) -> list[CallEvent]:
    return translate.read(json.dumps({"event": event, "call": call}).encode(), told_at)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *((word, HUMAN) for word in ("user_hangup", "agent_hangup", "call_transfer", "transfer_bridged", "transfer_cancelled")),
        *((word, HUMAN) for word in ("inactivity", "max_duration_reached", "call_take_over")),
        *((word, HUMAN) for word in ("user_requested_dnc", "user_requested_callback")),
        *((word, MACHINE) for word in ("voicemail_reached", "ivr_reached")),
        ("dial_busy", (Outcome.BUSY, Fault.CALLEE)),
        ("dial_no_answer", (Outcome.NO_ANSWER, Fault.CALLEE)),
        ("user_declined", (Outcome.DECLINED, Fault.CALLEE)),
        ("invalid_destination", (Outcome.INVALID_NUMBER, Fault.CALLEE)),
        *((word, TRUNK) for word in ("dial_failed", "telephony_provider_unavailable", "sip_routing_error", "error_retell")),
        *((word, TRUNK) for word in ("error_unknown", "error_no_audio_received", "error_user_not_joined")),
        *((word, TRUNK) for word in ("registered_call_timeout", "concurrency_limit_reached", "no_concurrency_fallback")),
        *((word, BLOCKED) for word in ("marked_as_spam", "network_blocked")),
        *((word, CONFIG) for word in ("telephony_provider_permission_denied", "no_valid_payment", "credit_exhausted")),
        *((word, CONFIG) for word in ("budget_reached", "scam_detected")),
        *((word, FAILED_DIALOGUE) for word in ("error_llm_websocket_open", "error_llm_websocket_of_next_year", "error_asr")),
        ("manual_stopped", (Outcome.CANCELLED, Fault.NONE)),
        ("a_word_of_next_year", TRUNK),
        ("", TRUNK),
    ],
)
def test_each_word_is_an_outcome_and_a_fault(word: str, expected: tuple[Outcome, Fault]) -> None:
    assert verdict(word, up=False, voicemail=False) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("error_retell", FAILED_DIALOGUE),
        ("error_no_audio_received", FAILED_DIALOGUE),
        ("credit_exhausted", FAILED_DIALOGUE),
        ("manual_stopped", (Outcome.ANSWERED, Fault.NONE)),
        ("a_word_of_next_year", (Outcome.ANSWERED, Fault.NONE)),
        ("user_hangup", HUMAN),
    ],
)
def test_a_call_that_was_up_reached_somebody(word: str, expected: tuple[Outcome, Fault]) -> None:
    assert verdict(word, up=True, voicemail=False) == expected
    assert verdict(word, up=True, voicemail=True) == MACHINE


@given(st.text().filter(lambda word: word not in WORDS), st.booleans(), st.booleans())
def test_a_word_that_is_not_known_never_ends_a_number(word: str, up: bool, voicemail: bool) -> None:
    assert verdict(word, up=up, voicemail=voicemail)[1] is not Fault.NUMBER


@pytest.mark.parametrize(
    ("changes", "up"),
    [
        ({}, True),
        ({"transcript_object": None, "duration_ms": 0}, False),
        ({"transcript_object": None, "duration_ms": 900}, True),
        ({"transcript_object": None, "duration_ms": 900, "call_status": "not_connected"}, False),
        ({"transcript_object": None, "duration_ms": 0, "transcript": "Agent: Hello\nUser: Hi\n"}, True),
    ],
)
def test_whether_a_call_was_up_is_told_by_its_record(changes: dict[str, Any], up: bool) -> None:
    (end,) = read("call_ended", CALL | changes | {"disconnection_reason": "error_unknown"})
    assert (end.outcome, end.fault) == (FAILED_DIALOGUE if up else TRUNK)


def test_a_start_is_an_answer() -> None:
    assert read("call_started", CALL) == [CallEvent(Phase.ANSWERED, THEN, "call_1", "ref-1", "ref-1:answered")]


def test_an_analysis_is_an_end_and_a_result() -> None:
    end, result = read("call_analyzed", ANALYSED)
    assert [end] == read("call_ended", CALL)
    assert end == CallEvent(Phase.ENDED, NOW, "call_1", "ref-1", "ref-1:ended", Outcome.HUMAN, Fault.NONE, cause="user_hangup")
    assert (result.phase, result.at, result.key) == (Phase.RESULT, NOW, "ref-1:result")
    assert result.data == {
        "transcript": [{"role": "agent", "text": "Hello"}, {"role": "user", "text": "Tomorrow!"}],
        "recording_url": "https://storage.example/1.wav",
        "summary": "They talked.",
        "success": False,
        "cost": {"amount": 0.125, "currency": "USD"},
        "extracted": {"size": 3, "callback_at": "2026-09-02T10:00:00+02:00"},
        "callback_at": "2026-09-02T10:00:00+02:00",
    }


def test_whoever_wants_no_more_calls_is_heard_before_the_analysis() -> None:
    end, stop = read("call_ended", CALL | {"disconnection_reason": "user_requested_dnc"})
    assert (end.outcome, end.fault, stop.phase, stop.data) == (*HUMAN, Phase.RESULT, {"do_not_call": True})
    *_, result = read("call_analyzed", ANALYSED | {"disconnection_reason": "user_requested_dnc"})
    assert result.data["do_not_call"] is True and result.key != stop.key


def test_a_voicemail_that_only_the_analysis_recognised_is_one() -> None:
    end, _ = read("call_analyzed", ANALYSED | {"call_analysis": {"in_voicemail": True}})
    assert (end.outcome, end.fault) == MACHINE


def test_a_call_that_never_connected_ends_when_it_was_told() -> None:
    (end,) = read("call_ended", UNCONNECTED | {"disconnection_reason": "dial_busy"}, THEN)
    assert (end.at, end.outcome) == (THEN, Outcome.BUSY)


def test_a_record_has_no_result_before_its_analysis_is_there_or_will_not_come() -> None:
    assert list(translate.events_of(ANALYSED, NOW)) == read("call_analyzed", ANALYSED)
    assert [event.phase for event in translate.events_of(CALL, NOW)] == [Phase.ENDED]
    assert [event.phase for event in translate.events_of(CALL, None)] == [Phase.ENDED]
    assert [event.phase for event in translate.events_of(CALL, NOW + timedelta(minutes=3))] == [Phase.ENDED, Phase.RESULT]


@pytest.mark.parametrize(("event", "call"), [("transcript_updated", CALL), ("call_ended", CALL | {"metadata": None})])
def test_what_is_none_of_our_business_is_no_event(event: str, call: object) -> None:
    assert read(event, call) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"\xff", b'{"event": "call_ended", "call": null}']
    + [json.dumps({"event": "call_ended", "call": CALL | {"end_timestamp": odd}}).encode() for odd in ("noon", 1e300)],
)
def test_a_signed_webhook_that_cannot_be_read_is_answered_400(body: bytes) -> None:
    events, reply = RetellAdapter("retell", api_key=KEY).receive(hook(body))
    assert (events, reply.status) == ([], 400)


@given(st.binary(max_size=200), st.integers(-299_999, 299_999))
def test_what_retell_signed_within_five_minutes_is_believed(body: bytes, off: int) -> None:
    assert translate.verify(KEY, hook(body, ms=MS + off)) == NOW + timedelta(milliseconds=off)


@given(st.binary(max_size=50), st.binary(max_size=50), st.text(max_size=80))
def test_anything_else_is_forged(body: bytes, other: bytes, signature: str) -> None:
    good = hook(body)
    forgeries = [
        hook(body, key="another"),
        hook(body, ms=MS - 301_000),
        hook(body, ms=MS + 301_000),
        replace(good, headers={}),
        *(replace(good, headers={translate.SIGNATURE: odd}) for odd in (signature, f"v={MS},d={signature}", f"v={MS},d=")),
        replace(good, headers={translate.SIGNATURE: good.headers[translate.SIGNATURE].replace(str(MS), str(MS + 1))}),
    ]
    forgeries += [replace(good, body=other)] * (other != body)
    for forged in forgeries:
        with pytest.raises(Forged):
            translate.verify(KEY, forged)


def test_it_needs_a_key_and_nothing_else() -> None:
    assert registry.build("trunk", "retell", {"api_key": "k"}).capabilities.place_timeout == 10
    with pytest.raises(ValueError, match="api_key: missing") as raised:
        registry.build("trunk", "retell", {"own_webhook": 3, "timeout": 0})
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == ["api_key", "own_webhook", "timeout"]
