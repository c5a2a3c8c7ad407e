"""What a campaign says it waits for is what its first contact waits for, whatever order the contacts are read in."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from dialer.domain.preflight import Go, Never, Reason, Verdict, Wait
from dialer.flows.campaigns.waiting import soonest

RULES = st.sampled_from([None, "campaign", "us-states 3"])
REASONS = st.sampled_from([Reason.WINDOW, Reason.NEXT_ATTEMPT, Reason.NEVER_CALLABLE])
TIMES = st.none() | st.integers(1, 3).map(lambda day: datetime(2026, 1, day, tzinfo=UTC))
VERDICTS = (
    st.just(Go(datetime(2026, 1, 1, tzinfo=UTC))) | st.builds(Wait, REASONS, TIMES, RULES) | st.builds(Never, REASONS, RULES)
)


@given(st.lists(VERDICTS, min_size=1, max_size=5).flatmap(lambda all: st.tuples(st.just(all), st.permutations(all))))
def test_the_order_of_reading_makes_no_difference(read: tuple[list[Verdict], list[Verdict]]) -> None:
    assert soonest(read[0]) == soonest(read[1])


def test_a_named_rule_says_more_than_none() -> None:
    nowhere, shut = Never(Reason.NEVER_CALLABLE), Never(Reason.NEVER_CALLABLE, "campaign")
    assert soonest([nowhere, shut]) == shut == soonest([shut, nowhere])
