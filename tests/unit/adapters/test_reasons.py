"""What a carrier's words mean to a trunk that reads them: which patterns are taken, and what they decide."""

from __future__ import annotations

import time
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.causes import Override
from adapters.reasons import LONGEST_PATTERN, LONGEST_TEXT, MEANINGS, meaning, pattern
from dialer.settings.model import Reading

PIECES = st.sampled_from(
    ["a", "ab", "|", "(", ")", "(?:", "[ab]", "[*+]", "\\+", "\\b", "*", "+", "?", "{2,}", "{,3}", "{2}", ".", "^", "$", "x"]
)


def test_the_settings_know_every_meaning() -> None:
    assert set(get_args(Reading.model_fields["means"].annotation)) == set(MEANINGS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 0 characters"),
        ("x" * (LONGEST_PATTERN + 1), "has 201 characters"),
        ("D(1", "is no regular expression"),
        ("a*", "is found in every text"),
        ("x|", "is found in every text"),
        *((text, "may take long") for text in ("(a+)+$", "(a|aa){2,}x", "x.*a.*b.*", "(a*)*b", "(a?){40}b", r"(a)\1", "(?=a+)a")),
        ("a?" * 30 + "b", "may take long"),
        ("(a|a)" * 20 + "b", "may take long"),
        ("a{0,60}" * 3 + "b", "may take long"),
    ],
)
def test_a_bad_pattern_is_refused_with_the_remedy(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pattern(text)


@pytest.mark.parametrize("text", [r"\bD(1|2|3|22|24)\b", "channel limit|CPS limit", r"(?:sip )?403", r"4\+4[*+]+", "no.*route"])
def test_what_operators_need_is_taken(text: str) -> None:
    assert pattern(text).flags & 2, "upper and lower case are one"


@pytest.mark.parametrize("text", [".*.*b", "a?" * 14 + "b", "(?:a|.)" * 14 + "c", "(?:x|a{0,100}a{0,100})b", ".+?.+?b"])
def test_the_worst_that_is_taken_is_done_in_a_moment(text: str) -> None:
    worst = [Override(pattern(text), MEANINGS["busy"])]
    took = []
    for _ in range(3):
        began = time.thread_time()
        meaning("a" * 1000, worst)
        took.append(time.thread_time() - began)
    assert min(took) < 0.25, took


NESTED = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", r"\w", "^", r"\b"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{0,40}", "{3}", "*?"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=8,
)


@given(NESTED)
def test_what_is_taken_of_nested_parts_takes_no_time_either(text: str) -> None:
    try:
        taken = pattern(text + "c")
    except ValueError:
        return
    began = time.thread_time()
    taken.search("a" * LONGEST_TEXT)
    assert time.thread_time() - began < 0.5


@given(st.lists(PIECES, max_size=12).map("".join), st.text("ab x", max_size=LONGEST_TEXT))
def test_what_is_taken_takes_no_time(text: str, word: str) -> None:
    try:
        taken = pattern(text)
    except ValueError:
        return
    for said in (word, "a" * LONGEST_TEXT + "!", "ab" * (LONGEST_TEXT // 2) + "!"):
        began = time.process_time()
        meaning(said, [Override(taken, MEANINGS["trunk"])])
        assert time.process_time() - began < 0.5


@given(
    st.lists(st.tuples(st.sampled_from(["busy", "limit", "gone", "x"]), st.sampled_from(sorted(MEANINGS)))),
    st.text("busylimtgonex "),
)
def test_the_first_that_is_found_holds(rows: list[tuple[str, str]], word: str) -> None:
    found = [MEANINGS[means] for text, means in rows if text in word.lower()]
    assert meaning(word, [Override(pattern(text), MEANINGS[means]) for text, means in rows]) == (found[0] if found else None)
    assert meaning(None, [Override(pattern(text), MEANINGS[means]) for text, means in rows]) is None
