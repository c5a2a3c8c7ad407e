"""The arithmetic of the scenarios with a queueing carrier, with poison, and with a herd."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.script import Faults
from tests.support.carrier import quick
from tests.system.scenarios.carrier_queue import deepest, dialled_outside, queued_at
from tests.system.scenarios.morning_herd import behind, growth, rounds, share_within
from tests.system.scenarios.poison import End, pace, poisonous


def entry(accepted: float, dialled: float | None = None, ended: float | None = None, to: str = "+49301234567") -> Entry:
    return Entry(
        id=f"{accepted}", attempt=f"{accepted}", to=to, caller_id="+49302", labels={}, nth=1, accepted=accepted,
        same_attempt=False, beside_live=False, dialled=dialled, ended=ended,
    )  # fmt: skip


QUEUE = [entry(0, 0, 5), entry(1, 4, 9), entry(2, None, 3), entry(2.5)]


def test_a_call_stands_in_the_queue_until_it_is_dialled_or_taken_back() -> None:
    assert deepest(QUEUE[:1]) == 0
    assert deepest(QUEUE) == 3
    assert [queued_at(QUEUE, moment) for moment in (0.5, 1.0, 2.2, 3.0, 4.0)] == [0, 1, 2, 2, 1]


def test_what_was_accepted_in_the_window_and_dialled_after_it_is_outside() -> None:
    assert dialled_outside(QUEUE, 0, 4.5) == 0
    assert dialled_outside(QUEUE, 0, 4) == 1
    assert dialled_outside(QUEUE, 0.1, 4.5) == 1


def test_in_turn_nobody_is_behind() -> None:
    turns = [(float(at), name) for at, name in enumerate("abcabcabc")]
    assert behind(turns, "abc", 9.0) == 0.0


def test_behind_is_who_waits_while_another_one_has_two_calls_more() -> None:
    assert behind([(0.0, "a"), (1.0, "a"), (4.0, "b"), (5.0, "c")], "abc", 9.0) == 4.0
    assert behind([(0.0, "a"), (1.0, "a"), (4.0, "b")], "abc", 9.0) == 8.0
    assert behind([(0.0, "a"), (0.5, "b"), (1.0, "a"), (2.0, "a"), (4.0, "b")], "ab", 9.0) == 2.0
    assert behind([], "ab", 9.0) == 0.0


def test_rounds_are_counted_between_two_looks() -> None:
    before = {'dialer_round_seconds_bucket{le="1.0"}': 5.0, 'dialer_round_seconds_bucket{le="+Inf"}': 6.0}
    after = {'dialer_round_seconds_bucket{le="1.0"}': 95.0, 'dialer_round_seconds_bucket{le="+Inf"}': 106.0, "dialer_x": 1.0}
    assert share_within(rounds(before, after), 1.0) == 0.9


def test_growth_is_from_the_first_third_to_the_last() -> None:
    assert growth([100, 100, 500, 100, 110, 110, 110]) == pytest.approx(0.1)
    assert growth([100]) == 0


def test_the_poison_is_what_the_carrier_s_script_says() -> None:
    numbers = [f"+4930{n:08}" for n in range(400)]
    script = quick(answer=0.9, invalid=0.1, faults=Faults(refuse_400=0.1))
    kinds = poisonous(script, numbers, frozenset(numbers[:3]))
    assert {kinds[number] for number in numbers[:3]} == {"huge"}
    assert 20 < sum(kind == "refused" for kind in kinds.values()) < 60
    assert 20 < sum(kind == "invalid" for kind in kinds.values()) < 60
    assert poisonous(quick(), numbers, frozenset()) == {}


def test_the_pace_is_that_of_the_healthy_calls() -> None:
    entries = [entry(float(n), to=f"+4930{n % 10}") for n in range(100)]
    assert pace(entries, {}) == 1.0
    assert pace(entries, {"+49300": "huge"}) == pytest.approx(0.9, abs=0.02)
    assert pace(entries[:1], {}) == 0.0


def test_a_poisoned_contact_ends_with_its_reason_and_after_few_tries() -> None:
    end = End("failed", "error", "quarantined", 3)
    assert end.good("huge") and not end.good("refused")
    assert not replace(end, tries=4).good("huge") and not replace(end, status="pending").good("huge")
