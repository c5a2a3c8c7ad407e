"""Which of two numbers is called next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dialer.domain.next_number import Next, Number, next_number
from dialer.domain.preflight import for_ever
from tests.unit.domain.cases import NOW

FIRST, SECOND = "+4930901820", "+4930901821"
ALWAYS = datetime.max.replace(tzinfo=UTC)
until = st.one_of(st.none(), st.just(ALWAYS), st.integers(-60, 60).map(lambda minutes: NOW + timedelta(minutes=minutes)))


def numbers(number: str) -> st.SearchStrategy[Number]:
    return st.builds(Number, st.just(number), until, st.booleans())


called, other = numbers(FIRST), st.one_of(st.none(), numbers(SECOND))
wanted = st.integers(-90, 90).map(lambda minutes: NOW + timedelta(minutes=minutes))


@given(called, other, wanted, st.booleans())
def test_nobody_is_called_at_a_number_that_is_dead_or_suppressed_then(
    called: Number, other: Number | None, at: datetime, alternate: bool
) -> None:
    both = {each.number: each for each in (called, other) if each is not None}
    usable = {n for n, each in both.items() if not each.dead and not for_ever(each.suppressed_until or at)}
    following = next_number(called, other, at, alternate=alternate)
    assert (following is None) == (not usable)
    if following is not None:
        assert following.number in usable and following.at >= at
        assert following.at >= (both[following.number].suppressed_until or at)
        earliest = min(max(at, both[n].suppressed_until or at) for n in usable)
        assert following.at == earliest, "nobody waits for one number while the other may be called"


@given(st.builds(Number, st.just(FIRST)), st.builds(Number, st.just(SECOND)), wanted)
def test_two_that_may_be_called_take_turns_after_a_call_and_stay_after_none(called: Number, other: Number, at: datetime) -> None:
    assert next_number(called, other, at, alternate=True) == Next(SECOND, at)
    assert next_number(called, other, at, alternate=False) == Next(FIRST, at)


@given(called, wanted, st.booleans())
def test_whoever_has_one_number_is_called_there_or_not_at_all(called: Number, at: datetime, alternate: bool) -> None:
    following = next_number(called, None, at, alternate=alternate)
    assert following is None or following.number == FIRST
