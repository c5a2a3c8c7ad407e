"""Twilio's words: what its callbacks, records and refusals mean, and that no word which is not certain ends a number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Live, Over, Unsure
from adapters.errors import Ambiguous, RateLimited, Rejected
from adapters.events import Fault, Outcome, Phase
from adapters.http import Answer
from adapters.twilio import translate
from adapters.twilio.refusals import FAULTS, THROTTLES, refusal
from adapters.twilio.search import PATIENCE, REMEMBERED, SPAN, Doubts, newest

NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
NUMBER = "+493012345678"
TOLD = {"CallSid": "CA1", "Timestamp": "Tue, 01 Sep 2026 10:00:00 +0000", "To": NUMBER}
SIP = st.one_of(st.none(), st.integers(100, 699).map(str), st.text(max_size=4))


def record(status: str, **more: Any) -> dict[str, Any]:
    created = format_datetime(NOW)
    kept = {"sid": "CA1", "to": NUMBER, "direction": "outbound-api", "date_created": created, "date_updated": created}
    return {**kept, "status": status, "end_time": None, "duration": None, "answered_by": None, **more}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"CallStatus": "completed", "AnsweredBy": "human"}, (Outcome.HUMAN, Fault.NONE)),
        ({"CallStatus": "completed", "AnsweredBy": "machine_start"}, (Outcome.MACHINE, Fault.CALLEE)),
        ({"CallStatus": "completed", "AnsweredBy": "machine_end_beep"}, (Outcome.MACHINE, Fault.CALLEE)),
        ({"CallStatus": "completed", "AnsweredBy": "machine_end_silence"}, (Outcome.MACHINE, Fault.CALLEE)),
        ({"CallStatus": "completed", "AnsweredBy": "machine_end_other"}, (Outcome.MACHINE, Fault.CALLEE)),
        ({"CallStatus": "completed", "AnsweredBy": "fax"}, (Outcome.MACHINE, Fault.NUMBER)),
        ({"CallStatus": "completed", "AnsweredBy": "unknown"}, (Outcome.ANSWERED, Fault.NONE)),
        ({"CallStatus": "completed"}, (Outcome.ANSWERED, Fault.NONE)),
        ({"CallStatus": "busy", "SipResponseCode": "486"}, (Outcome.BUSY, Fault.CALLEE)),
        ({"CallStatus": "busy", "SipResponseCode": "600"}, (Outcome.BUSY, Fault.CALLEE)),
        ({"CallStatus": "busy", "SipResponseCode": "403"}, (Outcome.BUSY, Fault.CALLEE)),
        ({"CallStatus": "busy", "SipResponseCode": "603"}, (Outcome.DECLINED, Fault.CALLEE)),
        ({"CallStatus": "busy", "SipResponseCode": "608"}, (Outcome.BLOCKED, Fault.CALLEE)),
        ({"CallStatus": "no-answer", "SipResponseCode": "480"}, (Outcome.NO_ANSWER, Fault.CALLEE)),
        ({"CallStatus": "no-answer", "SipResponseCode": "487"}, (Outcome.NO_ANSWER, Fault.CALLEE)),
        ({"CallStatus": "no-answer", "SipResponseCode": "408"}, (Outcome.NO_ANSWER, Fault.CALLEE)),
        ({"CallStatus": "no-answer"}, (Outcome.NO_ANSWER, Fault.CALLEE)),
        ({"CallStatus": "canceled", "SipResponseCode": "487"}, (Outcome.CANCELLED, Fault.NONE)),
        ({"CallStatus": "failed", "SipResponseCode": "404"}, (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        ({"CallStatus": "failed", "SipResponseCode": "484"}, (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        ({"CallStatus": "failed", "SipResponseCode": "604"}, (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        ({"CallStatus": "failed", "SipResponseCode": "503"}, (Outcome.UNREACHABLE, Fault.TRUNK)),
        ({"CallStatus": "failed", "SipResponseCode": "403"}, (Outcome.UNREACHABLE, Fault.CONFIG)),
        ({"CallStatus": "failed", "SipResponseCode": "487"}, (Outcome.UNREACHABLE, Fault.TRUNK)),
        ({"CallStatus": "failed", "SipResponseCode": "0"}, (Outcome.UNREACHABLE, Fault.TRUNK)),
        ({"CallStatus": "failed"}, (Outcome.UNREACHABLE, Fault.TRUNK)),
        ({"CallStatus": "failed", "SipResponseCode": "404", "ErrorCode": "13224"}, (Outcome.INVALID_NUMBER, Fault.CALLEE)),
        ({"CallStatus": "failed", "SipResponseCode": "404", "ErrorCode": "13225"}, (Outcome.UNREACHABLE, Fault.TRUNK)),
    ],
)
def test_every_ending_is_judged(told: dict[str, str], expected: tuple[Outcome, Fault]) -> None:
    (event,) = translate.progress(TOLD | told, "call_1", LATER)
    assert (event.phase, event.at, event.attempt, event.ref, event.key) == (Phase.ENDED, NOW, "call_1", "CA1", "CA1:ended")
    assert (event.outcome, event.fault) == expected
    assert event.cause is not None and event.cause.startswith(told["CallStatus"])


@given(st.text(), SIP, st.text(), st.text())
def test_a_status_that_is_not_known_is_no_event_and_no_sighting(status: str, sip: str | None, who: str, error: str) -> None:
    if status in translate.PHASES:
        return
    told = TOLD | {"CallStatus": status or "?", "AnsweredBy": who, "ErrorCode": error} | ({"SipResponseCode": sip} if sip else {})
    assert translate.progress(told, "call_1", NOW) == []
    assert isinstance(translate.sighting(record(status), "call_1"), Unsure)
    assert translate.ending(status, answered_by=who, error=error) == (Outcome.UNREACHABLE, Fault.TRUNK)


@given(st.sampled_from(["completed", "busy", "no-answer", "canceled", "failed"]), st.text(), st.text())
def test_no_word_that_is_not_certain_ends_a_number(status: str, who: str, error: str) -> None:
    assert translate.ending(status, error=error, answered_by="" if who == "fax" else who)[1] is not Fault.NUMBER
    for code in translate.NO_PROOF:
        assert translate.ending(status, sip=404, error=code)[1] is not Fault.NUMBER


def test_the_phases_of_a_call_are_told_each_with_its_key() -> None:
    found = [
        translate.progress(TOLD | {"CallStatus": word}, "call_1", LATER)[0] for word in ("initiated", "ringing", "in-progress")
    ]
    assert [(event.phase, event.key, event.outcome) for event in found] == [
        (Phase.DIALING, "CA1:dialing", None),
        (Phase.RINGING, "CA1:ringing", None),
        (Phase.ANSWERED, "CA1:answered", None),
    ]


@pytest.mark.parametrize("stamp", ["", "soon", "Tue, 41 Sep 2026 10:00:00 +0000"])
def test_without_a_time_it_is_that_of_the_arrival(stamp: str) -> None:
    (event,) = translate.progress(TOLD | {"CallStatus": "ringing", "Timestamp": stamp}, "call_1", LATER)
    assert event.at == LATER


@pytest.mark.parametrize(
    ("who", "expected"), [("human", Outcome.HUMAN), ("machine_start", Outcome.MACHINE), ("fax", Outcome.MACHINE)]
)
def test_who_picked_up_is_told_apart(who: str, expected: Outcome) -> None:
    (event,) = translate.detected({"CallSid": "CA1", "AnsweredBy": who}, "call_1", NOW)
    assert (event.phase, event.outcome, event.key, event.cause) == (Phase.CLASSIFIED, expected, "CA1:classified", who)
    assert translate.detected({"CallSid": "CA1", "AnsweredBy": "unknown"}, "call_1", NOW) == []


@pytest.mark.parametrize("told", [{}, {"CallSid": "CA1"}, {"CallStatus": "busy", "AnsweredBy": "human"}])
def test_a_callback_that_names_no_call_cannot_be_read(told: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="names no"):
        translate.progress(told, "call_1", NOW)
    with pytest.raises(ValueError, match="names no"):
        translate.detected(told, "call_1", NOW)


def test_a_record_says_whether_the_call_is_up_and_how_it_ended() -> None:
    assert translate.sighting(record("queued"), "call_1") == Live("CA1", answered=False)
    assert translate.sighting(record("ringing"), "call_1") == Live("CA1", answered=False)
    assert translate.sighting(record("in-progress"), "call_1") == Live("CA1", answered=True)
    over = translate.sighting(
        record("completed", end_time=format_datetime(LATER), duration="20", answered_by="machine_start"), "call_1"
    )
    assert isinstance(over, Over)
    assert [(event.phase, event.at, event.outcome) for event in over.events] == [
        (Phase.ANSWERED, LATER - timedelta(seconds=20), None),
        (Phase.CLASSIFIED, LATER, Outcome.MACHINE),
        (Phase.ENDED, LATER, Outcome.ANSWERED),
    ]
    never = translate.sighting(record("no-answer"), "call_1")
    assert isinstance(never, Over) and [event.outcome for event in never.events] == [Outcome.NO_ANSWER]
    with pytest.raises(ValueError, match="no time"):
        translate.sighting(record("busy", date_updated=None), "call_1")


def answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, json.dumps(body).encode())


@pytest.mark.parametrize("code", FAULTS)
def test_a_refusal_is_whose_fault_the_code_says(code: int) -> None:
    said = refusal(answer(400, {"code": code, "message": f"{NUMBER} is wrong"}))
    assert isinstance(said, Rejected)
    assert (said.fault, said.cause) == (FAULTS[code][0], f"twilio_{code}")
    assert NUMBER not in str(said) and str(code) in str(said)


def test_the_codes_of_the_design_are_read_as_it_has_them() -> None:
    assert {code for code, (fault, _) in FAULTS.items() if fault is Fault.NUMBER} == {21211, 21217}
    assert {21210, 21212, 21213, 21219, 20003, 20005, 10001} == {c for c, (fault, _) in FAULTS.items() if fault is Fault.CONFIG}


@given(st.integers().filter(lambda code: code not in FAULTS and code not in THROTTLES))
def test_a_code_that_is_not_known_ends_no_number(code: int) -> None:
    said = refusal(answer(400, {"code": code}))
    assert isinstance(said, Rejected) and said.fault is Fault.REQUEST


def test_too_many_is_a_throttle_however_it_is_said() -> None:
    for status, code in ((429, 20429), (400, 10004), (429, 21211), (429, 0)):
        assert isinstance(refusal(answer(status, {"code": code})), RateLimited)
    assert refusal(answer(429, {"code": 20429}, {"retry-after": "3"})).retry_after == 3
    assert refusal(answer(400, {"code": 22005})).retry_after == 600
    assert isinstance(refusal(Answer(429, {}, b"<html>")), RateLimited)


@pytest.mark.parametrize("status", [303, 408, 409, 500, 502, 503])
def test_an_error_that_proves_nothing_stays_ambiguous_whatever_its_code(status: int) -> None:
    assert isinstance(refusal(answer(status, {"code": 21211})), Ambiguous)


@pytest.mark.parametrize(
    ("status", "fault"), [(401, Fault.CONFIG), (403, Fault.CONFIG), (404, Fault.CONFIG), (400, Fault.REQUEST)]
)
@pytest.mark.parametrize("body", [[], {}, {"code": "21211"}, "no"])
def test_without_a_code_the_status_decides(status: int, fault: Fault, body: object) -> None:
    said = refusal(answer(status, body))
    assert isinstance(said, Rejected) and said.fault is fault


def test_a_search_finds_the_newest_call_to_the_number_and_one_that_is_up_before_it() -> None:
    at = {seconds: format_datetime(NOW + timedelta(seconds=seconds)) for seconds in (-1, 0, 5, 9, 301)}
    first, second = record("busy", sid="CA1", date_created=at[0]), record("busy", sid="CA2", date_created=at[5])
    assert newest([first, second], NUMBER, NOW) is second and newest([second, first], NUMBER, NOW) is second
    up = record("queued", sid="CA3", date_created=at[0])
    assert newest([second, up, first], NUMBER, NOW) is up
    for other in (
        record("queued", to="+4930000", date_created=at[9]),
        record("queued", direction="inbound", date_created=at[9]),
        record("queued", date_created=at[-1]),
        record("queued", date_created=at[301]),
    ):
        assert newest([other], NUMBER, NOW) is None and newest([other, first], NUMBER, NOW) is first
    assert timedelta(seconds=301) > SPAN
    with pytest.raises(ValueError, match="no time"):
        newest([first, record("busy", date_created="soon")], NUMBER, NOW)


def test_doubts_last_a_minute_for_each_attempt() -> None:
    clock = [100.0]
    doubts = Doubts(lambda: clock[0])
    assert not doubts.over("a")
    clock[0] += PATIENCE - 1
    assert not doubts.over("a") and not doubts.over("b")
    clock[0] += 1
    assert doubts.over("a") and not doubts.over("b")
    for number in range(REMEMBERED):
        doubts.over(str(number))
    assert not doubts.over("a")
