"""LiveKit's tokens, webhooks and SIP statuses."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import registry
from adapters.base import Hook, Reply
from adapters.errors import Ambiguous, Forged, PlaceError, RateLimited, Rejected
from adapters.events import Fault, Outcome, Phase
from adapters.http import Answer
from adapters.livekit import tokens, translate
from tests.support.providers.livekit import API_KEY, API_SECRET, make, signed

NOW = datetime.now(UTC)
LEFT: dict[str, Any] = {
    "event": "participant_left",
    "id": "EV_1",
    "createdAt": "1788256800",
    "room": {"sid": "RM_1", "name": "call-call_1"},
    "participant": {"sid": "PA_1", "identity": "callee", "attributes": {}, "disconnectReason": "CLIENT_INITIATED"},
}


def hook(told: Any, **changes: Any) -> Hook:
    begins = int(NOW.timestamp())
    callback = signed(told, **{"nbf": begins, "exp": begins + 300, **changes})
    headers = {name.lower(): value for name, value in callback.headers.items()}
    return Hook("POST", "https://dialer.example/hooks/livekit", headers, callback.body, NOW)


def verify(given: Hook) -> None:
    tokens.verify(API_KEY, API_SECRET, given)


def left(reason: Any, status: str | None = None, **changes: Any) -> dict[str, Any]:
    attributes = {"sip.callStatus": status} if status else {}
    return {**LEFT, "participant": {**LEFT["participant"], "disconnectReason": reason, "attributes": attributes}, **changes}


def read(told: Any) -> list[tuple[Phase, Outcome | None, Fault | None]]:
    return [(event.phase, event.outcome, event.fault) for event in translate.read(json.dumps(told).encode())]


@given(st.lists(st.integers()))
def test_what_was_signed_with_our_secret_is_believed(told: list[int]) -> None:
    verify(hook(told))
    bearer = hook(told)
    verify(replace(bearer, headers={"authorization": f"Bearer {bearer.headers['authorization']}"}))


@given(st.binary(max_size=50), st.text(max_size=90))
def test_anything_else_is_forged(body: bytes, garbage: str) -> None:
    good, second = hook(LEFT), timedelta(seconds=1)
    token = good.headers["authorization"]
    for forged in (
        hook(LEFT, secret="another"),
        hook(LEFT, iss="another"),
        hook(LEFT, sha256=tokens.digest(b"another")),
        hook(LEFT, sha256=None),
        hook(LEFT, exp=None),
        hook(LEFT, exp="soon"),
        replace(good, received_at=NOW + timedelta(seconds=300 + tokens.LEEWAY) + 5 * second),  # replayed
        replace(good, received_at=NOW - timedelta(seconds=tokens.LEEWAY) - 5 * second),
        replace(good, body=body),
        replace(good, headers={}),
        replace(good, headers={"authorization": garbage}),
        replace(good, headers={"authorization": token + garbage + "x"}),
        replace(good, headers={"authorization": token.rpartition(".")[0] + "."}),
    ):
        with pytest.raises(Forged):
            verify(forged)


@pytest.mark.parametrize("head", [{"alg": "none"}, {"alg": "HS512"}, {}, [], "text"])
def test_a_token_of_another_kind_is_forged_even_with_the_right_signature(head: object) -> None:
    good = hook(LEFT)
    claims = good.headers["authorization"].split(".")[1]
    begin = f"{base64.urlsafe_b64encode(json.dumps(head).encode()).rstrip(b'=').decode()}.{claims}"
    with pytest.raises(Forged):
        verify(replace(good, headers={"authorization": f"{begin}.{tokens._mac(API_SECRET, begin)}"}))


def test_an_adapter_without_a_secret_believes_nobody() -> None:
    with pytest.raises(Forged):
        tokens.verify(API_KEY, "", hook(LEFT, secret=API_SECRET))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({**LEFT, "event": "participant_joined"}, [(Phase.DIALING, None, None)]),
        (left("CLIENT_INITIATED"), [(Phase.ENDED, Outcome.ANSWERED, Fault.NONE)]),
        (left(1), [(Phase.ENDED, Outcome.ANSWERED, Fault.NONE)]),
        (left("ROOM_DELETED", "active"), [(Phase.ENDED, Outcome.ANSWERED, Fault.NONE)]),
        (left("PARTICIPANT_REMOVED", "automation"), [(Phase.ENDED, Outcome.ANSWERED, Fault.NONE)]),
        (left("ROOM_DELETED", "ringing"), [(Phase.ENDED, Outcome.CANCELLED, Fault.NONE)]),
        (left("PARTICIPANT_REMOVED", "dialing"), [(Phase.ENDED, Outcome.CANCELLED, Fault.NONE)]),
        (left("ROOM_DELETED"), [(Phase.ENDED, None, None)]),
        (left("ROOM_DELETED", "hangup"), [(Phase.ENDED, None, None)]),
        (left("MEDIA_FAILURE"), [(Phase.ENDED, None, None)]),
        (left("AGENT_ERROR", "active"), [(Phase.ENDED, Outcome.ANSWERED, Fault.NONE)]),
        (left("USER_UNAVAILABLE"), []),
        (left("USER_REJECTED"), []),
        (left("SIP_TRUNK_FAILURE"), []),
        (left(13), []),
        (left("MIGRATION"), []),
        ({**LEFT, "participant": {"identity": "agent-1"}}, []),
        ({**LEFT, "room": {"name": "somebody else's"}}, []),
        ({"event": "room_finished", "room": {"name": "call-call_1"}}, []),
        ({"event": "egress_started"}, []),
    ],
)
def test_webhooks_are_read(told: dict[str, Any], expected: list[tuple[Phase, Outcome | None, Fault | None]]) -> None:
    assert read(told) == expected


@given(st.text() | st.integers() | st.none(), st.text())
def test_an_unknown_reason_never_ends_a_number(reason: object, status: str) -> None:
    assert all(fault in {None, Fault.NONE} for _, _, fault in read(left(reason, status)))


def test_an_end_is_read_whole() -> None:
    (told,) = translate.read(json.dumps(LEFT).encode())
    assert (told.at, told.attempt, told.ref) == (datetime.fromtimestamp(1788256800, UTC), "call_1", "call-call_1")
    assert (told.key, told.cause) == ("call-call_1:ended", "CLIENT_INITIATED")


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        {**LEFT, "room": None},
        {**LEFT, "createdAt": "noon"},
        {**LEFT, "createdAt": None},
        {**LEFT, "participant": []},
    ],
)
def test_a_signed_webhook_that_cannot_be_read_is_answered_400(told: object) -> None:
    events, reply = make("http://127.0.0.1:9", 1).receive(hook(told))
    assert (events, reply.status) == ([], 400)


def test_a_good_webhook_is_answered_204() -> None:
    events, reply = make("http://127.0.0.1:9", 1).receive(hook(LEFT))
    assert (len(events), reply) == (1, Reply())


def twirp(status: int, said: object) -> PlaceError:
    return translate.refused(Answer(status, {}, json.dumps(said).encode()))


@pytest.mark.parametrize(
    ("status", "sip", "rang", "expected"),
    [
        (429, 486, True, (Outcome.BUSY, Fault.CALLEE)),
        (429, 600, False, (Outcome.BUSY, Fault.CALLEE)),
        (429, 480, False, (Outcome.NO_ANSWER, Fault.CALLEE)),
        (408, 487, False, (Outcome.NO_ANSWER, Fault.CALLEE)),
        (408, 408, True, (Outcome.NO_ANSWER, Fault.CALLEE)),
        (408, 408, False, (Outcome.UNREACHABLE, Fault.TRUNK)),
        (408, 504, True, (Outcome.UNREACHABLE, Fault.TRUNK)),
        (404, 404, False, (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        (404, 604, False, (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        (404, 410, False, (Outcome.INVALID_NUMBER, Fault.CALLEE)),
        (400, 484, False, (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        (403, 603, True, (Outcome.DECLINED, Fault.CALLEE)),
        (403, 403, False, (Outcome.UNREACHABLE, Fault.CONFIG)),
        (403, 401, False, (Outcome.UNREACHABLE, Fault.CONFIG)),
        (412, 503, False, (Outcome.UNREACHABLE, Fault.TRUNK)),
        (500, 500, False, (Outcome.UNREACHABLE, Fault.TRUNK)),
        (500, 699, False, (Outcome.UNREACHABLE, Fault.TRUNK)),
    ],
)
def test_the_sip_status_of_a_failed_call_is_its_end(status: int, sip: int, rang: bool, expected: tuple[Outcome, Fault]) -> None:
    in_meta = twirp(
        status, {"code": "any", "msg": "INVITE failed", "meta": {"sip_status_code": str(sip), "sip_status": "so it is"}}
    )
    in_text = twirp(status, {"code": "any", "msg": f"twirp error: INVITE failed: sip status: {sip}: so it is"})
    for failed in (in_meta, in_text):
        assert isinstance(failed, translate.CallFailed)
        event = translate.failure("call_1", failed, NOW, rang=rang)
        assert (event.phase, event.outcome, event.fault, event.sip) == (Phase.ENDED, *expected, sip)


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (400, {"code": "invalid_argument", "msg": "no such thing"}, Rejected),
        (401, {"code": "unauthenticated", "msg": "invalid token"}, Rejected),
        (404, {"code": "not_found", "msg": "object cannot be found"}, Rejected),
        (429, {"code": "resource_exhausted", "msg": "quota exceeded"}, RateLimited),
        (503, {"code": "unavailable", "msg": "no server"}, Ambiguous),
        (429, {"code": "resource_exhausted", "msg": "INVITE failed"}, Ambiguous),
        (404, {"code": "not_found", "msg": "the SIP peer has no such user"}, Ambiguous),
        (429, {"code": "resource_exhausted", "msg": "", "meta": {"sip_status_code": "busy"}}, Ambiguous),
        (403, [], Rejected),
        (403, {"msg": 7, "meta": "x"}, Rejected),
    ],
)
def test_an_error_without_a_sip_status_is_a_refusal_only_if_it_does_not_speak_of_sip(
    status: int, said: object, expected: type[PlaceError]
) -> None:
    found = twirp(status, said)
    assert type(found) is expected


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ({"participants": [{"identity": "agent"}, {"identity": "callee", "attributes": {"sip.callStatus": "active"}}]}, "active"),
        ({"participants": [{"identity": "callee"}]}, ""),
        ({"participants": [{"identity": "agent"}]}, None),
        ({"participants": []}, None),
        ({}, None),
    ],
)
def test_the_callee_is_found_among_the_participants(listed: object, expected: str | None) -> None:
    assert translate.callee(listed) == expected


@pytest.mark.parametrize("listed", [[1], {"participants": 7}, {"participants": [{}]}, {"rooms": []}])
def test_a_list_that_cannot_be_read_says_nothing(listed: object) -> None:
    with pytest.raises(ValueError):
        translate.callee(listed)


@pytest.mark.parametrize("named", [{"participant_id": "PA_1"}, {"participantId": "PA_1"}])
def test_a_participant_is_read_in_both_spellings(named: dict[str, str]) -> None:
    translate.joined(Answer(200, {}, json.dumps(named).encode()))


def test_a_token_of_ours_is_good_for_one_room_and_not_for_long() -> None:
    claims = tokens._decode(tokens.access("key", "secret", "call-1", NOW).split(".")[1])
    assert claims["video"]["room"] == "call-1" and 0 < claims["exp"] - NOW.timestamp() <= tokens.LIFE


GOOD = {"base_url": "https://livekit.example", "api_key": "APIkey", "api_secret": "secret", "trunk_id": "ST_1"}


def test_options_are_enough() -> None:
    assert registry.build("lk", "livekit", GOOD).capabilities.place_timeout == 20


def test_all_faults_of_options_are_told_at_once_without_values() -> None:
    with pytest.raises(ValueError) as caught:
        registry.build("lk", "livekit", {"base_url": "wss://livekit.example", "api_secret": "", "trunk_id": "a b", "timeout": 31})
    told = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in told] == ["base_url", "api_key", "api_secret", "trunk_id", "timeout"]
    assert "livekit.example" not in str(caught.value)
