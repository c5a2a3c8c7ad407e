"""Vapi's words, messages and signature."""

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
from adapters.vapi import translate
from adapters.vapi.adapter import VapiAdapter
from adapters.vapi.endings import WORDS, verdict

SECRET = "secret"
NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
CALL = {
    "id": "ref-1",
    "name": "call_1",
    "customer": {"number": "+4930123456", "externalId": "call_1"},
    "assistantOverrides": {"metadata": {"attempt": "call_1"}},
}
ARTIFACT = {
    "messages": [{"role": "system", "message": "Be polite."}, {"role": "user", "message": "Yes?"}],
    "transcript": "AI: Hello\nUser: Yes?\n",
    "recordingUrl": "https://storage.example/1.wav",
    "structuredOutputs": {"o1": {"name": "callback_at", "result": "2026-09-02T10:00:00+02:00"}, "o2": {"name": "do_not_call"}},
}
REPORT = {
    "type": "end-of-call-report",
    "endedReason": "customer-ended-call",
    "endedAt": "2026-09-01T10:00:00.000Z",
    "call": CALL,
    "artifact": ARTIFACT,
    "analysis": {"summary": "They talked.", "successEvaluation": "false", "structuredData": {"size": 3}},
    "cost": 0.12,
}
SILENCE = {"messages": [{"role": "bot", "message": "Hello"}], "transcript": "AI: Hello\n"}

HUMAN = (Outcome.HUMAN, Fault.NONE)
FAILED_DIALOGUE = (Outcome.HUMAN, Fault.CALLEE)
TRUNK = (Outcome.UNREACHABLE, Fault.TRUNK)
CONFIG = (Outcome.UNREACHABLE, Fault.CONFIG)
CANCELLED = (Outcome.CANCELLED, Fault.NONE)
ERROR = "call.in-progress.error"


def hook(body: bytes, *, timestamp: str | None = None, secret: str = SECRET) -> Hook:
    when = timestamp or f"{NOW.timestamp():.0f}"
    headers = {translate.TIMESTAMP: when, translate.SIGNATURE: translate.sign(secret, when, body)}
    return Hook("POST", "https://dialer.example/hooks/vapi", headers, body, NOW)


def read(message: dict[str, Any]) -> list[CallEvent]:
    return translate.read(json.dumps({"message": message}).encode())


def update(status: str, **more: Any) -> list[CallEvent]:
    return read({"type": "status-update", "status": status, "timestamp": NOW.timestamp() * 1000, "call": CALL, **more})


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("assistant-ended-call", HUMAN),
        ("assistant-ended-call-with-hangup-task", HUMAN),
        ("assistant-said-end-call-phrase", HUMAN),
        ("customer-ended-call", HUMAN),
        ("customer-ended-call-during-transfer", HUMAN),
        ("exceeded-max-duration", HUMAN),
        ("silence-timed-out", HUMAN),
        ("assistant-forwarded-call", HUMAN),
        ("call.in-progress.twilio-completed-call", HUMAN),
        ("call.in-progress.sip-completed-call", HUMAN),
        ("vonage-completed", HUMAN),
        (f"{ERROR}-warm-transfer-silence-timeout", HUMAN),
        ("call.ending.hook-executed-say", HUMAN),
        ("voicemail", (Outcome.MACHINE, Fault.CALLEE)),
        ("customer-busy", (Outcome.BUSY, Fault.CALLEE)),
        ("customer-did-not-answer", (Outcome.NO_ANSWER, Fault.CALLEE)),
        (f"{ERROR}-providerfault-outbound-sip-480-temporarily-unavailable", (Outcome.NO_ANSWER, Fault.CALLEE)),
        ("twilio-reported-customer-misdialed", (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        ("sip-outbound-unallocated-number", (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        ("vonage-rejected", CONFIG),
        (f"{ERROR}-providerfault-outbound-sip-403-forbidden", CONFIG),
        (f"{ERROR}-providerfault-outbound-sip-407-proxy-authentication-required", CONFIG),
        (f"{ERROR}-providerfault-outbound-sip-408-request-timeout", TRUNK),
        (f"{ERROR}-providerfault-outbound-sip-503-service-unavailable", TRUNK),
        (f"{ERROR}-providerfault-outbound-sip-404-not-found", TRUNK),
        ("twilio-failed-to-connect-call", TRUNK),
        ("vonage-failed-to-connect-call", TRUNK),
        ("call.start.error-vapifault-database-error", TRUNK),
        ("call.start.error-subscription-concurrency-limit-reached", TRUNK),
        ("call.start.error-vapi-number-outbound-daily-limit", TRUNK),
        ("call.start.error-subscription-frozen", CONFIG),
        ("call.start.assistant-version-error-validation", CONFIG),
        ("call-start-error-neither-assistant-nor-server-set", CONFIG),
        ("assistant-not-found", CONFIG),
        ("assistant-not-valid", CONFIG),
        ("assistant-request-returned-no-assistant", CONFIG),
        (f"{ERROR}-providerfault-openai-503-server-overloaded-error", FAILED_DIALOGUE),
        (f"{ERROR}-vapifault-deepgram-transcriber-failed", FAILED_DIALOGUE),
        (f"{ERROR}-providerfault-eleven-labs-voice-failed", FAILED_DIALOGUE),
        (f"{ERROR}-pipeline-no-available-llm-model", FAILED_DIALOGUE),
        ("pipeline-error-openai-llm-failed", FAILED_DIALOGUE),
        ("manually-canceled", CANCELLED),
        ("scheduled-call-deleted", CANCELLED),
        ("call-deleted", CANCELLED),
    ],
)
def test_a_word_that_tells_all(word: str, expected: tuple[Outcome, Fault]) -> None:
    assert verdict(word, None) == verdict(word, False) == expected


@pytest.mark.parametrize(
    ("word", "spoken_to"),
    [
        (f"{ERROR}-sip-outbound-call-failed-to-connect", FAILED_DIALOGUE),
        ("sip-outbound-carrier-released-call", FAILED_DIALOGUE),
        (f"{ERROR}-providerfault-transport-never-connected", FAILED_DIALOGUE),
        (f"{ERROR}-vapifault-worker-died", FAILED_DIALOGUE),
        ("worker-shutdown", FAILED_DIALOGUE),
        ("phone-call-provider-closed-websocket", FAILED_DIALOGUE),
        ("vonage-disconnected", (Outcome.ANSWERED, Fault.NONE)),
        ("a-word-of-next-year", (Outcome.ANSWERED, Fault.NONE)),
        ("", (Outcome.ANSWERED, Fault.NONE)),
    ],
)
def test_a_word_that_leaves_open_whether_somebody_picked_up(word: str, spoken_to: tuple[Outcome, Fault]) -> None:
    assert (verdict(word, None), verdict(word, False), verdict(word, True)) == (None, TRUNK, spoken_to)


def test_whoever_was_spoken_to_before_we_hung_up_was_reached() -> None:
    assert verdict("manually-canceled", True) == (Outcome.ANSWERED, Fault.NONE)


PARTS = ["call", ".", "in-progress", "error", "-", "sip", "outbound", "404", "604", "invalid", "number", "customer"]


@given(
    (st.text() | st.lists(st.sampled_from(PARTS)).map("-".join)).filter(lambda word: word not in WORDS),
    st.none() | st.booleans(),
)
def test_a_word_that_is_not_known_never_ends_a_number(word: str, spoke: bool | None) -> None:
    judged = verdict(word, spoke)
    assert judged is None or judged[1] is not Fault.NUMBER


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("scheduled", Phase.QUEUED),
        ("queued", Phase.QUEUED),
        ("ringing", Phase.RINGING),
        ("in-progress", Phase.ANSWERED),
        ("forwarding", Phase.ANSWERED),
    ],
)
def test_a_status_is_a_phase(status: str, phase: Phase) -> None:
    assert update(status) == [CallEvent(phase, NOW, "call_1", "ref-1", f"ref-1:{phase}")]


def test_an_end_whose_word_leaves_it_open_waits_for_the_report() -> None:
    assert update("ended", endedReason="worker-shutdown", artifact=SILENCE) == []
    (end,) = update("ended", endedReason="worker-shutdown", artifact=ARTIFACT)
    assert (end.outcome, end.fault) == FAILED_DIALOGUE
    end, _ = read(REPORT | {"endedReason": "worker-shutdown", "artifact": SILENCE})
    assert (end.outcome, end.fault, end.cause) == (*TRUNK, "worker-shutdown")


def test_a_report_is_an_end_and_a_result() -> None:
    end, result = read(REPORT)
    assert end == CallEvent(
        Phase.ENDED, NOW, "call_1", "ref-1", "ref-1:ended", Outcome.HUMAN, Fault.NONE, cause="customer-ended-call"
    )
    assert (result.phase, result.at, result.key) == (Phase.RESULT, NOW, "ref-1:result")
    assert result.data == {
        "transcript": "AI: Hello\nUser: Yes?\n",
        "recording_url": "https://storage.example/1.wav",
        "summary": "They talked.",
        "success": False,
        "cost": {"amount": 0.12, "currency": "USD"},
        "extracted": {"size": 3, "callback_at": "2026-09-02T10:00:00+02:00", "do_not_call": None},
        "callback_at": "2026-09-02T10:00:00+02:00",
    }


@pytest.mark.parametrize(("said", "expected"), [(True, True), ("yes", True), (False, None), ("no", None), (None, None)])
def test_only_a_yes_says_not_to_call_again(said: object, expected: bool | None) -> None:
    _, result = read(REPORT | {"analysis": {"structuredData": {"do_not_call": said}}, "artifact": {}})
    assert result.data.get("do_not_call") is expected


def test_a_record_has_no_result_before_its_analysis_is_there_or_will_not_come() -> None:
    record = CALL | {"status": "ended", "endedReason": "customer-ended-call", "endedAt": REPORT["endedAt"], "artifact": ARTIFACT}
    whole = record | {"analysis": REPORT["analysis"], "cost": 0.12}
    assert list(translate.events_of(whole, NOW)) == read(REPORT)
    assert [event.phase for event in translate.events_of(record, NOW)] == [Phase.ENDED]
    assert [event.phase for event in translate.events_of(record, None)] == [Phase.ENDED]
    assert [event.phase for event in translate.events_of(record, NOW + timedelta(minutes=3))] == [Phase.ENDED, Phase.RESULT]


@pytest.mark.parametrize(
    "message", [{"type": "tool-calls"}, {"type": "assistant-request"}, REPORT | {"call": {"id": "ref-2", "customer": None}}]
)
def test_what_is_none_of_our_business_is_no_event(message: dict[str, Any]) -> None:
    assert read(message) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"\xff", *(json.dumps({"message": REPORT | odd}).encode() for odd in (
        {"endedAt": "noon"}, {"endedAt": "2026-09-01T10:00:00"}, {"call": None}, {"endedAt": None}, {"endedAt": 1e300}
    ))],
)  # fmt: skip
def test_a_signed_message_that_cannot_be_read_is_answered_400(body: bytes) -> None:
    events, reply = VapiAdapter("vapi", api_key="k", signing_secret=SECRET).receive(hook(body))
    assert (events, reply.status) == ([], 400)


@given(st.floats(-299, 299), st.sampled_from(["{:.0f}", "{:.3f}", "ms", "iso"]))
def test_what_was_signed_within_five_minutes_is_believed_whatever_the_unit(seconds: float, unit: str) -> None:
    then = NOW + timedelta(seconds=seconds)
    written = {"ms": f"{then.timestamp() * 1000:.0f}", "iso": then.isoformat()}.get(unit) or unit.format(then.timestamp())
    translate.verify(SECRET, hook(b"{}", timestamp=written))


@pytest.mark.parametrize("minutes", [-6, 6])
@pytest.mark.parametrize("unit", [1, 1000])
def test_a_stale_or_replayed_message_is_forged(minutes: int, unit: int) -> None:
    with pytest.raises(Forged):
        translate.verify(SECRET, hook(b"{}", timestamp=f"{(NOW + timedelta(minutes=minutes)).timestamp() * unit:.0f}"))


@pytest.mark.parametrize("timestamp", ["nan", "inf", "soon", " ", "2026-09-01T10:00:00"])
def test_a_signed_timestamp_that_is_none_is_forged(timestamp: str) -> None:
    with pytest.raises(Forged):
        translate.verify(SECRET, hook(b"{}", timestamp=timestamp))


@given(st.binary(max_size=50), st.binary(max_size=50), st.text(max_size=70))
def test_anything_else_is_forged(body: bytes, other: bytes, signature: str) -> None:
    good = hook(body)
    forgeries = [
        hook(body, secret="another"),
        replace(good, headers={}),
        replace(good, headers={**good.headers, translate.SIGNATURE: signature}),
        replace(good, headers={**good.headers, translate.TIMESTAMP: f"{NOW.timestamp() + 1:.0f}"}),
    ]
    forgeries += [replace(good, body=other)] * (other != body)
    for forged in forgeries:
        with pytest.raises(Forged):
            translate.verify(SECRET, forged)


def test_it_needs_a_key_and_a_secret_and_nothing_else() -> None:
    assert registry.build("trunk", "vapi", {"api_key": "k", "signing_secret": "s"}).capabilities.place_timeout == 10
    with pytest.raises(ValueError, match="api_key: missing") as raised:
        registry.build("trunk", "vapi", {"numbers": {"+4930": 1}, "timeout": 0})
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == ["api_key", "signing_secret", "numbers", "timeout"]
