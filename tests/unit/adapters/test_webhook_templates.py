"""Templates and paths of the adapter for any provider: what is sent is what the template says, whatever the values are."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.webhook import paths, templates
from adapters.webhook.templates import Hole
from tests.support.carrier import call

NASTY = st.one_of(st.text(), st.sampled_from(['","to":"+1', "&to=%2B1", "{to}", "{{to}}", "a\r\nb: c", "\udc80", "\x00", "]}"]))
DATA = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), NASTY),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NASTY, inner, max_size=3)),
    max_leaves=6,
)
BODY: dict[str, Any] = {
    "fixed": "Hello {{name}}, {",
    "to": "{to}",
    "list": ["{attempt}", 1, True, None, {"deep": "{variables.x}"}],
    "all": "{variables}",
    "ring": "{ring}",
    "url": "{callback_url}",
    "none": "{labels.nobody}",
}
NOT_AFTER = datetime(2026, 9, 1, 10, 0, 0, 500_000, tzinfo=UTC)
CALL = replace(call("call_1", "+493012345"), not_after=NOT_AFTER)


def template(given_: Any) -> Any:
    return templates.template(given_, templates.may_ask)


def scrubbed(value: Any) -> Any:
    """As JSON holds it, and no half of a character."""
    if isinstance(value, str):
        return value.replace("\udc80", "?")
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {scrubbed(name): scrubbed(each) for name, each in value.items()}
    return [scrubbed(each) for each in value] if isinstance(value, list) else value


@given(st.dictionaries(NASTY, DATA, max_size=3), DATA, NASTY)
def test_the_body_sent_is_the_template_and_the_values_and_nothing_else(others: dict[str, Any], x: Any, url: str) -> None:
    variables = others | {"x": x}
    values = templates.values_of(replace(CALL, variables=variables), url)
    sent = json.loads(json.dumps(templates.as_json(template(BODY), values)))
    assert list(sent) == list(BODY)
    assert sent == {
        "fixed": "Hello {{name}}, {",
        "to": "+493012345",
        "list": ["call_1", 1, True, None, {"deep": scrubbed(x)}],
        "all": scrubbed(variables),
        "ring": 20,
        "url": scrubbed(url),
        "none": None,
    }


@given(DATA, NASTY)
def test_a_form_has_the_fields_of_its_template_and_no_other(x: Any, name: str) -> None:
    form = {"a[b]": "{variables.x}", "to": "{to}", "n": ["{variables.name}", "{attempt}", 5], "t": True, "empty": "{labels.no}"}
    values = templates.values_of(replace(CALL, variables={"x": x, "name": name}), "")
    sent = parse_qsl(urlencode(templates.as_form(template(form), values)), keep_blank_values=True, strict_parsing=True)
    assert [field for field, _ in sent] == ["a[b]", "to", "n", "n", "n", "t", "empty"]
    assert [value for _, value in sent[1:]] == ["+493012345", scrubbed(name), "call_1", "5", "true", ""]
    clean = scrubbed(x)  # None of what JSON has no word for
    if isinstance(clean, str) or clean is None:
        assert sent[0][1] == (clean or "")
    else:
        assert json.loads(sent[0][1]) == clean


@given(st.text(min_size=1).filter(lambda text: text not in {".", ".."}))
def test_a_value_stays_one_segment_and_one_parameter_of_an_address(ref: str) -> None:
    address = templates.line("/calls/{ref}/end?of={ref}&by=us", ("ref",), address=True).address({"ref": ref})
    parts = urlsplit("http://h" + address)
    assert [unquote(each) for each in parts.path.split("/")] == ["", "calls", ref, "end"]
    assert parse_qs(parts.query, keep_blank_values=True) == {"of": [ref], "by": ["us"]}
    assert (parts.netloc, parts.fragment) == ("h", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("to.digits", "493012345"),
        ("caller_id.digits", "493011111"),
        ("ring.milliseconds", 20_000),
        ("limit.minutes", 2),
        ("limit.milliseconds", 61_000),
        ("not_after.seconds", 1788256800),
        ("not_after.milliseconds", 1788256800500),
        ("not_after", "2026-09-01T10:00:00.500000+00:00"),
        ("labels", {"campaign": "camp_1"}),
        ("labels.campaign", "camp_1"),
        ("voice", "voice"),
    ],
)
def test_placeholders_know_their_units(name: str, value: object) -> None:
    values = templates.values_of(replace(CALL, limit=61), "")
    assert templates.as_json(template("{" + name + "}"), values) == value


def test_the_lists_of_placeholders_are_the_same() -> None:
    values = templates.values_of(CALL, "")
    assert all(templates.may_ask(name) and values(name) is not None for name in templates.OF_A_CALL)
    assert not any(templates.may_ask(name) for name in ("ref", "api_key", "labels.", "variables.", "", "To", " to"))


@pytest.mark.parametrize(
    "wrong",
    [
        "{attemt}",
        "{}",
        "{ to }",
        "id-{attempt}",
        "{to}{attempt}",
        "{api_key}",
        "{ref}",
        {"deep": ["{no}"]},
        float("nan"),
        object(),
    ],
)
def test_a_template_that_is_none_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^[^;]+; [^;]+$"):
        template(wrong)


def test_double_braces_are_the_providers_own() -> None:
    assert template("Hi {{to}}") == "Hi {{to}}" and template("{to}") == Hole("to")


@pytest.mark.parametrize("wrong", ["calls", "/a b", "/a#b", "/ü", "//{to}", "/{attempt}/{to}", "/a\n"])
def test_an_address_that_is_none_or_tells_a_number_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="; "):
        templates.line(wrong, ("attempt",), address=True)


@pytest.mark.parametrize("wrong", ["a\r\nb", "ü", "", "{to}"])
def test_a_header_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="; "):
        templates.line(wrong, ("attempt",), address=False)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", {"b": [{"c-d": 1}, None], "0": "x"}),
        ("a.b[0].c-d", 1),
        ("a.b[0]", {"c-d": 1}),
        ("a.b[1]", None),
        ("a.b[1].c", None),
        ("a.b[7]", None),
        ("a.0", "x"),
        ("a[0]", None),
        ("n.o[1].w", None),
    ],
)
def test_a_path_names_one_value_or_nothing(path: str, found: object) -> None:
    assert paths.parse(path).read({"a": {"b": [{"c-d": 1}, None], "0": "x"}}) == found
    assert paths.parse("[1].x").read([0, {"x": 5}]) == 5


@pytest.mark.parametrize(
    "wrong", ["", ".", "a.", ".a", "a..b", "a[", "a[b]", "a[-1]", "a[*]", "a[0]b", "$.a", "a b", "a.b[0]..c", "a\n"]
)
def test_what_is_no_path_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="not a path; write it like"):
        paths.parse(wrong)


@given(st.from_regex(r"[ab]?(\.[ab]|\[[01]\]){0,3}", fullmatch=True), DATA)
def test_reading_never_fails_whatever_the_document_is(text: str, document: Any) -> None:
    try:
        path = paths.parse(text)
    except ValueError:
        return
    for read in (path.read, lambda said: paths.word(path, said), lambda said: paths.truth(path, said)):
        read(document)
    assert paths.whole(path, document, 100, 699) is None or 100 <= (paths.whole(path, document, 100, 699) or 0) <= 699


@pytest.mark.parametrize("no", [None, False, 0, 0.0, "", "0", "0.0", "00:00:00", "PT0S", "false", "No", "null", [], {}])
@pytest.mark.parametrize("yes", [True, 1, 0.5, "00:00:09", "2026-09-01T10:00:00Z", "12", "yes", [0]])
def test_what_is_told_and_no_nought_is_true(no: object, yes: object) -> None:
    path = paths.parse("a")
    assert not paths.truth(path, {"a": no}) and paths.truth(path, {"a": yes})
