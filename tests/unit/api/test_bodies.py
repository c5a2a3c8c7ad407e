"""How deep a body is, found without parsing it."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dialer.api.bodies import DEEPEST, too_deep

TEXTS = st.text(alphabet='ab"\\[]{}é\n', max_size=8)


def nested(depth: int) -> st.SearchStrategy[Any]:
    """A value of exactly this many levels, with shallower ones beside each."""
    if depth == 0:
        return st.one_of(TEXTS, st.integers(), st.none())
    inner = nested(depth - 1)
    beside: st.SearchStrategy[list[Any]] = st.lists(st.one_of(TEXTS, st.just([]), st.just({})), max_size=2)
    return st.one_of(
        st.builds(lambda value, more: [*more, value, *more] if depth > 1 else [value], inner, beside),
        st.builds(lambda value, key: {key: value}, inner, TEXTS),
    )


@given(nested(DEEPEST))
def test_as_deep_as_allowed_is_allowed(value: Any) -> None:
    assert not too_deep(json.dumps(value, ensure_ascii=False).encode())


@given(nested(DEEPEST + 1))
def test_one_level_more_is_not(value: Any) -> None:
    assert too_deep(json.dumps(value).encode())


def test_brackets_in_texts_do_not_count() -> None:
    assert not too_deep(json.dumps({"notes": "[" * 1000 + '"' + "\\" + "{" * 1000, "tags": [[]]}).encode())


def test_what_is_cut_off_or_no_json_is_left_to_the_parser_unless_it_is_deep() -> None:
    assert too_deep(b"[" * 100_000)
    assert not too_deep(b"]" * 100 + b"[" * DEEPEST + b'"[[[[')
    assert not too_deep(b"[] " * 1000)


def test_a_hostile_body_takes_no_longer_than_its_length() -> None:
    size = 4_000_000
    began = time.perf_counter()
    for body in (
        b'"' + b'\\"' * (size // 2),
        b"[]" * (size // 2),
        b"[" * size,
        b"[" * (size // 2) + b"]" * (size // 2),
        b'"[' * size,
    ):
        too_deep(body)
    assert time.perf_counter() - began < 5
