"""The breaker opens soon, tries seldom, never stands still, and closes with the first success."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.domain.breaker import (
    CLOSED,
    LIMITS,
    LONGEST_WAIT,
    MEMORY,
    PROBE,
    PROBE_LONGEST,
    Breaker,
    BreakerState,
    Cause,
    Failure,
    absolved,
    failed,
    probing,
)
from tests.unit.domain.cases import NOW

SECOND = timedelta(seconds=1)
causes = st.sampled_from(Cause)
waits = st.none() | st.floats(0, 1e7)
failures = st.builds(Failure, causes, waits, st.none() | st.sampled_from("abcdefgh"))


def opened(cause: Cause, retry_after: float | None = None) -> Breaker:
    breaker = CLOSED
    for number in range(LIMITS[cause]):
        assert not breaker.is_open
        breaker = failed(breaker, Failure(cause, retry_after, who=f"cc_{number}"), NOW)
    assert breaker.is_open
    return breaker


@pytest.mark.parametrize("cause", Cause)
def test_it_opens_with_its_cause_and_not_a_failure_earlier(cause: Cause) -> None:
    assert opened(cause).cause is cause


def test_who_is_to_blame_alone_is_counted_no_more_and_too_few_others_keep_nothing_open() -> None:
    breaker = opened(Cause.REQUEST)
    assert absolved(breaker, "cc_9") == breaker
    assert absolved(breaker, "cc_0") == CLOSED
    more = failed(CLOSED, Failure(Cause.REQUEST, who="cc_1"), NOW)
    assert absolved(more, "cc_1").failures == 0 and not absolved(more, "cc_1").offenders
    other = opened(Cause.TRUNK)
    assert absolved(other, "cc_0").is_open, "what keeps it open is no contact's fault"


def test_it_opens_long_before_ten_calls_have_failed() -> None:
    assert max(LIMITS.values()) <= 5
    assert LIMITS[Cause.CONFIG] == 3


@given(st.lists(st.tuples(failures, st.booleans(), st.integers(0, 1200)), max_size=60))
def test_an_open_one_has_a_time_for_its_next_probe_and_it_is_near(told: list[tuple[Failure, bool, int]]) -> None:
    breaker, now = CLOSED, NOW
    for failure, well, seconds in told:
        now += seconds * SECOND
        breaker = failed(breaker, failure, now, well=well and not breaker.is_open)
        assert breaker.is_open == (breaker.probe_at is not None) == (breaker.opened_at is not None)
        if breaker.probe_at is not None:
            assert breaker.probe_at <= now + LONGEST_WAIT
            assert probing(breaker, "call_1", breaker.probe_at) is not None


@given(st.lists(st.tuples(causes, st.integers(0, 60)), min_size=1, max_size=60))
def test_with_successes_in_between_only_a_carrier_that_asks_to_wait_is_left_alone(told: list[tuple[Cause, int]]) -> None:
    breaker, now = CLOSED, NOW
    for cause, seconds in told:
        now += seconds * SECOND
        breaker = failed(breaker, Failure(cause), now, well=True)
        assert breaker.is_open == (LIMITS[cause] == 1)
        breaker = CLOSED if breaker.is_open else breaker


@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=200), st.sampled_from([Cause.TRUNK, Cause.REQUEST, Cause.ENDINGS]))
def test_probes_of_a_dead_carrier_are_five_seconds_apart_and_in_ten_minutes_never_more_than_ten(
    pauses: list[int], cause: Cause
) -> None:
    """Asked at any moments whatever; each probe fails."""
    breaker, now = opened(cause), NOW
    last = NOW
    for milliseconds in pauses:
        now += timedelta(milliseconds=milliseconds)
        assert breaker.probe_at is not None
        if now - NOW <= timedelta(minutes=10):
            assert breaker.probe_at <= last + 2 * PROBE
        taken = probing(breaker, "call_1", now)
        if taken is None:
            assert now < breaker.probe_at
            continue
        assert now - last >= PROBE
        assert taken.state is BreakerState.HALF_OPEN
        assert probing(taken, "call_2", now) is None, "one at a time"
        last = now
        breaker = failed(taken, Failure(cause), now, probing=True)
        assert breaker.state is BreakerState.OPEN


@given(st.floats(0.2, 3600))
def test_what_the_carrier_asks_for_is_what_it_gets(seconds: float) -> None:
    breaker = opened(Cause.RATE, seconds)
    assert breaker.probe_at == NOW + timedelta(seconds=seconds)
    taken = probing(breaker, "call_1", breaker.probe_at)
    assert taken is not None
    again = failed(taken, Failure(Cause.RATE, 2 * seconds), breaker.probe_at, probing=True)
    assert again.probe_at == breaker.probe_at + timedelta(seconds=min(2 * seconds, 3600))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_of_many_who_were_asked_to_wait_the_longest_wait_counts(asked: list[float]) -> None:
    breaker = CLOSED
    for seconds in asked:
        breaker = failed(breaker, Failure(Cause.RATE, seconds), NOW)
    assert breaker.probe_at == NOW + timedelta(seconds=max(0.1, *asked))


def test_one_contact_that_is_refused_again_and_again_holds_nobody_else_back() -> None:
    breaker = CLOSED
    for _ in range(20):
        breaker = failed(breaker, Failure(Cause.REQUEST, who="cc_1"), NOW)
    assert not breaker.is_open


def test_a_probe_that_is_never_heard_of_is_followed_by_another() -> None:
    breaker = opened(Cause.TRUNK)
    assert breaker.probe_at is not None
    lost = probing(breaker, "call_1", breaker.probe_at)
    assert lost is not None and lost.probe_at is not None
    assert probing(lost, "call_2", lost.probe_at) is not None


def test_a_probe_may_find_something_else_to_be_the_matter() -> None:
    breaker = opened(Cause.TRUNK)
    assert breaker.probe_at is not None
    taken = probing(breaker, "call_1", breaker.probe_at)
    assert taken is not None
    assert failed(taken, Failure(Cause.CONFIG), breaker.probe_at, probing=True).cause is Cause.CONFIG


def test_calls_that_were_on_their_way_neither_postpone_the_probe_nor_change_the_cause() -> None:
    breaker = opened(Cause.CONFIG)
    late = failed(breaker, Failure(Cause.TRUNK), NOW + 4 * SECOND)
    assert (late.cause, late.probe_at, late.state) == (Cause.CONFIG, breaker.probe_at, BreakerState.OPEN)


def test_failures_of_long_ago_count_no_more() -> None:
    breaker, now = CLOSED, NOW
    for _ in range(20):
        breaker = failed(breaker, Failure(Cause.TRUNK), now)
        now += MEMORY + SECOND
    assert not breaker.is_open


def test_after_days_it_is_still_tried_each_minute() -> None:
    breaker, now = opened(Cause.TRUNK), NOW + timedelta(days=9)
    taken = probing(breaker, "call_1", now)
    assert taken is not None
    assert failed(taken, Failure(Cause.TRUNK), now, probing=True).probe_at == now + PROBE_LONGEST
