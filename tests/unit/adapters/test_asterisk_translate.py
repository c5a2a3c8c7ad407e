"""What Asterisk's events come to: every row of what a real one was seen to report, and what is made of half a story."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import registry
from adapters.asterisk.adapter import AsteriskAdapter
from adapters.asterisk.kept import VARIABLE, read_kept
from adapters.asterisk.names import attempt_of, channel_of, time_of
from adapters.asterisk.order import Dialplan, Stasis, order
from adapters.asterisk.translate import Translator, tells_sip
from adapters.errors import Rejected
from adapters.events import CallEvent, Fault, Outcome, Phase
from tests.support.carrier import call

ATTEMPT = "call_1"
NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
NUMBER = "+493012345678"


def message(
    kind: str, second: int = 0, *, state: str = "Down", channel: str = channel_of(ATTEMPT), **more: Any
) -> dict[str, Any]:
    at = (NOW + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return {"type": kind, "timestamp": at, "peer" if kind == "Dial" else "channel": {"id": channel, "state": state}, **more}


def dial(*statuses: str) -> list[dict[str, Any]]:
    states = {"RINGING": "Ringing", "ANSWER": "Up"}
    return [message("Dial", each, state=states.get(status, "Down"), dialstatus=status) for each, status in enumerate(statuses)]


def destroyed(cause: int | None, sip: int | None = None, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"cause": cause, **({} if sip is None else {"tech_cause": sip})}
    return message("ChannelDestroyed", 9, cause_txt=f"cause {cause}", **told, **more)


def told(messages: Sequence[dict[str, Any]], translator: Translator | None = None) -> list[CallEvent]:
    translator = translator or Translator()
    return [event for each in messages for event in translator.read(each)]


def ending(messages: Sequence[dict[str, Any]], translator: Translator | None = None) -> tuple[Outcome | None, Fault | None]:
    end = told(messages, translator)[-1]
    assert end.phase is Phase.ENDED
    return end.outcome, end.fault


Verdict = tuple[Outcome, Fault]
TRUNK: Verdict = (Outcome.UNREACHABLE, Fault.TRUNK)
CONFIG: Verdict = (Outcome.UNREACHABLE, Fault.CONFIG)
INVALID: Verdict = (Outcome.INVALID_NUMBER, Fault.NUMBER)
PERHAPS: Verdict = (Outcome.INVALID_NUMBER, Fault.CALLEE)


def by_callee(outcome: Outcome) -> Verdict:
    return outcome, Fault.CALLEE


ROWS = [
    (["", "RINGING", "BUSY"], 17, 486, by_callee(Outcome.BUSY)),
    (["", "BUSY"], 17, 600, by_callee(Outcome.BUSY)),
    (["", "RINGING", "NOANSWER"], 19, 480, by_callee(Outcome.NO_ANSWER)),
    (["", "NOANSWER"], 1, 404, INVALID),
    (["", "NOANSWER"], 1, 604, INVALID),
    (["", "NOANSWER"], 28, 484, INVALID),
    (["", "NOANSWER"], 22, 410, PERHAPS),
    (["", "NOANSWER"], 21, 403, CONFIG),
    (["", "NOANSWER"], 21, 401, CONFIG),
    (["", "RINGING", "NOANSWER"], 21, 603, by_callee(Outcome.DECLINED)),
    (["", "CONGESTION"], 34, 503, TRUNK),
    (["", "NOANSWER"], 38, 500, TRUNK),
    (["", "NOANSWER"], 27, 502, TRUNK),
    (["", "NOANSWER"], 18, 408, TRUNK),
    (["", "NOANSWER"], 102, 504, TRUNK),
    (["", "NOANSWER"], 58, 488, CONFIG),
    (["", "RINGING", "NOANSWER"], 127, 487, by_callee(Outcome.NO_ANSWER)),
    (["", "RINGING"], 19, 480, by_callee(Outcome.NO_ANSWER)),
    ([""], 19, 480, TRUNK),
    (["", "RINGING", "ANSWER"], 0, None, (Outcome.ANSWERED, Fault.NONE)),
    (["", "RINGING"], 16, None, (Outcome.CANCELLED, Fault.NONE)),
]


@pytest.mark.parametrize(("statuses", "cause", "sip", "verdict"), ROWS)
def test_what_a_real_asterisk_reports(statuses: list[str], cause: int, sip: int | None, verdict: Verdict) -> None:
    assert ending([*dial(*statuses), destroyed(cause, sip)]) == verdict


def test_the_code_that_asterisk_makes_up_is_not_told_as_one_of_the_network() -> None:
    assert told([*dial("", "RINGING"), destroyed(19, 480)])[-1].sip is None
    assert told([*dial("", "RINGING", "NOANSWER"), destroyed(19, 480)])[-1].sip == 480


def test_403_can_be_the_way_of_a_trunk_to_say_that_it_is_full() -> None:
    refused = [*dial("", "NOANSWER"), destroyed(21, 403)]
    assert ending(refused, Translator(limit_403=True)) == TRUNK
    assert ending([*dial("", "NOANSWER"), destroyed(1, 404)], Translator(limit_403=True)) == INVALID


@given(st.integers(-10, 700), st.none() | st.integers(-10, 800), st.lists(st.sampled_from(["", "RINGING", "NOANSWER", "odd"])))
def test_no_unknown_word_ends_a_number(cause: int, sip: int | None, statuses: list[str]) -> None:
    _, fault = ending([*dial(*statuses), destroyed(cause, sip)])
    assert fault is not Fault.NUMBER or sip in {404, 484, 485, 604, 607} or cause in {1, 22, 28}


def record(statuses: list[str], cause: int, sip: int | None, amd: str = "", result: str = "") -> str:
    """What the context of adapters/README.md keeps of such a call, and when: then no code is made up yet."""
    final = sip if statuses[-1] not in {"", "RINGING", "ANSWER"} else None
    last = final or (200 if "ANSWER" in statuses else 180 if "RINGING" in statuses else "")
    state = "Up" if "ANSWER" in statuses else "Ringing" if "RINGING" in statuses else "Down"
    return f"{NOW:%Y-%m-%dT%H:%M:%S}.250Z|{cause}|{last}|{state}|{amd}|{result}"


@pytest.mark.parametrize(("statuses", "cause", "sip", "verdict"), ROWS)
def test_what_asterisk_keeps_of_an_end_says_the_same(statuses: list[str], cause: int, sip: int | None, verdict: Verdict) -> None:
    kept = read_kept(record(statuses, cause, sip))
    assert kept is not None
    end = Translator().over(ATTEMPT, kept)
    heard = told([*dial(*statuses), destroyed(cause, sip)])[-1]
    assert (end.outcome, end.fault) == verdict
    assert replace(end, at=heard.at, cause=heard.cause) == heard
    assert end.at == NOW + timedelta(milliseconds=250)


@pytest.mark.parametrize(("statuses", "cause", "sip", "verdict"), ROWS)
def test_what_is_kept_makes_up_for_what_was_missed(statuses: list[str], cause: int, sip: int | None, verdict: Verdict) -> None:
    translator = Translator()
    told(dial(""), translator)
    translator.gap()
    kept = message("ChannelVarset", 8, variable=VARIABLE, value=record(statuses, cause, sip))
    assert ending([kept, destroyed(cause, sip)], translator) == verdict
    assert translator.keeps is True


def test_who_picked_up_and_what_came_of_it_is_kept() -> None:
    for amd, outcome in (("HUMAN", Outcome.HUMAN), ("MACHINE", Outcome.MACHINE), ("NOTSURE", Outcome.ANSWERED)):
        kept = read_kept(record(["ANSWER"], 16, None, amd, '{"summary": "a|b"}'))
        assert kept is not None and kept.result == '{"summary": "a|b"}'
        assert Translator().over(ATTEMPT, kept).outcome is outcome


def test_a_call_that_was_refused_and_may_have_rung_counts() -> None:
    """A 183 leaves no trace in the channel's state."""
    kept = read_kept(record(["NOANSWER"], 127, 487))
    assert kept is not None
    assert Translator().over(ATTEMPT, kept).outcome is Outcome.NO_ANSWER


def test_403_that_was_kept_can_mean_that_the_trunk_is_full() -> None:
    kept = read_kept(record(["NOANSWER"], 21, 403))
    assert kept is not None
    end = Translator(limit_403=True).over(ATTEMPT, kept)
    assert (end.outcome, end.fault) == TRUNK


@given(st.text() | st.lists(st.sampled_from(["placed", "|", "1", "404", "Up", "2026-09-01T10:00:00Z", "x"])).map("".join))
def test_a_marker_is_a_record_or_it_is_none(marker: str) -> None:
    kept = read_kept(marker)
    assert kept is None or marker.count("|") >= 5
    if kept is not None:
        fault = Translator().over(ATTEMPT, kept).fault
        assert fault is not Fault.NUMBER or kept.sip in {404, 484, 485, 604, 607} or kept.q850 in {1, 22, 28}


def test_each_phase_is_told_once_however_many_messages_tell_of_it() -> None:
    story = [
        message("ChannelCreated"),
        *dial("", "PROGRESS", "RINGING"),
        message("ChannelStateChange", 3, state="Ringing"),
        message("Dial", 4, state="Up", dialstatus="ANSWER"),
        message("ChannelStateChange", 5, state="Up"),
        message("StasisStart", 6, state="Up", args=[]),
        destroyed(0, state="Up"),
    ]
    events = told(story)
    assert [(event.phase, event.at.second) for event in events] == [
        (Phase.DIALING, 0),
        (Phase.RINGING, 1),
        (Phase.ANSWERED, 4),
        (Phase.ENDED, 9),
    ]
    assert {(event.attempt, event.ref) for event in events} == {(ATTEMPT, channel_of(ATTEMPT))}
    assert len({event.key for event in events}) == 4


def test_after_a_gap_a_call_that_may_have_rung_counts_and_one_that_may_have_been_answered_is_unknown() -> None:
    for heard in (dial(""), []):
        translator = Translator()
        told(heard, translator)
        assert translator.gap().phase is Phase.GAP
        assert ending([destroyed(19, 480)], translator) == (Outcome.NO_ANSWER, Fault.CALLEE)
    for cause in (0, 16, None):
        assert ending([destroyed(cause)]) == (Outcome.UNKNOWN, Fault.CALLEE)
    assert ending([destroyed(0, state="Up")]) == (Outcome.ANSWERED, Fault.NONE)
    assert ending([destroyed(1, 404)]) == INVALID


def test_what_was_heard_before_a_gap_is_still_known_after_it_and_not_for_ever() -> None:
    translator = Translator()
    told(dial("", "RINGING", "ANSWER"), translator)
    translator.gap()
    assert ending([destroyed(16)], translator) == (Outcome.ANSWERED, Fault.NONE)
    told(dial("", "RINGING", "ANSWER"), translator)
    for _ in range(3):
        translator.gap()
    assert ending([destroyed(16)], translator) == (Outcome.UNKNOWN, Fault.CALLEE)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("MACHINE", (Outcome.MACHINE, Fault.CALLEE)),
        ("HUMAN", (Outcome.HUMAN, Fault.NONE)),
        ("NOTSURE", (Outcome.ANSWERED, Fault.NONE)),
    ],
)
def test_the_dialplan_tells_a_machine_from_a_person(status: str, verdict: Verdict) -> None:
    said = message("ChannelVarset", 4, state="Up", variable="AMDSTATUS", value=status)
    events = told([*dial("", "ANSWER"), said, destroyed(16)])
    assert (events[-1].outcome, events[-1].fault) == verdict
    assert [event.outcome for event in events if event.phase is Phase.CLASSIFIED] == [verdict[0]] * (status != "NOTSURE")


def test_the_dialplan_can_leave_a_result() -> None:
    def result(value: str) -> list[CallEvent]:
        return told([message("ChannelVarset", 4, state="Up", variable="DIALER_RESULT", value=value)])

    (event,) = result(json.dumps({"do_not_call": True}))
    assert (event.phase, event.data, event.attempt) == (Phase.RESULT, {"do_not_call": True}, ATTEMPT)
    assert [event] == result(json.dumps({"do_not_call": True}))
    for unreadable in ("yes", "[1]"):
        with pytest.raises(ValueError):
            result(unreadable)


def test_other_peoples_channels_are_none_of_our_business() -> None:
    for channel in ("1700000000.17", "dialer-", "media-dialer-call_1", ""):
        assert attempt_of(channel) is None
        assert told([message("ChannelDestroyed", channel=channel, cause=1, tech_cause=404)]) == []
    assert told([{"type": "Dial"}, {"type": "ChannelDestroyed", "channel": None}, {"type": "DeviceStateChanged"}, {}]) == []


@pytest.mark.parametrize("at", [None, "", "yesterday", "2026-09-01T10:00:00"])
def test_an_event_without_a_time_is_refused(at: object) -> None:
    with pytest.raises(ValueError):
        told([{**destroyed(17), "timestamp": at}])


@pytest.mark.parametrize(
    ("version", "tells"),
    [
        *[("20.16.0", False), ("20.17.1", True), ("21.12.0", False), ("22.6.0", False), ("22.10.1", True), ("23.0.0", False)],
        *[("23.1.0", True), ("24.0.0", True), ("18.9-cert4", False), ("GIT-master-1", True), (None, True)],
    ],
)
def test_which_versions_tell_sip_codes(version: object, tells: bool) -> None:
    assert tells_sip(version) is tells


def test_a_time_is_read_in_any_zone() -> None:
    assert time_of("2026-09-01T12:00:00.000+0200") == NOW


@pytest.mark.parametrize("number", ["+49301234567&PJSIP/+4930999", "sip:a@b", "", "+49 30 1", "+4930١٢"])
def test_a_dial_string_rings_one_phone(number: str) -> None:
    with pytest.raises(Rejected) as raised:
        order(call(ATTEMPT, number), "PJSIP/{number}@trunk", Dialplan("answered", "", 1), "dialer-ended")
    assert raised.value.fault is Fault.REQUEST and (not number or number not in str(raised.value))


def test_names_of_variables_call_no_functions() -> None:
    labels = {"campaign": "camp_1", "SHELL(x)": "1", "a b": "2", "attempt": "another", "Result": '{"do_not_call": true}'}
    asked = order(replace(call(ATTEMPT, NUMBER), labels=labels), "PJSIP/{digits}@trunk", Stasis("dialer", "", "ulaw"), "kept")
    assert asked["endpoint"] == f"PJSIP/{NUMBER[1:]}@trunk"
    functions = {f"GLOBAL(ATT_{ATTEMPT})", "TIMEOUT(absolute)", "CHANNEL(hangup_handler_push)"}
    assert {name for name in asked["variables"] if "(" in name} == functions
    assert asked["variables"]["CHANNEL(hangup_handler_push)"] == "kept,s,1"
    assert "DIALER_RESULT" not in asked["variables"], "a contact's field is not what came of the call"
    assert asked["variables"]["DIALER_CAMPAIGN"] == "camp_1" and asked["variables"]["DIALER_ATTEMPT"] == ATTEMPT


OPTIONS = {"base_url": "http://127.0.0.1:8088", "user": "u", "password": "p", "endpoint": "PJSIP/{number}@t", "context": "c"}


def test_it_is_built_and_says_what_it_can() -> None:
    built = registry.build("pbx", "asterisk", OPTIONS)
    assert isinstance(built, AsteriskAdapter) and built.capabilities.voices == {"dialplan"}
    stasis = {name: value for name, value in OPTIONS.items() if name != "context"} | {"connect": "stasis"}
    assert registry.build("pbx", "asterisk", stasis).capabilities.voices == {"stasis"}


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"context": None}, ["context"]),
        ({"ended": "a,b"}, ["ended"]),
        ({"connect": "stasis"}, ["context"]),
        ({"external_host": "agents", "format": "ulaw"}, ["external_host", "format"]),
        ({"endpoint": "PJSIP/trunk"}, ["endpoint"]),
        ({"endpoint": "PJSIP/{number}@a&PJSIP/1"}, ["endpoint"]),
        ({"user": "a:b", "app": "a b", "sip_403": "busy"}, ["user", "app", "sip_403"]),
    ],
)
def test_faults_of_options_are_told(changes: dict[str, Any], keys: list[str]) -> None:
    options = {name: value for name, value in (OPTIONS | changes).items() if value is not None}
    with pytest.raises(ValueError) as raised:
        registry.build("pbx", "asterisk", options)
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == keys
