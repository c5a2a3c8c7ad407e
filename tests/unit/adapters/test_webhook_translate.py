"""The adapter for any provider, by the example of adapters/README.md: callbacks proven and read, endings judged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Hook, Reply
from adapters.errors import Forged
from adapters.events import CallEvent, Fault, Outcome, Phase
from adapters.signatures import signature
from adapters.webhook.adapter import WebhookAdapter
from adapters.webhook.reading import OUTCOMES, time_of
from adapters.webhook.settings import read
from tests.support.providers.webhook import options, signed

NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
SECRET = options()["signing_secret"]
TOKEN = "a-long-random-token"
URL = "https://dialer.example/hooks/acme"
CALL: Mapping[str, Any] = {
    "id": "acme-1",
    "metadata": {"attempt": "call_1"},
    "ringing_at": "2026-09-01T09:58:00Z",
    "answered_at": None,
    "answered_by": None,
    "end_reason": "busy",
    "sip_code": 486,
}
ANSWERED = {"answered_at": "2026-09-01T09:59:00Z", "sip_code": 200}
NAMES = st.sampled_from(["event", "call", "metadata", "attempt", "id", "occurred_at"])
PAYLOADS = st.recursive(
    st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=8
)
EXAMPLE = WebhookAdapter("acme", read(options()))


def adapter(given_: Mapping[str, Any] | None = None) -> WebhookAdapter:
    return WebhookAdapter("acme", read(given_)) if given_ else EXAMPLE


def changed(**changes: Any) -> dict[str, Any]:
    """The example, with these keys of its table `callback` changed; None takes one away."""
    callback = {**options()["callback"], **changes}
    return options(callback={key: value for key, value in callback.items() if value is not None})


def hook(said: object, *, url: str = URL, secret: str = SECRET, at: datetime = NOW) -> Hook:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return sent(body, signed(secret, body, at.timestamp()), url=url)


def sent(body: bytes, headers: Mapping[str, str], *, url: str = URL) -> Hook:
    return Hook("POST", url, {name.lower(): value for name, value in headers.items()}, body, NOW)


def told(event: str = "call.ended", at: object = "2026-09-01T09:59:30+00:00", **changes: Any) -> list[CallEvent]:
    events, reply = adapter().receive(hook({"event": event, "occurred_at": at, "call": {**CALL, **changes}}))
    assert reply == Reply()
    return events


def test_an_end_is_read_whole() -> None:
    (event,) = told()
    ended = datetime(2026, 9, 1, 9, 59, 30, tzinfo=UTC)
    assert event == CallEvent(
        Phase.ENDED, ended, "call_1", "acme-1", "call_1:ended:busy", Outcome.BUSY, Fault.CALLEE, "busy", sip=486
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"answered_by": "human", "end_reason": "hangup", **ANSWERED}, ("human", Fault.NONE)),
        ({"answered_by": "voicemail", "end_reason": "hangup", **ANSWERED}, ("machine", Fault.CALLEE)),
        ({"answered_by": "fax", "end_reason": "hangup", **ANSWERED}, ("machine", Fault.NUMBER)),
        ({"answered_by": "not_sure", "end_reason": "hangup", **ANSWERED}, ("answered", Fault.NONE)),
        ({"end_reason": "busy"}, ("busy", Fault.CALLEE)),
        ({"end_reason": "rejected"}, ("declined", Fault.CALLEE)),
        ({"end_reason": "no-answer", "sip_code": 487}, ("no_answer", Fault.CALLEE)),
        ({"end_reason": "no-answer", "sip_code": 480, "ringing_at": None}, ("no_answer", Fault.CALLEE)),
        ({"end_reason": "no-answer", "sip_code": None, "ringing_at": None}, ("unreachable", Fault.TRUNK)),
        ({"end_reason": "wrong-number"}, ("invalid_number", Fault.NUMBER)),
        ({"end_reason": "out-of-credit"}, ("unreachable", Fault.CONFIG)),
        ({"end_reason": "canceled"}, ("cancelled", Fault.NONE)),
        ({"end_reason": "failed", "sip_code": 404}, ("invalid_number", Fault.NUMBER)),
        ({"end_reason": "failed", "sip_code": "503"}, ("unreachable", Fault.TRUNK)),
        ({"end_reason": "failed", "sip_code": 403}, ("unreachable", Fault.CONFIG)),
        ({"end_reason": "BUSY", "sip_code": None, "ringing_at": None}, ("unreachable", Fault.TRUNK)),
        ({"end_reason": "agent-crashed", **ANSWERED}, ("answered", Fault.NONE)),
        ({"end_reason": None, "sip_code": None, "ringing_at": None}, ("unreachable", Fault.TRUNK)),
    ],
)
def test_endings_are_judged(changes: Mapping[str, Any], expected: tuple[str, Fault]) -> None:
    event = told(**changes)[0]
    assert (event.outcome, event.fault) == (Outcome(expected[0]), expected[1])


@given(
    st.one_of(st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False)),
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.none())),
    st.one_of(st.none(), st.booleans(), st.text()),
)
def test_an_unknown_word_never_ends_a_number(said: object, answered: object, rang: object) -> None:
    if isinstance(said, str) and said in options()["outcomes"]:
        return
    one: dict[str, Any] = {"end_reason": said}
    for by in (one, one | {"answered_by": said}):
        (event, *_) = told(sip_code=None, answered_at=answered, ringing_at=rang, **by)
        assert event.fault is not Fault.NUMBER and event.outcome in {Outcome.UNREACHABLE, Outcome.NO_ANSWER, Outcome.ANSWERED}
        # A text may be a nought or a no: which ones are is paths.truth's, and its own tests'.
        assert event.outcome is Outcome.ANSWERED or not answered or isinstance(answered, str)


def test_where_nobody_says_whether_somebody_picked_up_an_unknown_word_leaves_open_what_the_call_came_to() -> None:
    blind = adapter(changed(answered=None, sip=None))
    said = {"event": "call.ended", "call": {**CALL, "end_reason": "agent-crashed"}}
    (event,), _ = blind.receive(hook(said))
    assert (event.outcome, event.fault, event.cause) == (None, None, "agent-crashed")
    assert event.at == NOW


def test_the_phases_are_those_of_the_table_and_other_types_are_no_news() -> None:
    assert [event.phase for event in told("call.ringing")] == [Phase.RINGING]
    assert [event.phase for event in told("call.answered")] == [Phase.ANSWERED]
    assert told("call.transferred") == [] == told("")
    assert told(metadata={}) == []


def test_a_verdict_on_who_picked_up_is_told_once_it_is_one() -> None:
    amd = adapter(changed(types={"amd": "classified", "call.ended": "ended"}))
    for who, outcomes in (
        ("voicemail", [Outcome.MACHINE]),
        ("human", [Outcome.HUMAN]),
        ("not_sure", []),
        ("fax", [Outcome.MACHINE]),
    ):
        said = {"event": "amd", "call": {**CALL, **ANSWERED, "answered_by": who, "end_reason": None}}
        assert [event.outcome for event in adapter_events(amd, said)] == outcomes


def adapter_events(read_by: WebhookAdapter, said: object) -> list[CallEvent]:
    return read_by.receive(hook(said))[0]


def test_a_result_is_read_part_by_part_and_what_has_another_form_is_left_out() -> None:
    analysis = {
        "transcript": [{"role": "agent", "text": "Hello?", "at": 1}, {"who": "?"}],
        "recording": "https://acme.example/r/1",
        "summary": 5,
        "success": True,
        "fields": {"interested": True},
        "call_again_at": "2026-09-02T10:00:00+02:00",
        "disposition": "DO_NOT_CONTACT",
        "finished_at": 1788256800,
    }
    (event,) = told("call.analyzed", analysis=analysis, price="0.04", currency="EUR")
    assert event.phase is Phase.RESULT and event.at == datetime.fromtimestamp(1788256800, UTC)
    assert event.data == {
        "transcript": [{"role": "agent", "text": "Hello?"}],
        "recording_url": "https://acme.example/r/1",
        "success": True,
        "extracted": {"interested": True},
        "callback_at": "2026-09-02T08:00:00+00:00",
        "do_not_call": True,
        "cost": {"amount": "0.04", "currency": "EUR"},
    }


@pytest.mark.parametrize(
    ("said", "no"),
    [
        (True, True),
        ("true", True),
        ("Yes", True),
        (1, True),
        ("DO_NOT_CONTACT", True),
        (False, False),
        ("OK", False),
        (None, False),
    ],
)
def test_a_no_is_taken_for_one_in_doubt(said: object, no: bool) -> None:
    data = [event.data for event in told("call.analyzed", analysis={"disposition": said})]
    assert data == [{"do_not_call": True}] * no


def test_a_no_is_heard_while_the_call_is_up_and_nothing_else_of_its_result() -> None:
    first, no = told("call.answered", analysis={"disposition": "DO_NOT_CONTACT", "summary": "So far."})
    assert (first.phase, first.data, no.phase, no.data) == (Phase.ANSWERED, {}, Phase.RESULT, {"do_not_call": True})


def test_a_no_may_stand_at_several_places() -> None:
    places = {"do_not_call": ["event", "call.disposition"], "do_not_call_words": ["call.opt_out", "DNC"]}
    one = adapter(changed(types={"call.opt_out": "result", "call.ended": "ended"}, result=places))
    for event, disposition in (("call.opt_out", None), ("call.ended", "DNC")):
        told_of = adapter_events(one, {"event": event, "call": {**CALL, "disposition": disposition}})
        assert told_of[-1].data == {"do_not_call": True}


def test_an_end_that_brings_its_result_tells_both_and_a_price_alone_is_none() -> None:
    assert [event.phase for event in told(analysis={"summary": "Talked."})] == [Phase.ENDED, Phase.RESULT]
    assert [event.phase for event in told(price="0.04", currency="EUR")] == [Phase.ENDED]


def test_a_time_to_call_again_on_nobodys_clock_is_left_out() -> None:
    assert told("call.analyzed", analysis={"call_again_at": "2026-09-02T10:00:00"}) == []


def test_keys_are_made_of_what_is_said() -> None:
    keys = [told(**changes)[0].key for changes in ({}, {}, {"end_reason": "rejected"})]
    assert keys[0] == keys[1] != keys[2]
    results = [told("call.analyzed", analysis={"summary": text})[0].key for text in ("a", "a", "b")]
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-09-01T10:00:00Z", NOW),
        ("2026-09-01T12:00:00.0+02:00", NOW),
        (NOW.timestamp(), NOW),
        (f"{NOW.timestamp():.0f}", NOW),
        (NOW.timestamp() * 1000, NOW),
        (f"{NOW.timestamp() * 1000:.0f}", NOW),
        ("2026-09-01T10:00:00", None),
        ("noon", None),
        ("", None),
        (True, None),
        (None, None),
        (1e300, None),
        (float("inf"), None),
    ],
)
def test_times_are_read_with_their_offset_or_as_seconds_or_milliseconds(said: object, moment: datetime | None) -> None:
    assert time_of(said) == moment


@pytest.mark.parametrize("absurd", ["1970-01-01T00:00:00Z", 5, "2027-01-01T00:00:00Z", "soon", None])
def test_where_the_time_is_absurd_that_of_the_arrival_holds(absurd: object) -> None:
    assert told(at=absurd)[0].at == NOW


@given(st.one_of(st.binary(max_size=60), PAYLOADS))
def test_whatever_was_signed_is_read_or_answered_400(said: object) -> None:
    events, reply = adapter().receive(hook(said))
    assert reply.status in {204, 400} and (reply.status == 204 or events == [])


@given(st.binary(max_size=50), st.text(max_size=80))
def test_a_forged_or_stale_callback_is_refused(other: bytes, header: str) -> None:
    good = hook({"event": "call.ended", "call": CALL})
    forgeries = [
        hook(good.body, secret="another"),
        hook(good.body, at=NOW - timedelta(seconds=301)),
        hook(good.body, at=NOW + timedelta(seconds=301)),
        replace(good, headers={}),
        replace(good, body=other),
        replace(good, headers={**good.headers, "x-acme-signature": header}),
        replace(good, headers={**good.headers, "x-acme-signature": good.headers["x-acme-signature"].removeprefix("sha256=")}),
        replace(good, headers={**good.headers, "x-acme-timestamp": f"{NOW.timestamp() + 1:.0f}"}),
    ]
    for forged in forgeries:
        with pytest.raises(Forged):
            adapter().receive(forged)


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("of", ["{body}", "{url}|{body}", "{body}"])
def test_signatures_of_each_kind_are_checked(digest: Any, encoding: Any, of: str) -> None:
    how = {"header": "X-Sig", "digest": digest, "encoding": encoding, "signed": of}
    body = json.dumps({"event": "call.ended", "call": CALL}).encode()
    message = of.replace("{url}", URL).replace("{body}", body.decode()).encode()
    headers = {"X-Sig": signature(SECRET, message, digest=digest, form=encoding)}
    one = adapter(changed(signature=how))
    assert len(one.receive(sent(body, headers))[0]) == 1
    with pytest.raises(Forged):
        one.receive(sent(body + b" ", headers))
    if "{url}" in of:
        with pytest.raises(Forged):
            one.receive(sent(body, headers, url=URL + "?attempt=call_2"))


def test_a_signature_and_its_time_may_be_fields_of_one_header() -> None:
    how = {
        "header": "Acme",
        "field": "v1",
        "timestamp_field": "t",
        "timestamp_unit": "milliseconds",
        "signed": "{timestamp}.{body}",
    }
    body = json.dumps({"event": "call.ended", "call": CALL}).encode()
    one = adapter(changed(signature=how))
    for late, good in ((0, True), (301, False)):
        stamp = f"{(NOW.timestamp() - late) * 1000:.0f}"
        callback = sent(body, {"Acme": f"t={stamp},v1={signature(SECRET, f'{stamp}.'.encode() + body)}"})
        if good:
            assert one.receive(callback)[0]
        else:
            with pytest.raises(Forged, match="minutes off"):
                one.receive(callback)


@pytest.mark.parametrize(
    ("token", "headers", "query", "good"),
    [
        ({"header": "X-Token"}, {"X-Token": TOKEN}, "", True),
        ({"header": "Authorization", "prefix": "Bearer "}, {"Authorization": f"Bearer {TOKEN}"}, "", True),
        ({"header": "Authorization", "prefix": "Bearer "}, {"Authorization": TOKEN}, "", False),
        ({"header": "X-Token"}, {}, f"?token={TOKEN}", False),
        ({"header": "X-Token"}, {"X-Token": TOKEN + "ü"}, "", False),
        ({"query": "token"}, {}, f"?token={TOKEN}", True),
        ({"query": "token"}, {}, f"?token={TOKEN}&token={TOKEN}", False),
        ({"query": "token"}, {"token": TOKEN}, "", False),
    ],
)
def test_a_token_is_compared(token: Any, headers: Mapping[str, str], query: str, good: bool) -> None:
    one = adapter(changed(signature=None, token=token) | {"callback_token": TOKEN})
    callback = sent(json.dumps({"event": "call.ended", "call": CALL}).encode(), headers, url=URL + query)
    if good:
        assert one.receive(callback)[0]
    else:
        with pytest.raises(Forged):
            one.receive(callback)


def test_forms_are_read_and_the_attempt_may_stand_in_the_address() -> None:
    form = changed(
        format="form", type=None, types=None, phase="ended", attempt=None, attempt_query="attempt", id="CallId",
        at=None, outcome="Reason", answered="Duration", rang=None, sip=None, result=None,
    )  # fmt: skip
    one = adapter(form)
    body = urlencode({"CallId": "A1", "Reason": "strange", "Duration": "12"}).encode()
    headers = signed(SECRET, body, NOW.timestamp())
    (event,), _ = one.receive(sent(body, headers, url=URL + "?attempt=call_9"))
    assert (event.attempt, event.ref, event.outcome) == ("call_9", "A1", Outcome.ANSWERED)
    assert one.receive(sent(body, headers))[0] == []
    assert one.receive(sent(b"\xff", signed(SECRET, b"\xff", NOW.timestamp())))[1].status == 400


def test_every_outcome_but_none_can_be_mapped_and_keeps_to_its_faults() -> None:
    assert {outcome for outcome, _ in OUTCOMES.values()} == set(Outcome)
    assert {word for word, (_, fault) in OUTCOMES.items() if fault is Fault.NUMBER} == {
        "invalid_number",
        "machine/number",
        "blocked/number",
    }
