"""When a caller ID rests: by which figures, for how long, and what is forgiven."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.events import Outcome
from dialer.domain.reputation import (
    BLOCKED_CALLS,
    BLOCKED_SHARE,
    FIRST_REST,
    KEPT,
    LONGEST_REST,
    LOOKED_AT,
    Record,
    health,
    rest_of,
    sign_of,
)
from tests.unit.domain.cases import NOW

DAY = timedelta(days=1)
RECENT = st.text("anx", max_size=KEPT)


def rests(recent: str, **past: object) -> bool:
    return rest_of(Record(recent, **past), NOW) is not None  # type: ignore[arg-type]


def test_every_outcome_says_something_of_the_number_or_nothing() -> None:
    assert {outcome for outcome in Outcome if sign_of(outcome) is None} == {
        Outcome.INVALID_NUMBER, Outcome.UNREACHABLE, Outcome.CANCELLED, Outcome.UNKNOWN,
    }  # fmt: skip
    assert [outcome for outcome in Outcome if sign_of(outcome) == "x"] == [Outcome.BLOCKED]


@pytest.mark.parametrize(
    ("recent", "expected"),
    [
        ("", False),
        ("xxxx", False),
        ("xxxxx", True),
        ("n" * 45 + "xxxxx", True),
        ("xxxxx" + "n" * 45, True),
        ("xxxxx" + "n" * 46, False),  # the first of them is not among the newest fifty any more
        ("a" * 100 + "xxxx", False),
        ("xan" * 16, True),
    ],
)
def test_five_of_fifty_and_a_tenth_are_too_many(recent: str, expected: bool) -> None:
    assert rests(recent) is expected


@given(RECENT)
def test_a_number_rests_by_its_newest_endings_alone(recent: str) -> None:
    newest = recent[-LOOKED_AT:]
    expected = newest.count("x") >= BLOCKED_CALLS and newest.count("x") / len(newest) >= BLOCKED_SHARE
    assert rests(recent) is expected
    assert rests("x" * LOOKED_AT + "n" * LOOKED_AT + newest) is rests("n" * LOOKED_AT + newest)


def test_it_says_how_many_were_blocked() -> None:
    rest = rest_of(Record("nnn" + "x" * 5), NOW)
    assert rest is not None
    assert (rest.until, rest.rests) == (NOW + FIRST_REST, 1)
    assert rest.reason == "5 of its last 8 calls were blocked or marked as spam"


def test_each_rest_in_a_row_is_twice_as_long_up_to_a_fortnight() -> None:
    """As the ledger keeps it: after a rest the record begins anew, and the number is tried by being used."""
    now, record, lasted = NOW, Record("x" * 5), []
    for _ in range(6):
        rest = rest_of(record, now)
        assert rest is not None
        lasted.append(rest.until - now)
        assert rest_of(Record("x" * 5, rest.rests, rest.until), rest.until - timedelta(seconds=1)) is None, "it rests already"
        now = rest.until
        record = Record("x" * 5, rest.rests, rest.until)
    assert lasted == [1 * DAY, 2 * DAY, 4 * DAY, 8 * DAY, 14 * DAY, 14 * DAY]


@given(RECENT, st.integers(0, 1000), st.integers(0, 100_000))
def test_a_rest_is_bounded_and_not_shorter_than_the_first(recent: str, before: int, hours: int) -> None:
    rest = rest_of(Record(recent, before, NOW - timedelta(hours=hours)), NOW)
    if rest is not None:
        assert NOW + FIRST_REST <= rest.until <= NOW + LONGEST_REST
        assert 1 <= rest.rests <= before + 1


@pytest.mark.parametrize(
    ("recent", "over", "expected"),
    [
        ("a" * 45 + "x" * 5, timedelta(), 4),
        ("a" * 46 + "x" * 5, timedelta(), 1),  # more than fifty calls since its last rest, and no rest
        ("x" * 5, LONGEST_REST, 4),
        ("x" * 5, LONGEST_REST + timedelta(seconds=1), 1),
    ],
)
def test_a_number_that_was_well_for_long_begins_anew(recent: str, over: timedelta, expected: int) -> None:
    rest = rest_of(Record(recent, 3, NOW - over), NOW)
    assert rest is not None
    assert rest.rests == expected


def test_health_in_shares() -> None:
    assert (health("").endings, health("").answered, health("").blocked) == (0, None, None)
    seen = health("aannnnxn")
    assert (seen.endings, seen.answered, seen.blocked) == (8, 0.25, 0.125)
