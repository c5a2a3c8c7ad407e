"""No whole phone number, API key or URL password survives."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.telemetry import mask, scrub

numbers = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+4930123456712", "+4930…12"),
        ("+14155550123", "+1415…23"),
        ("+1234567", "+12…7"),
        ("+123456", "…"),
        ("4930123456712", "…"),
        ("sip:ann@example.com", "…"),
        ("+٤٩٣٠١٢٣٤٥٦٧", "…"),
        ("", "…"),
    ],
)
def test_mask(number: str, masked: str) -> None:
    assert mask(number) == masked


@given(numbers)
def test_a_mask_hides_at_least_four_digits_and_stays_as_it_is(number: str) -> None:
    masked = mask(number)
    assert sum(each.isdigit() for each in masked) <= len(number) - 1 - 4
    assert scrub(masked) == masked


@given(st.text(), numbers, st.text(), st.sampled_from(["+", "%2B", "%2b"]))
def test_no_number_survives_whatever_stands_around_it(before: str, number: str, after: str, plus: str) -> None:
    scrubbed = scrub(before + plus + number[1:] + after)
    assert not re.search(r"(\+|%2[Bb])[0-9]{7,}", scrubbed)


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("to +4930123456712, from=+14155550123", "to +4930…12, from=+1415…23"),
        ("GET /x?To=%2B4930123456712", "GET /x?To=+4930…12"),
        ("key tk_live_abcDEF-1_2 refused", "key tk_live_… refused"),
        ("key=tk_test_x", "key=tk_test_…"),
        ("postgresql://u:p@ss@h:5432/d and redis://:p@h/0", "postgresql://…@h:5432/d and redis://…@h/0"),
        ("at 2026-11-22T10:00:00+00:00, took +1.5 s, 1+1=2, call_0123456789abcdef", None),
        ("https://example.com:8600/a?b=c:d@e", None),
        ("tk_live_ is the prefix", None),
    ],
)
def test_scrub(text: str, scrubbed: str | None) -> None:
    assert scrub(text) == (text if scrubbed is None else scrubbed)
