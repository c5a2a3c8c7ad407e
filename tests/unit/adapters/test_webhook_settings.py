"""What an operator writes about a provider: the example of adapters/README.md loads as it stands, what cannot work is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import registry
from adapters.base import Once, Trace
from adapters.webhook.adapter import WebhookAdapter
from adapters.webhook.settings import read
from dialer.settings import load
from tests.support.providers.webhook import example, options

SCREAM = "Hunter2"
GONE = object()


def test_the_example_of_the_readme_loads_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(example(), "utf-8")
    (trunk,) = load(file, {}).adapters.values()
    built = registry.build("acme", trunk.kind, trunk.options)
    assert isinstance(built, WebhookAdapter) and trunk.calls_per_second == 5
    declared = built.capabilities
    assert (declared.once, declared.trace, declared.place_timeout, declared.settle) == (Once.NO, Trace.EXACT, 10, 60)
    assert declared.can == {"hang_up", "labels", "variables", "result"}


def test_the_key_shows_in_no_repr() -> None:
    config = read(options(api_key=SCREAM, signing_secret=SCREAM))
    assert config.headers == {"Authorization": f"Bearer {SCREAM}"} and SCREAM not in repr(config)
    by_user = read(options(api_key=SCREAM, username="me", headers={}))
    assert by_user.headers["Authorization"].startswith("Basic ")


def test_tables_from_the_environment_are_json() -> None:
    written = {key: json.dumps(value) if isinstance(value, dict | list) else str(value) for key, value in options().items()}
    assert read(written) == read(options())


def test_without_a_look_up_nothing_can_be_traced() -> None:
    built = registry.build("acme", "webhook", {key: value for key, value in options().items() if key not in {"find", "hang_up"}})
    assert built.capabilities.trace is Trace.NOTHING and built.capabilities.can == {"labels", "variables"}
    only_by_ref = options()["find"]
    del only_by_ref["by_attempt"]
    assert registry.build("acme", "webhook", options(find=only_by_ref)).capabilities.trace is Trace.NOTHING


def test_the_attempt_may_be_carried_in_a_header_the_address_or_the_callbacks_own() -> None:
    place = options()["place"]
    place["json"]["metadata"] = {}
    read(options(place=place))  # the header Idempotency-Key still says it
    del place["headers"]
    read(options(place=place | {"path": "/calls/{attempt}"}))
    callback = {key: value for key, value in options()["callback"].items() if key != "attempt"}
    read(options(place=place, callback=callback | {"attempt_query": "attempt"}))


def without(path: str, value: Any = GONE) -> dict[str, Any]:
    """The example with `value` at the path, or nothing."""
    given_ = options()
    at: Any = given_
    *names, last = path.split("/")
    for name in names:
        at = at[int(name) if isinstance(at, list) else name]
    if value is GONE:
        del at[last]
    else:
        at[int(last) if isinstance(at, list) else last] = value
    return given_


def faults(given_: Mapping[str, Any]) -> list[str]:
    with pytest.raises(ValueError) as raised:
        read(given_)
    assert SCREAM not in str(raised.value)
    lines = str(raised.value).splitlines()
    assert all(re.fullmatch(r"[\w.…\[\]-]+: [^;]+; [^;]+", line) for line in lines), lines
    return lines


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("base_url", GONE, "base_url: missing"),
        ("base_url", "https://h?key=1", "base_url: holds a query"),
        ("api_key", GONE, "api_key: missing"),
        ("headers", {}, "api_key: goes into no request"),
        ("headers", {"X-A": "{attempt}", "Authorization": "{api_key}"}, "headers.X-A: has a placeholder that may not stand here"),
        ("headers", {"Host": SCREAM, "Authorization": "{api_key}"}, "headers: holds a name that no header of yours may have"),
        ("timeout", 600, "timeout: not a number of seconds from 0.1 to 60"),
        ("voices", [], "voices: not a list of words"),
        ("health_path", "status", "health_path: not the path of an address"),
        ("place", GONE, "place: missing"),
        ("place", SCREAM, "place: not a table"),
        ("place/method", "GET", "place.method: not a key of this table"),
        ("place/path", "/calls/{to}", "place.path: has a placeholder that may not stand here"),
        ("place/path", GONE, "place.path: missing"),
        ("place/id", GONE, "place.id: missing"),
        ("place/id", f"{SCREAM}..id", "place.id: not a path"),
        ("place/id", ["a", "b"], "place.id: not a path"),
        ("place/json", GONE, "place.json: missing, and so is form"),
        ("place/form", {"a": "b"}, "place.json: given together with form"),
        ("place/json/to", "{number}", "place.json: has a placeholder that there is not"),
        ("place/json/to", "tel:{to}", "place.json: joins a placeholder with other text"),
        ("place/json/to", {"deep": [f"{SCREAM}{{to}}"]}, "place.json: joins a placeholder with other text"),
        ("place/headers", {"X": "{to}"}, "place.headers.X: has a placeholder that may not stand here"),
        ("refusals", {"status": 429}, "refusals: not a list of tables"),
        ("refusals/0/means", "invalid", "refusals[0].means: not one of the choices"),
        ("refusals/0/words", GONE, "refusals[0].words: belong to a path"),
        ("refusals/0/path", "a b", "refusals[0].path: not a path"),
        ("refusals/1/means", "number", "refusals[1].means: ends a number for a status alone"),
        ("refusals/1/status", [400, 404], "refusals[1].status: proves nothing alone"),
        ("refusals/1/status", 503, "refusals[1].status: proves nothing alone"),
        ("refusals/1/status", 200, "refusals[1].status: proves nothing alone"),
        ("refusals/1/status", "4xx", "refusals[1].status: not a number from 200 to 599"),
        ("refusals/1/status", GONE, "refusals[1].status: missing"),
        ("outcomes", GONE, "outcomes: missing"),
        ("outcomes/busy", "engaged", "outcomes.busy: does not stand for a word of ours; write one of human, answered"),
        ("outcomes/busy", "busy/number", "outcomes.busy: does not stand for a word of ours"),
        ("outcomes/a: b; c", 5, "outcomes.…: does not stand for a word of ours"),
        ("callback", GONE, "callback: missing"),
        ("callback/signature", GONE, "callback.signature: missing, and so is a token"),
        ("callback/attempt", GONE, "callback.attempt: not told in exactly one place"),
        ("callback/attempt_query", "attempt", "callback.attempt: not told in exactly one place"),
        ("callback/outcome", GONE, "callback.outcome: missing"),
        ("callback/outcome", [], "callback.outcome: not a path"),
        ("callback/type", GONE, "callback.type: missing"),
        ("callback/types", {"call.ended": "over"}, "callback.types.call.ended: does not stand for a word of ours"),
        ("callback/types", {"call.ended": "gap"}, "callback.types.call.ended: does not stand for a word of ours"),
        ("callback/types", {"call.answered": "answered"}, "callback.types: tells no end of a call"),
        ("callback/phase", "answered", "callback.types: tells no end of a call"),
        ("callback/at", "$.time", "callback.at: not a path"),
        ("callback/result/mood", "a", "callback.result.mood: not a key of this table"),
        ("callback/result/do_not_call", GONE, "callback.result.do_not_call: missing, so that nobody reads its words"),
        ("callback/result/cost", {"amount": "a"}, "callback.result.cost.currency: missing"),
        ("signing_secret", GONE, "signing_secret: missing"),
        ("callback/signature/header", GONE, "callback.signature.header: missing"),
        ("callback/signature/digest", "md5", "callback.signature.digest: not one of the choices"),
        ("callback/signature/signed", "{timestamp}", "callback.signature.signed: not of {body} once"),
        ("callback/signature/signed", "{timestamp}{body}{secret}", "callback.signature.signed: not of {body} once"),
        ("callback/signature/signed", "{body}", "callback.signature.signed: and the timestamp do not belong together"),
        ("callback/signature/timestamp_header", GONE, "callback.signature.signed: and the timestamp do not belong together"),
        ("callback/signature/timestamp_field", "t", "callback.signature.timestamp_field: given together"),
        ("callback/token", {"header": "X"}, "callback_token: missing or easy to guess"),
        ("find/by_attempt", "/calls", "find.by_attempt: asks for no attempt"),
        ("find/by_ref", "/calls/{attempt}", "find.by_ref: has a placeholder that may not stand here"),
        ("find/attempt", GONE, "find.attempt: missing"),
        ("find/id", GONE, "find.id: missing"),
        ("find/status", GONE, "find.status: missing"),
        ("find/statuses/queued", "queued", "find.statuses.queued: does not stand for a word of ours"),
        ("find/absent", [{"status": 410}], "find.absent: would let a status alone prove"),
        ("find", {}, "find.by_attempt: missing, and so is by_ref"),
        ("hang_up/path", "/hangup", "hang_up.path: names no call"),
        ("hang_up/gone", [{"status": 404}], "hang_up.gone[0].status: proves nothing alone"),
        ("hang_up/method", "GET", "hang_up.method: not one of the choices"),
    ],
)
def test_what_cannot_work_is_refused_with_its_remedy(path: str, value: object, told: str) -> None:
    lines = faults(without(path, value))
    assert any(line.startswith(told) for line in lines), lines


def test_a_token_comes_at_one_place_and_a_form_holds_no_tables() -> None:
    callback = options()["callback"] | {"token": {"header": "X", "query": "t"}}
    assert faults(options(callback=callback, callback_token="0123456789abcdef")) == [
        "callback.token.header: and query: not exactly one is given; say where the token comes"
    ]
    place = options()["place"]
    place["form"] = place.pop("json")
    assert any(line.startswith("place.form: holds a table") for line in faults(options(place=place)))


@pytest.mark.parametrize(
    "callback",
    [{"attempt": "call.metadata.attempt"}, {"attempt_query": "attempt"}],
)
def test_a_template_that_cannot_carry_the_attempt_is_refused(callback: dict[str, str]) -> None:
    place = options()["place"]
    del place["headers"]
    place["json"] = {"to": "{to}", "note": "{{attempt}} {{callback_url}}", "callback": "{labels.callback_url}"}
    others = {key: value for key, value in options()["callback"].items() if key != "attempt"}
    assert [line.split(";")[0] for line in faults(options(place=place, callback=others | callback))] == [
        "place: does not carry the attempt id"
    ]


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.lists(st.text(max_size=3), max_size=2))


@given(st.sampled_from(["place", "callback", "find", "hang_up", "refusals", "outcomes", "headers"]), st.data())
def test_whatever_stands_in_a_table_is_taken_or_told_as_a_fault(name: str, data: st.DataObject) -> None:
    table = options()[name]
    at = table[0] if isinstance(table, list) else table
    at[data.draw(st.sampled_from([*at, "more"]))] = data.draw(LEAVES | st.dictionaries(st.text(max_size=3), LEAVES, max_size=2))
    try:
        read(options(**{name: table}))
    except ValueError as found:
        for line in str(found).splitlines():
            assert re.fullmatch(r"[^:;\s]+: [^;]+; [^;]+", line), line
