from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.backoff import LONGEST, Backoff, Mode

rules = st.builds(
    Backoff,
    first=st.floats(0, 10_080),
    mode=st.sampled_from(Mode),
    multiplier=st.floats(1, 10),
    cap=st.none() | st.floats(0.1, 100_000),
    jitter=st.floats(0, 1),
)


def minutes(rule: Backoff, attempts: int) -> list[float]:
    return [rule.delay(attempt).total_seconds() / 60 for attempt in range(1, attempts + 1)]


def test_fixed() -> None:
    assert minutes(Backoff(60), 4) == [60, 60, 60, 60]
    assert minutes(Backoff(0), 2) == [0, 0]


def test_exponential_up_to_its_cap() -> None:
    assert minutes(Backoff(10, Mode.EXPONENTIAL, multiplier=3, cap=100), 5) == [10, 30, 90, 100, 100]


def test_a_cap_below_the_first_delay_holds() -> None:
    assert minutes(Backoff(60, cap=5), 2) == [5, 5]


def test_the_fiftieth_delay_of_the_steepest_rule_is_a_date() -> None:
    assert Backoff(10_080, Mode.EXPONENTIAL, multiplier=10).delay(50) == timedelta(minutes=LONGEST)
    assert Backoff(1, Mode.EXPONENTIAL, multiplier=10).delay(10_000) == timedelta(minutes=LONGEST)


@given(rules, st.integers(1, 60))
def test_delays_never_shrink_and_never_pass_the_cap(rule: Backoff, attempt: int) -> None:
    delay = rule.delay(attempt)
    assert timedelta(0) <= delay <= rule.delay(attempt + 1)
    assert delay <= timedelta(minutes=min(rule.cap or LONGEST, LONGEST))


@given(rules, st.integers(1, 60), st.integers())
def test_jitter_stays_within_its_share(rule: Backoff, attempt: int, seed: int) -> None:
    plain, shaken = rule.delay(attempt), rule.delay(attempt, Random(seed))
    slack = timedelta(microseconds=2)
    assert plain * (1 - rule.jitter) - slack <= shaken <= plain * (1 + rule.jitter) + slack
    assert shaken <= timedelta(minutes=min(rule.cap or LONGEST, LONGEST))
    assert shaken == rule.delay(attempt, Random(seed))


def test_jitter_spreads() -> None:
    rng = Random(1)
    assert len({Backoff(60, jitter=0.2).delay(1, rng) for _ in range(20)}) == 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": -1},
        {"first": float("nan")},
        {"first": 1, "multiplier": 0.5},
        {"first": 1, "cap": 0},
        {"first": 1, "jitter": 1.1},
    ],
)
def test_what_is_no_rule(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="retry delay"):
        Backoff(**wrong)  # type: ignore[arg-type]


def test_attempts_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        Backoff(1).delay(0)
