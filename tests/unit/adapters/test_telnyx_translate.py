"""Telnyx's signature, events, D-codes and errors."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey

from adapters import registry
from adapters.base import Hook, Reply
from adapters.errors import Ambiguous, Forged, RateLimited, Rejected
from adapters.events import Fault, Outcome, Phase
from adapters.http import Answer
from adapters.telnyx import codes, translate
from tests.support.providers.telnyx import PUBLIC_KEY, SIGNING_KEY, make, signed

NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
HANGUP: dict[str, Any] = {
    "record_type": "event",
    "event_type": "call.hangup",
    "id": "0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",
    "occurred_at": "2026-09-01T10:00:00.000000Z",
    "payload": {
        "call_control_id": "v3:abc",
        "client_state": translate.client_state("call_1"),
        "hangup_cause": "user_busy",
        "hangup_source": "callee",
        "sip_hangup_cause": "486",
    },
}
KEY = VerifyKey(PUBLIC_KEY)


def hook(envelope: Any, *, at: datetime = NOW, key: SigningKey | None = None) -> Hook:
    callback = signed(envelope, at=at.timestamp(), **({"key": key} if key else {}))
    return Hook("POST", "https://dialer.example/hooks/telnyx", callback.headers, callback.body, NOW)


def event(kind: str = "call.hangup", **payload: Any) -> dict[str, Any]:
    return {**HANGUP, "event_type": kind, "payload": {**HANGUP["payload"], **payload}}


def ending(word: Any, sip: Any = None, **payload: Any) -> tuple[Outcome | None, Fault | None]:
    (told,) = translate.translate(event(hangup_cause=word, sip_hangup_cause=sip, **payload))
    return told.outcome, told.fault


@given(st.lists(st.integers()), st.integers(-299, 299))
def test_what_telnyx_signed_within_five_minutes_is_believed(envelope: list[int], seconds: int) -> None:
    translate.verify(KEY, hook(envelope, at=NOW + timedelta(seconds=seconds)))


@given(st.binary(max_size=50), st.text(max_size=90), st.binary(min_size=64, max_size=64))
def test_anything_else_is_forged(body: bytes, garbage: str, other: bytes) -> None:
    good = hook(HANGUP)
    timestamp = good.headers[translate.TIMESTAMP]
    for forged in (
        hook(HANGUP, key=SigningKey(b"somebody else's secret of 32 byt")),
        hook(HANGUP, at=NOW - timedelta(seconds=301)),
        hook(HANGUP, at=NOW + timedelta(seconds=301)),
        replace(good, headers={}),
        replace(good, body=body),
        replace(good, headers={**good.headers, translate.SIGNATURE: garbage}),
        replace(good, headers={**good.headers, translate.SIGNATURE: base64.b64encode(other).decode()}),
        replace(good, headers={**good.headers, translate.TIMESTAMP: str(int(timestamp) + 1)}),  # replayed as if it were new
    ):
        with pytest.raises(Forged):
            translate.verify(KEY, forged)


@pytest.mark.parametrize("timestamp", ["", "soon", "nan", "1e999", "\udce9"])
def test_a_signed_timestamp_that_is_none_is_forged(timestamp: str) -> None:
    signature = SIGNING_KEY.sign(timestamp.encode("utf-8", "surrogateescape") + b"|{}").signature
    headers = {translate.TIMESTAMP: timestamp, translate.SIGNATURE: base64.b64encode(signature).decode()}
    with pytest.raises(Forged):
        translate.verify(KEY, Hook("POST", "", headers, b"{}", NOW))


@pytest.mark.parametrize(
    ("word", "sip", "expected"),
    [
        ("normal_clearing", "200", (Outcome.ANSWERED, Fault.NONE)),
        ("normal_clearing", "unspecified", (Outcome.ANSWERED, Fault.NONE)),
        ("time_limit", None, (Outcome.ANSWERED, Fault.NONE)),
        ("unspecified", "200", (Outcome.ANSWERED, Fault.NONE)),
        ("user_busy", "486", (Outcome.BUSY, Fault.CALLEE)),
        ("user_busy", "600", (Outcome.BUSY, Fault.CALLEE)),
        ("user_busy", None, (Outcome.BUSY, Fault.CALLEE)),
        ("timeout", "487", (Outcome.NO_ANSWER, Fault.CALLEE)),
        ("timeout", "408", (Outcome.NO_ANSWER, Fault.CALLEE)),
        ("timeout", None, (Outcome.NO_ANSWER, Fault.CALLEE)),
        ("timeout", "200", (Outcome.NO_ANSWER, Fault.CALLEE)),
        ("no_answer", "480", (Outcome.NO_ANSWER, Fault.CALLEE)),
        ("no_answer", "503", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("unspecified", "408", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("unspecified", "503", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("unspecified", None, (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("call_rejected", "603", (Outcome.DECLINED, Fault.CALLEE)),
        ("call_rejected", None, (Outcome.DECLINED, Fault.CALLEE)),
        ("call_rejected", "403", (Outcome.UNREACHABLE, Fault.CONFIG)),
        ("call_rejected", "607", (Outcome.BLOCKED, Fault.NUMBER)),
        ("not_found", "404", (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        ("not_found", None, (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        ("not_found", "604", (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        ("originator_cancel", "487", (Outcome.CANCELLED, Fault.NONE)),
        ("originator_cancel", None, (Outcome.CANCELLED, Fault.NONE)),
        ("spontaneous_combustion", None, (Outcome.UNREACHABLE, Fault.TRUNK)),
        (None, None, (Outcome.UNREACHABLE, Fault.TRUNK)),
        (None, "486", (Outcome.BUSY, Fault.CALLEE)),
    ],
)
def test_ends_are_judged(word: str | None, sip: str | None, expected: tuple[Outcome, Fault]) -> None:
    assert ending(word, sip) == expected


@pytest.mark.parametrize(
    ("sip", "reason", "expected"),
    [
        ("403", "Channel limit exceeded D1", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("403", "D2", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("403", "Forbidden (D3)", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("403", "D22", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("403", "D24", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("403", "user channel limit", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("403", "Caller origination number D35", (Outcome.UNREACHABLE, Fault.CONFIG)),
        ("403", "D36", (Outcome.UNREACHABLE, Fault.CONFIG)),
        ("403", "D38", (Outcome.UNREACHABLE, Fault.CONFIG)),
        ("404", "Account blocked D19", (Outcome.UNREACHABLE, Fault.CONFIG)),
        ("404", "D18", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("404", "No route D40", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("404", "D99", (Outcome.UNREACHABLE, Fault.TRUNK)),
        ("403", "Invalid number D11", (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        ("404", "Not Found", (Outcome.INVALID_NUMBER, Fault.NUMBER)),
    ],
)
def test_a_d_code_tells_what_403_and_404_do_not(sip: str, reason: str, expected: tuple[Outcome, Fault]) -> None:
    assert ending("call_rejected" if sip == "403" else "not_found", sip, sip_hangup_reason=reason) == expected


def test_the_cause_has_what_telnyx_says_beside_its_word() -> None:
    (told,) = translate.translate(event(hangup_cause="call_rejected", sip_hangup_cause="403", sip_hangup_reason="D2 limit"))
    assert (told.cause, told.sip) == ("call_rejected D2 limit", 403)


@given(st.text().filter(lambda word: word != "not_found"), st.none() | st.text() | st.just("404"), st.integers(0, 999))
def test_an_unknown_word_never_ends_a_number(word: str, sip: str | None, code: int) -> None:
    if code != 11:
        assert ending(word, sip, sip_hangup_reason=f"D{code}")[1] is not Fault.NUMBER
    if sip != "404":
        assert ending(word)[1] is not Fault.NUMBER


@pytest.mark.parametrize(
    ("kind", "result", "expected"),
    [
        ("call.machine.detection.ended", "human", (Outcome.HUMAN, Fault.NONE)),
        ("call.machine.detection.ended", "machine", (Outcome.MACHINE, Fault.CALLEE)),
        ("call.machine.premium.detection.ended", "human_residence", (Outcome.HUMAN, Fault.NONE)),
        ("call.machine.premium.detection.ended", "human_business", (Outcome.HUMAN, Fault.NONE)),
        ("call.machine.premium.detection.ended", "machine", (Outcome.MACHINE, Fault.CALLEE)),
        ("call.machine.premium.detection.ended", "fax_detected", (Outcome.MACHINE, Fault.CALLEE)),
    ],
)
def test_who_answered_is_an_event_of_its_own(kind: str, result: str, expected: tuple[Outcome, Fault]) -> None:
    (told,) = translate.translate(event(kind, result=result))
    assert (told.phase, told.outcome, told.fault, told.cause) == (Phase.CLASSIFIED, *expected, result)


@pytest.mark.parametrize("result", ["not_sure", "silence", "something_new", None])
def test_who_answered_is_not_guessed(result: str | None) -> None:
    assert translate.translate(event("call.machine.premium.detection.ended", result=result)) == []


def test_an_end_is_read_whole_and_alike_however_often_it_is_sent() -> None:
    first = translate.read(json.dumps({"data": HANGUP, "meta": {"attempt": 1}}).encode())
    again = translate.read(json.dumps({"meta": {"attempt": 2, "delivered_to": "https://other.example"}, "data": HANGUP}).encode())
    assert first == again
    (told,) = first
    assert (told.phase, told.at, told.attempt, told.ref, told.key) == (Phase.ENDED, NOW, "call_1", "v3:abc", "v3:abc:ended")
    assert (told.cause, told.sip) == ("user_busy", 486)


@pytest.mark.parametrize("metadata", [HANGUP, {"data": HANGUP}, {"event": {"data": HANGUP}, "status": "delivered"}])
def test_a_record_tells_what_the_callback_told(metadata: dict[str, Any]) -> None:
    assert translate.recorded({"name": "call.hangup", "metadata": metadata}) == translate.translate(HANGUP)


@pytest.mark.parametrize("metadata", [{}, None, "text", {"a": {"b": {"c": {"d": HANGUP}}}}])
def test_a_record_without_the_event_tells_nothing(metadata: object) -> None:
    assert translate.recorded({"name": "call.hangup", "metadata": metadata}) == []


@pytest.mark.parametrize("state", [None, "", "not base64!", "/w==", 7])
def test_a_call_that_is_not_ours_is_no_event(state: object) -> None:
    assert translate.translate(event(client_state=state)) == []


@pytest.mark.parametrize("kind", ["call.bridged", "streaming.started", "call.machine.greeting.ended", "call.hangup.extra"])
def test_an_event_that_is_not_needed_is_none(kind: str) -> None:
    assert translate.translate({"event_type": kind}) == []


@pytest.mark.parametrize(
    "envelope",
    [
        None,
        [],
        {},
        {"data": {}},
        {"data": {"event_type": []}},
        {"data": {**HANGUP, "payload": None}},
        {"data": {**HANGUP, "occurred_at": "noon"}},
        {"data": {**HANGUP, "occurred_at": "2026-09-01T10:00:00"}},
        {"data": event(call_control_id=None)},
        {"data": event(hangup_cause=[])},
    ],
)
def test_a_signed_callback_that_cannot_be_read_is_answered_400(envelope: object) -> None:
    events, reply = make("http://127.0.0.1:9", 1).receive(hook(envelope))
    assert (events, reply.status) == ([], 400)


def test_a_good_callback_is_answered_204() -> None:
    events, reply = make("http://127.0.0.1:9", 1).receive(hook({"data": HANGUP}))
    assert (len(events), reply) == (1, Reply())


def answer(status: int, *errors: object) -> Answer:
    return Answer(status, {"retry-after": "7"}, json.dumps({"errors": errors}).encode())


@pytest.mark.parametrize(
    ("status", "error", "fault", "cause"),
    [
        (403, {"code": "90001", "detail": "Invalid number D11"}, Fault.NUMBER, "D11"),
        (403, {"code": "90001", "detail": "Caller ID D35"}, Fault.CONFIG, "D35"),
        (404, {"title": "Account blocked (D19)"}, Fault.CONFIG, "D19"),
        (404, {"title": "No route (D40)"}, Fault.TRUNK, "D40"),
        (403, {"title": "D77"}, Fault.TRUNK, "D77"),
        (401, {"code": "10009", "title": "Authentication failed"}, Fault.CONFIG, "10009"),
        (403, {"code": 10010}, Fault.CONFIG, "10010"),
        (422, {"code": "10016", "detail": "'+15550001111' must be E.164"}, Fault.REQUEST, "10016"),
        (422, {"code": "+15550001111"}, Fault.REQUEST, "http_422"),
        (402, {}, Fault.CONFIG, "http_402"),
    ],
)
def test_a_refusal_is_judged_by_its_d_code_then_its_status(status: int, error: object, fault: Fault, cause: str) -> None:
    refused = codes.refused(answer(status, error))
    assert isinstance(refused, Rejected)
    assert (refused.fault, refused.cause, refused.retry_after) == (fault, cause, 7)
    assert "+15550001111" not in str(refused)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {}),
        (403, {"code": "10011"}),
        (403, {"detail": "Channel limit exceeded"}),
        *((403, {"detail": f"D{n}"}) for n in (1, 2, 3, 22, 24)),
    ],
)
def test_a_limit_asks_to_slow_down(status: int, error: object) -> None:
    refused = codes.refused(answer(status, error))
    assert isinstance(refused, RateLimited) and refused.retry_after == 7


@pytest.mark.parametrize("status", [408, 409, 500, 503])
def test_an_error_that_proves_nothing_stays_ambiguous_whatever_it_says(status: int) -> None:
    assert isinstance(codes.refused(answer(status, {"code": "10011", "detail": "D1"})), Ambiguous)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errors": 7}', b'{"errors": ["D11"]}'])
def test_a_refusal_that_cannot_be_read_is_judged_by_its_status(body: bytes) -> None:
    refused = codes.refused(Answer(403, {}, body))
    assert isinstance(refused, Rejected) and (refused.fault, refused.cause) == (Fault.CONFIG, "http_403")


@pytest.mark.parametrize(
    ("status", "error", "gone"),
    [
        (404, {}, True),
        (422, {"code": "90018"}, True),
        (422, {"code": "90015"}, True),
        (422, {"detail": "Call has already ended"}, True),
        (422, {"detail": "This call is no longer active"}, True),
        (422, {"code": "10004", "detail": "Missing parameter"}, False),
        (401, {"detail": "The trial has ended"}, False),
        (429, {"code": "90018"}, False),
        (500, {"code": "90018"}, False),
    ],
)
def test_a_hang_up_of_what_is_over_is_success(status: int, error: object, gone: bool) -> None:
    assert codes.gone(answer(status, error)) is gone


GOOD = {"api_key": "KEY0", "public_key": base64.b64encode(PUBLIC_KEY).decode(), "connection_id": "1494404757140276705"}


def test_options_are_enough() -> None:
    assert registry.build("tx", "telnyx", GOOD).capabilities.voices == {"agent"}
    assert registry.build("tx", "telnyx", {**GOOD, "stream_url": "wss://voice.example"}).capabilities.voices == {"stream"}
    assert "amd" in registry.build("tx", "telnyx", {**GOOD, "answering_machine_detection": "premium"}).capabilities.can


def test_all_faults_of_options_are_told_at_once_without_values() -> None:
    with pytest.raises(ValueError) as caught:
        registry.build("tx", "telnyx", {"public_key": "c2hvcnQ=", "stream_url": "https://voice.example", "timeout": 0})
    told = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in told] == ["api_key", "public_key", "connection_id", "stream_url", "timeout"]
    assert "c2hvcnQ=" not in str(caught.value)
