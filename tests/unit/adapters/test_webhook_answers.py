"""What answers to placements and look-ups mean, by the example of adapters/README.md: only what is certain is said to be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.base import Absent, Hook, Live, Over, Sighting, Unsure
from adapters.errors import Ambiguous, PlaceError, RateLimited, Rejected, Unavailable
from adapters.events import Fault, Phase
from adapters.http import Answer
from adapters.webhook.answers import refusal, unclear
from adapters.webhook.lookup import sighting
from adapters.webhook.settings import read
from adapters.webhook.translate import translate
from tests.support.providers.webhook import options

NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
CALL: Mapping[str, Any] = {
    "id": "acme-1",
    "metadata": {"attempt": "call_1"},
    "ringing_at": "2026-09-01T09:58:00Z",
    "answered_at": None,
    "end_reason": "busy",
    "sip_code": 486,
}


def answer(status: int, said: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, said if isinstance(said, bytes) else json.dumps(said).encode())


def code(word: str) -> dict[str, Any]:
    return {"error": {"code": word}}


@pytest.mark.parametrize(
    ("said", "kind", "fault", "cause"),
    [
        (answer(422, code("invalid_destination")), Rejected, Fault.NUMBER, "invalid_destination"),
        (answer(422, code("odd_body")), Rejected, Fault.REQUEST, "http_422"),
        (answer(400, b"<html>"), Rejected, Fault.REQUEST, "http_400"),
        (answer(403, {}), Rejected, Fault.CONFIG, "http_403"),
        (answer(429, {}, {"retry-after": "7"}), RateLimited, None, None),
        (answer(503, code("no_capacity")), Unavailable, None, None),
        (answer(503, code("overloaded")), Ambiguous, None, None),
        (answer(503, b""), Ambiguous, None, None),
        (answer(404, code("invalid_destination")), Ambiguous, None, None),
        (answer(409, {}), Ambiguous, None, None),
        (answer(302, {}), Ambiguous, None, None),
    ],
)
def test_only_what_a_rule_names_was_certainly_not_placed(
    said: Answer, kind: type[PlaceError], fault: Fault | None, cause: str | None
) -> None:
    error = refusal(read(options()).refusals, said) or unclear(said)
    assert type(error) is kind
    assert (getattr(error, "fault", None), getattr(error, "cause", None)) == (fault, cause)
    assert error.retry_after == (7 if said.status == 429 else None)


def looked_up(said: Answer, *, ref: str | None = None, by_ref: bool = False, **changes: Any) -> Sighting:
    find = read(options(find=options()["find"] | changes)).find
    assert find is not None
    return sighting(find, said, "call_1", ref, by_ref=by_ref, since=NOW)


def listed(*records: Mapping[str, Any]) -> Answer:
    return answer(200, {"data": list(records)})


RINGING = {**CALL, "status": "ringing"}
DONE = {**CALL, "status": "ended", "ended_at": "2026-09-01T09:59:30Z"}
STRANGER = {**RINGING, "metadata": {"attempt": "call_2"}}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (listed(), Absent()),
        (listed(STRANGER), Unsure("the answer to a look-up tells of no such call")),
        (listed(STRANGER, RINGING), Live("acme-1", answered=False)),
        (listed(RINGING | {"answered_at": 5}), Live("acme-1", answered=True)),
        (listed(RINGING | {"status": "talking"}), Live("acme-1", answered=True)),
        (listed(DONE, RINGING | {"id": "acme-2"}), Live("acme-2", answered=False)),
        (listed(RINGING | {"status": "forwarding"}, DONE), Unsure("the call is in a state that was not mapped")),
        (listed(RINGING | {"id": ""}), Unsure("the answer to a look-up tells of no such call")),
        (answer(200, {"data": None}), Unsure("the answer to a look-up holds no list of calls")),
        (answer(200, {"calls": []}), Unsure("the answer to a look-up holds no list of calls")),
        (answer(404, code("call_not_found")), Unsure("the provider answered HTTP 404 to a look-up")),
        (answer(503, {"data": []}), Unsure("the provider answered HTTP 503 to a look-up")),
    ],
)
def test_a_call_is_absent_only_where_that_is_certain(said: Answer, found: Sighting) -> None:
    assert looked_up(said) == found


def test_a_word_of_the_providers_own_makes_a_call_absent_unless_it_was_named_once() -> None:
    absent = [{"status": 404, "path": "error.code", "words": ["call_not_found"]}]
    gone = answer(404, code("call_not_found"))
    assert looked_up(gone, absent=absent) == Absent()
    assert looked_up(answer(404, b""), absent=absent) == Unsure("the provider answered HTTP 404 to a look-up")
    assert isinstance(looked_up(gone, absent=absent, ref="acme-1", by_ref=True), Unsure)
    assert isinstance(looked_up(listed(), ref="acme-1"), Unsure)


def test_a_look_up_by_id_takes_no_other_call_for_this_one() -> None:
    def by_id(record: Mapping[str, Any]) -> Sighting:
        return looked_up(answer(200, {"data": record}), ref="acme-1", by_ref=True)

    assert by_id(RINGING) == Live("acme-1", answered=False)
    assert isinstance(by_id(STRANGER), Unsure) and isinstance(by_id(RINGING | {"id": "acme-2"}), Unsure)


def test_a_call_that_is_over_tells_what_the_callback_did() -> None:
    said = {"event": "call.ended", "occurred_at": DONE["ended_at"], "call": CALL}
    (ended,) = translate(read(options()).callback, Hook("POST", "", {}, json.dumps(said).encode(), NOW))
    found = looked_up(listed(DONE | {"analysis": {"summary": "Talked."}}))
    assert isinstance(found, Over)
    assert found.events[0] == ended
    assert [event.phase for event in found.events] == [Phase.ENDED, Phase.RESULT]
