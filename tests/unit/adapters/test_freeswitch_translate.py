"""What FreeSWITCH's events come to, and what an originate may say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import registry
from adapters.errors import PlaceError, RateLimited, Rejected
from adapters.events import CallEvent, Fault, Outcome, Phase
from adapters.freeswitch.adapter import FreeswitchAdapter
from adapters.freeswitch.endings import refusal
from adapters.freeswitch.order import LONGEST, Bridge, Dialplan, order
from adapters.freeswitch.translate import event_of, failed, job_word, read, ref_of
from tests.support.carrier import call
from tests.support.providers.freeswitch import originate

ATTEMPT = "call_1"
NUMBER = "+493012345678"
NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
AT = str(int(NOW.timestamp() * 1e6))
BRIDGE = Bridge("sofia/gateway/agents/{voice}")
ENDPOINT = "sofia/gateway/trunk/{number}"


def event(name: str, **more: Any) -> dict[str, Any]:
    ours = {"Unique-ID": ref_of(ATTEMPT), "variable_dialer_attempt": ATTEMPT, "variable_dialer_trunk": "pbx"}
    return {"Event-Name": name, "Event-Date-Timestamp": AT, **ours, **more}


def hangup(word: str, sip: object = None, *, rang: bool = False, answered: bool = False, **more: Any) -> dict[str, Any]:
    times = {
        "Caller-Channel-Progress-Time": AT if rang else "0",
        "Caller-Channel-Progress-Media-Time": "0",
        "Caller-Channel-Answered-Time": AT if answered else "0",
    }
    told = {} if sip is None else {"variable_sip_term_status": str(sip)}
    return event("CHANNEL_HANGUP_COMPLETE", **{"Hangup-Cause": word, **times, **told, **more})


def ending(told: dict[str, Any], **options: bool) -> tuple[Outcome | None, Fault | None]:
    end = read(told, "pbx", **options)[0]
    assert end.phase is Phase.ENDED
    return end.outcome, end.fault


Verdict = tuple[Outcome, Fault]
TRUNK: Verdict = (Outcome.UNREACHABLE, Fault.TRUNK)
CONFIG: Verdict = (Outcome.UNREACHABLE, Fault.CONFIG)
INVALID: Verdict = (Outcome.INVALID_NUMBER, Fault.NUMBER)
PERHAPS: Verdict = (Outcome.INVALID_NUMBER, Fault.CALLEE)
BUSY: Verdict = (Outcome.BUSY, Fault.CALLEE)
DECLINED: Verdict = (Outcome.DECLINED, Fault.CALLEE)
NO_ANSWER: Verdict = (Outcome.NO_ANSWER, Fault.CALLEE)
CANCELLED: Verdict = (Outcome.CANCELLED, Fault.NONE)
UNKNOWN: Verdict = (Outcome.UNKNOWN, Fault.CALLEE)

ROWS = [
    ("USER_BUSY", 486, True, BUSY),
    ("USER_BUSY", 600, False, BUSY),
    ("BUSY_EVERYWHERE", None, False, BUSY),
    ("NO_USER_RESPONSE", 480, True, NO_ANSWER),
    ("NO_USER_RESPONSE", 480, False, NO_ANSWER),
    ("NO_USER_RESPONSE", None, False, TRUNK),
    ("UNALLOCATED_NUMBER", 404, False, INVALID),
    ("UNALLOCATED_NUMBER", None, False, INVALID),
    ("NO_ROUTE_DESTINATION", 604, False, INVALID),
    ("NO_ROUTE_DESTINATION", 485, False, INVALID),
    ("NO_ROUTE_DESTINATION", None, False, TRUNK),
    ("INVALID_NUMBER_FORMAT", 484, False, INVALID),
    ("NUMBER_CHANGED", 410, False, PERHAPS),
    ("DOES_NOT_EXIST_ANYWHERE", None, False, INVALID),
    ("CALL_REJECTED", 403, False, CONFIG),
    ("CALL_REJECTED", 401, False, CONFIG),
    ("CALL_REJECTED", 603, True, DECLINED),
    ("DECLINE", None, True, DECLINED),
    ("UNWANTED", None, False, (Outcome.BLOCKED, Fault.NUMBER)),
    ("RECOVERY_ON_TIMER_EXPIRE", 408, False, TRUNK),
    ("RECOVERY_ON_TIMER_EXPIRE", 504, True, TRUNK),
    ("NORMAL_TEMPORARY_FAILURE", 503, False, TRUNK),
    ("NETWORK_OUT_OF_ORDER", 502, False, TRUNK),
    ("INCOMPATIBLE_DESTINATION", 488, False, CONFIG),
    # Our own timer: the 487 is the network's answer to it.
    ("NO_ANSWER", None, True, NO_ANSWER),
    ("NO_ANSWER", 487, True, NO_ANSWER),
    ("NO_ANSWER", 487, False, TRUNK),
    ("PROGRESS_TIMEOUT", None, False, TRUNK),
    ("ALLOTTED_TIMEOUT", None, True, NO_ANSWER),
    # The network's own.
    ("ORIGINATOR_CANCEL", 487, True, NO_ANSWER),
    ("ORIGINATOR_CANCEL", 487, False, TRUNK),
    # Ours: uuid_kill.
    ("NORMAL_CLEARING", None, True, CANCELLED),
    ("NORMAL_CLEARING", 487, True, CANCELLED),
    ("NORMAL_CLEARING", 480, True, NO_ANSWER),
    ("INVALID_GATEWAY", None, False, CONFIG),
    ("GATEWAY_DOWN", None, False, TRUNK),
    ("USER_NOT_REGISTERED", None, False, TRUNK),
    ("A_WORD_OF_TOMORROW", None, True, TRUNK),
]


@pytest.mark.parametrize(("word", "sip", "rang", "verdict"), ROWS)
def test_how_a_call_that_nobody_answered_is_judged(word: str, sip: int | None, rang: bool, verdict: Verdict) -> None:
    assert ending(hangup(word, sip, rang=rang)) == verdict


@given(st.text(max_size=30), st.none() | st.integers(0, 999), st.booleans(), st.integers(-1, 200))
def test_no_unknown_word_ends_a_number(word: str, sip: int | None, rang: bool, q850: int) -> None:
    _, fault = ending(hangup(word, sip, rang=rang, variable_hangup_cause_q850=str(q850)))
    known = {row[0] for row in ROWS if row[1] is None and row[3][1] is Fault.NUMBER} | {"INVALID_NUMBER_FORMAT", "NUMBER_CHANGED"}
    assert fault is not Fault.NUMBER or sip in {404, 484, 485, 604, 607} or word in known


@pytest.mark.parametrize(
    "told",
    [
        {"variable_sip_invite_failure_status": "404"},
        {"variable_proto_specific_hangup_cause": "sip:404"},
        {"variable_sip_term_status": 404},
        {"variable_sip_term_status": "404", "variable_sip_invite_failure_status": "503"},
    ],
)
def test_where_the_sip_code_may_stand(told: dict[str, Any]) -> None:
    end = read(hangup("CALL_REJECTED", variable_hangup_cause_q850="21", **told), "pbx")[0]
    assert (end.outcome, end.sip, end.q850, end.cause) == (Outcome.INVALID_NUMBER, 404, 21, "CALL_REJECTED")


def test_the_cause_of_a_call_that_nobody_answered_has_the_reason_phrase() -> None:
    phrase: dict[str, Any] = {"variable_sip_invite_failure_phrase": "Number out of service"}
    assert read(hangup("CALL_REJECTED", 403, **phrase), "pbx")[0].cause == "CALL_REJECTED Number out of service"
    answered = read(hangup("NORMAL_CLEARING", variable_billsec="7", variable_sip_reason="Q.850;cause=16"), "pbx")[0]
    assert answered.cause == "NORMAL_CLEARING"


@pytest.mark.parametrize("phrase", ["Channel limit exceeded", "Trunk CPS Limit Exceeded", "Forbidden D3"])
def test_a_trunk_that_is_full_says_so_in_words_or_by_configuration(phrase: str) -> None:
    assert ending(hangup("CALL_REJECTED", 403, variable_sip_invite_failure_phrase=phrase)) == TRUNK
    assert ending(hangup("CALL_REJECTED", 403), limit_403=True) == TRUNK
    assert ending(hangup("UNALLOCATED_NUMBER", 404), limit_403=True) == INVALID


def test_a_block_by_analytics_is_told_from_a_callee_who_declines() -> None:
    blocked = hangup("CALL_REJECTED", 603, variable_sip_invite_failure_phrase="Network Blocked")
    assert ending(blocked) == (Outcome.BLOCKED, Fault.CALLEE)


@pytest.mark.parametrize("word", ["NORMAL_CLEARING", "ALLOTTED_TIMEOUT", "UNALLOCATED_NUMBER", "MEDIA_TIMEOUT"])
def test_who_answered_was_reached_whatever_ended_it(word: str) -> None:
    assert ending(hangup(word, 200, rang=True, answered=True)) == (Outcome.ANSWERED, Fault.NONE)
    assert read(hangup(word, 404, answered=True), "pbx")[0].sip is None


@pytest.mark.parametrize("name", ["variable_answer_epoch", "variable_billsec"])
def test_any_sign_of_an_answer_is_one(name: str) -> None:
    assert ending({**hangup("NORMAL_CLEARING"), name: "7"}) == (Outcome.ANSWERED, Fault.NONE)


@pytest.mark.parametrize(
    ("by", "verdict"),
    [
        ("MACHINE", (Outcome.MACHINE, Fault.CALLEE)),
        ("person", (Outcome.HUMAN, Fault.NONE)),
        ("Human", (Outcome.HUMAN, Fault.NONE)),
        ("NOTSURE", (Outcome.ANSWERED, Fault.NONE)),
    ],
)
def test_the_dialplan_tells_a_machine_from_a_person(by: str, verdict: Verdict) -> None:
    assert ending(hangup("NORMAL_CLEARING", answered=True, variable_dialer_answered_by=by)) == verdict
    assert ending(hangup("NO_ANSWER", rang=True, variable_dialer_answered_by=by)) == NO_ANSWER


def test_what_is_not_told_is_taken_for_the_worse() -> None:
    without = event("CHANNEL_HANGUP_COMPLETE", **{"Hangup-Cause": "NORMAL_CLEARING"})
    assert ending(without) == UNKNOWN, "whether it was answered is not known"
    assert ending({**without, "Hangup-Cause": "NO_ANSWER"}) == NO_ANSWER, "it may have rung"
    assert ending({**without, "Hangup-Cause": "UNALLOCATED_NUMBER"}) == INVALID


def test_each_phase_has_its_own_key_and_the_end_may_leave_a_result() -> None:
    names = ("CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER")
    story = [read(event(name), "pbx") for name in names]
    story.append(read(hangup("NORMAL_CLEARING", answered=True, variable_dialer_result='{"do_not_call": true}'), "pbx"))
    events = [each for told in story for each in told]
    assert [each.phase for each in events] == [
        Phase.DIALING,
        Phase.RINGING,
        Phase.RINGING,
        Phase.ANSWERED,
        Phase.ENDED,
        Phase.RESULT,
    ]
    assert {(each.attempt, each.ref, each.at) for each in events} == {(ATTEMPT, ref_of(ATTEMPT), NOW)}
    assert len({each.key for each in events}) == len(events)
    assert events[-1].data == {"do_not_call": True}


@pytest.mark.parametrize("value", ["yes", "[1]", "{", "%7B%22do_not_call%22%3Atrue%7D"])
def test_what_is_no_object_is_no_result(value: str) -> None:
    assert len(read(hangup("NORMAL_CLEARING", answered=True, variable_dialer_result=value), "pbx")) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"variable_dialer_trunk": "other"},
        {"variable_dialer_attempt": None},
        {"Unique-ID": "the-agent-s-leg"},
        {"Event-Name": "CHANNEL_BRIDGE"},
        {"Event-Name": ["CHANNEL_ANSWER"]},
    ],
)
def test_other_peoples_channels_are_none_of_our_business(other: dict[str, Any]) -> None:
    assert read(event("CHANNEL_ANSWER"), "pbx") != []
    assert read({**event("CHANNEL_ANSWER"), **other}, "pbx") == []


@pytest.mark.parametrize("at", [None, "", "0", "yesterday", "9" * 18])
def test_an_event_without_a_time_is_refused(at: object) -> None:
    with pytest.raises(ValueError, match="time"):
        read({**hangup("USER_BUSY"), "Event-Date-Timestamp": at}, "pbx")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        event_of(body)
    assert event_of(json.dumps({"name": "Ü"}).encode()) == {"name": "Ü"}


def test_the_id_of_a_channel_is_a_uuid_of_the_attempt() -> None:
    assert len(ref_of(ATTEMPT)) == 36 and ref_of(ATTEMPT) == ref_of(ATTEMPT) != ref_of("call_2")


@pytest.mark.parametrize(
    ("said", "word"),
    [("+OK 0123", ""), ("-ERR USER_BUSY\n", "USER_BUSY"), ("-USAGE: <call url>", "USAGE"), ("", "NONE"), ("-ERR\n", "NONE")],
)
def test_what_a_job_says(said: str, word: str) -> None:
    assert job_word({"_body": said}) == word


def test_the_end_of_which_only_the_job_told_never_says_that_nobody_answered() -> None:
    ends = [failed(ATTEMPT, word, NOW) for word in ("USER_BUSY", "NORMAL_CLEARING", "GATEWAY_DOWN")]
    assert [(end.outcome, end.fault) for end in ends] == [BUSY, UNKNOWN, TRUNK]
    assert {end.key for end in ends} == {f"{ref_of(ATTEMPT)}:job"}
    assert isinstance(ends[0], CallEvent) and ends[0].at == NOW


REFUSALS: dict[str, tuple[type[PlaceError], Fault | None]] = {
    "DESTINATION_OUT_OF_ORDER": (RateLimited, None),
    "INVALID_GATEWAY": (Rejected, Fault.CONFIG),
    "INVALID_PROFILE": (Rejected, Fault.CONFIG),
    "INVALID_URL": (Rejected, Fault.CONFIG),
    "CHAN_NOT_IMPLEMENTED": (Rejected, Fault.CONFIG),
    "GATEWAY_DOWN": (Rejected, Fault.TRUNK),
    "USER_NOT_REGISTERED": (Rejected, Fault.TRUNK),
    "USAGE": (Rejected, Fault.REQUEST),
}


@pytest.mark.parametrize("word", REFUSALS)
def test_why_no_call_was_made(word: str) -> None:
    refused = refusal(word)
    assert (type(refused), getattr(refused, "fault", None)) == REFUSALS[word]


@given(st.text(max_size=30) | st.sampled_from([row[0] for row in ROWS]))
def test_no_other_word_says_that_no_call_was_made(word: str) -> None:
    assert (refusal(word) is None) is (word not in REFUSALS)


def test_what_an_originate_says() -> None:
    variables, dialled, goes_to = originate(_arguments(order(call(ATTEMPT, NUMBER), "pbx", ENDPOINT, BRIDGE)))
    assert variables == {
        "origination_uuid": ref_of(ATTEMPT),
        "origination_caller_id_number": "+493011111",
        "origination_caller_id_name": "+493011111",
        "originate_timeout": "20",
        "ignore_early_media": "true",
        "hangup_after_bridge": "true",
        "execute_on_answer": "sched_hangup +60 allotted_timeout",
        "dialer_trunk": "pbx",
        "dialer_attempt": ATTEMPT,
        "dialer_voice": "voice",
        "dialer_limit": "60",
        "dialer_label_campaign": "camp_1",
    }
    assert dialled == f"sofia/gateway/trunk/{NUMBER}"
    agent = "sofia/gateway/agents/voice"
    assert goes_to == [f"&bridge({{sip_h_X-Attempt={ATTEMPT},sip_h_X-Voice=voice,originate_timeout=15}}{agent})"]


@pytest.mark.parametrize(("extension", "goes_to"), [("", "voice XML answered"), ("sales", "sales XML answered")])
def test_an_answered_call_can_go_on_in_the_dialplan(extension: str, goes_to: str) -> None:
    written = order(call(ATTEMPT, NUMBER), "pbx", "sofia/gateway/trunk/{digits}", Dialplan("answered", extension))
    assert written.endswith(f"}}sofia/gateway/trunk/{NUMBER[1:]} {goes_to}")


TRICKS = st.text() | st.lists(
    st.sampled_from([*"{}[],'\"\\|&$()= \n\r\t\0^:%;", "{x=y}", "^^;", "${system(id)}", ":_:", "a"])
).map("".join)


@given(st.dictionaries(TRICKS | st.from_regex(r"[a-z_]{1,9}", fullmatch=True), TRICKS | st.integers() | st.none(), max_size=4))
def test_nothing_that_was_typed_breaks_out_of_an_originate(typed: dict[str, Any]) -> None:
    plain = order(call(ATTEMPT, NUMBER), "pbx", ENDPOINT, BRIDGE)
    try:
        written = order(replace(call(ATTEMPT, NUMBER), variables=typed, labels={}), "pbx", ENDPOINT, BRIDGE)
    except Rejected as refused:
        assert refused.cause == "too_long"
        return
    assert written.isascii() and written.isprintable()
    variables, *rest = originate(_arguments(written))
    before, *same = originate(_arguments(plain))
    assert rest == same
    ours = {name: value for name, value in variables.items() if not name.startswith("dialer_var_")}
    assert ours == {name: value for name, value in before.items() if name != "dialer_label_campaign"}
    for name, value in variables.items():
        if name.startswith("dialer_var_"):
            given = str(typed[name.removeprefix("dialer_var_")])
            assert unquote(value) == given.encode(errors="replace").decode()


@given(TRICKS)
def test_what_cannot_be_encoded_is_refused(text: str) -> None:
    for field in ("to", "caller_id", "attempt", "voice"):
        try:
            written = order(replace(call(ATTEMPT, NUMBER), **{field: text}), "pbx", ENDPOINT, BRIDGE)  # type: ignore[arg-type]
        except Rejected as refused:
            assert refused.fault is Fault.REQUEST
        else:
            assert all(character.isalnum() or character in "_.+-" for character in text)
            assert len(originate(_arguments(written))[2]) == 1


@pytest.mark.parametrize("field", ["to", "caller_id"])
def test_a_refused_number_is_not_repeated(field: str) -> None:
    with pytest.raises(Rejected) as raised:
        order(replace(call(ATTEMPT, NUMBER), **{field: "+49 30 12345678"}), "pbx", ENDPOINT, BRIDGE)  # type: ignore[arg-type]
    assert "12345678" not in str(raised.value) and raised.value.cause == ("bad_number" if field == "to" else "bad_caller_id")


def test_an_originate_has_its_limit() -> None:
    with pytest.raises(Rejected) as raised:
        order(replace(call(ATTEMPT, NUMBER), variables={"text": "a" * LONGEST}), "pbx", ENDPOINT, BRIDGE)
    assert (raised.value.fault, raised.value.cause) == (Fault.REQUEST, "too_long")


def _arguments(written: str) -> str:
    verb, _, arguments = written.partition(" ")
    assert verb == "originate"
    return arguments


OPTIONS = {"password": "p", "endpoint": "sofia/gateway/t/{digits}", "target": "sofia/gateway/agents/{voice}"}
DIALPLAN = {"password": "p", "endpoint": "sofia/external/{number}@sbc.example:5060;transport=tcp", "connect": "dialplan"}


def test_it_is_built_and_says_what_it_can() -> None:
    built = registry.build("pbx", "freeswitch", OPTIONS)
    assert isinstance(built, FreeswitchAdapter) and built.capabilities.voices == {"sip"}
    dialplan = registry.build("pbx", "freeswitch", {**DIALPLAN, "context": "answered"})
    assert dialplan.capabilities.voices == {"dialplan"}


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({**OPTIONS, "password": "two\nlines"}, ["password"]),
        ({**OPTIONS, "password": None, "target": None}, ["password", "target"]),
        ({**OPTIONS, "endpoint": "sofia/gateway/t/1"}, ["endpoint"]),
        ({**OPTIONS, "endpoint": "sofia/gateway/t/{number},sofia/gateway/t/1"}, ["endpoint"]),
        ({**OPTIONS, "endpoint": "sofia/gateway/t/{number}:_:user/1"}, ["endpoint"]),
        ({**OPTIONS, "endpoint": "{x=y}user/{number}"}, ["endpoint"]),
        ({**OPTIONS, "target": "user/1 "}, ["target"]),
        ({**OPTIONS, "context": "answered"}, ["context"]),
        ({**OPTIONS, "sip_403": "busy", "port": 0, "timeout": 99}, ["port", "sip_403", "timeout"]),
        (DIALPLAN, ["context"]),
        ({**DIALPLAN, "context": "answered", "target": "user/1"}, ["target"]),
        ({**DIALPLAN, "context": "a b", "extension": "a b"}, ["extension", "context"]),
    ],
)
def test_faults_of_options_are_told(options: dict[str, Any], keys: list[str]) -> None:
    with pytest.raises(ValueError) as raised:
        registry.build("pbx", "freeswitch", {name: value for name, value in options.items() if value is not None})
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == keys


def test_a_trunk_has_a_name_that_can_be_written() -> None:
    with pytest.raises(ValueError, match="name"):
        registry.build("a,b", "freeswitch", OPTIONS)
