"""The simulated carrier's signature and payloads."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Hook, Reply
from adapters.errors import Forged
from adapters.events import Fault, Outcome, Phase
from adapters.simulated import translate
from adapters.simulated.adapter import SimulatedAdapter

SECRET = "secret"
NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
ENDED = {
    "id": "sim_1:3",
    "type": "call.ended",
    "call": "sim_1",
    "attempt": "call_1",
    "at": NOW.timestamp(),
    "answered_by": None,
    "rang": True,
    "cancelled": False,
    "sip": 486,
    "q850": 17,
    "reason": "busy here",
}


def hook(body: bytes, *, signed_at: datetime = NOW, secret: str = SECRET) -> Hook:
    timestamp = f"{signed_at.timestamp():.3f}"
    signature = translate.sign(secret, timestamp, body)
    headers = {translate.TIMESTAMP: timestamp, translate.SIGNATURE: signature}
    return Hook("POST", "https://dialer.example/hooks/sim", headers, body, NOW)


@given(st.binary(max_size=200), st.floats(-299, 299))
def test_what_the_carrier_signed_within_five_minutes_is_believed(body: bytes, seconds: float) -> None:
    translate.verify(SECRET, hook(body, signed_at=NOW + timedelta(seconds=seconds)))


@given(st.binary(max_size=50), st.binary(max_size=50), st.text(max_size=70))
def test_anything_else_is_forged(body: bytes, other: bytes, signature: str) -> None:
    good = hook(body)
    forgeries = [
        hook(body, secret="another"),
        hook(body, signed_at=NOW - timedelta(seconds=301)),
        hook(body, signed_at=NOW + timedelta(seconds=301)),
        replace(good, headers={}),
        replace(good, headers={**good.headers, translate.SIGNATURE: signature}),
        replace(good, headers={**good.headers, translate.TIMESTAMP: f"{NOW.timestamp() + 1:.3f}"}),
    ]
    forgeries += [replace(good, body=other)] * (other != body)
    for forged in forgeries:
        with pytest.raises(Forged):
            translate.verify(SECRET, forged)


@pytest.mark.parametrize("timestamp", ["nan", "inf", "soon", ""])
def test_a_signed_timestamp_that_is_none_is_forged(timestamp: str) -> None:
    headers = {translate.TIMESTAMP: timestamp, translate.SIGNATURE: translate.sign(SECRET, timestamp, b"{}")}
    with pytest.raises(Forged):
        translate.verify(SECRET, Hook("POST", "", headers, b"{}", NOW))


def test_an_end_is_read_whole() -> None:
    (event,) = translate.translate(ENDED)
    assert (event.phase, event.at, event.attempt, event.ref, event.key) == (Phase.ENDED, NOW, "call_1", "sim_1", "sim_1:3")
    assert (event.outcome, event.fault, event.cause, event.sip, event.q850) == (
        Outcome.BUSY,
        Fault.CALLEE,
        "busy here",
        486,
        17,
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"answered_by": "human", "sip": 200}, (Outcome.HUMAN, Fault.NONE)),
        ({"answered_by": "machine", "sip": 200}, (Outcome.MACHINE, Fault.CALLEE)),
        ({"answered": True, "sip": 200}, (Outcome.ANSWERED, Fault.NONE)),
        ({"cancelled": True, "sip": 487}, (Outcome.CANCELLED, Fault.NONE)),
        ({"sip": 503, "rang": False}, (Outcome.UNREACHABLE, Fault.TRUNK)),
        ({"sip": 404, "rang": False}, (Outcome.INVALID_NUMBER, Fault.NUMBER)),
    ],
)
def test_ends_are_judged(changes: dict[str, object], expected: tuple[Outcome, Fault]) -> None:
    (event,) = translate.translate(ENDED | changes)
    assert (event.outcome, event.fault) == expected


def test_an_event_of_an_unknown_type_is_no_event() -> None:
    assert translate.translate(ENDED | {"type": "call.transferred"}) == []


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b"\xff", json.dumps(ENDED | {"at": "noon"}).encode(), b'{"type": []}']
)
def test_a_signed_callback_that_cannot_be_read_is_answered_400(body: bytes) -> None:
    adapter = SimulatedAdapter("sim", base_url="http://127.0.0.1:9", api_key="k", signing_secret=SECRET)
    events, reply = adapter.receive(hook(body))
    assert (events, reply.status) == ([], 400)


def test_a_good_callback_is_answered_204() -> None:
    adapter = SimulatedAdapter("sim", base_url="http://127.0.0.1:9", api_key="k", signing_secret=SECRET)
    events, reply = adapter.receive(hook(json.dumps(ENDED).encode()))
    assert (len(events), reply) == (1, Reply())
