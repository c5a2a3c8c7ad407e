from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from scheduler.slow_start import FIRST, allowed

seconds = st.floats(-10, 1e6)
doublings = st.floats(0.01, 600)


def calls(at: float, doubling: float) -> float:
    most = allowed(at, doubling)
    return math.inf if most is None else most


def test_ten_to_begin_with_and_twice_as_many_every_so_many_seconds() -> None:
    assert [allowed(at, 2.0) for at in (0, 1, 2, 4, 6, 13.3)] == [10, 14, 20, 40, 80, 1004]


@given(seconds)
def test_it_can_be_switched_off(at: float) -> None:
    assert allowed(at, 0) is None


@given(seconds, st.floats(0, 100), doublings)
def test_it_only_grows_and_never_keeps_anybody_from_calling(at: float, later: float, doubling: float) -> None:
    assert FIRST <= calls(at, doubling) <= calls(at + later, doubling)


@given(st.floats(0, 1e4), doublings)
def test_it_doubles_in_its_time_and_no_sooner(at: float, doubling: float) -> None:
    now, then = calls(at, doubling), calls(at + doubling, doubling)
    assert then >= 2 * now
    assert then == math.inf or then <= 2 * now + 2


@given(st.integers(1, 100_000), doublings)
def test_every_limit_is_reached_in_a_few_doublings(cap: int, doubling: float) -> None:
    assert calls(doubling * max(math.log2(cap / FIRST), 0) + 0.001 * doubling, doubling) >= cap - 1
