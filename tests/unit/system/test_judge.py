"""The arithmetic of the verdict: slots, recoveries, and people who should not have been called again."""

from __future__ import annotations

from dataclasses import replace

from adapters.simulated.carrier.journal import Entry
from tests.system.frame import Found
from tests.system.judge import Held, again, recoveries, slots, together


def held(
    attempt: str, claimed: float, freed: float | None, accepted: float | None = None, over: float | None = None, *,
    enrolment: str = "cc", state: str = "ended",
) -> Held:  # fmt: skip
    return Held(attempt, enrolment, state, None, claimed, freed, accepted, over)


def called(attempt: str, claimed: float, seconds: float = 0.9) -> Held:
    return held(attempt, claimed, claimed + seconds, claimed + 0.1, claimed + seconds)


def entry(attempt: str, answered_by: str | None, *, dialled: float | None = 0) -> Entry:
    return Entry(
        id=attempt, attempt=attempt, to="+49301", caller_id="+49302", labels={}, nth=1, accepted=0, same_attempt=False,
        beside_live=False, dialled=dialled, ended=1, answered_by=answered_by, reason="busy here",  # type: ignore[arg-type]
    )  # fmt: skip


BACKLOG = [called(f"later {n}", 20 + n) for n in range(10)]
"""Dials that are still to come, so that what was before is measured."""


def test_a_claim_takes_the_slot_that_was_free_for_longest() -> None:
    chains = slots([held("a", 0, 5), held("b", 1, 2), held("c", 3, 4), held("d", 6, None), held("e", 7, None)])
    assert [[each.attempt for each in chain] for chain in chains] == [["a", "e"], ["b", "c", "d"]]


def test_a_recovery_lasts_until_the_next_dial_on_the_slot_that_was_lost() -> None:
    lost = [called("before", 0), held("lost", 1, 7), called("after", 8)]
    assert recoveries([*lost, *BACKLOG], 1, [1.5]) == [8.1 - 1.5]


def test_a_slot_whose_call_is_up_needs_no_recovery_and_one_whose_end_was_not_heard_does() -> None:
    assert recoveries([called("up", 0, 10), called("after", 11), *BACKLOG], 1, [5]) == [0]
    assert recoveries([held("up", 0, 10, 0.1, 2), called("after", 11), *BACKLOG], 1, [5]) == [11.1 - 5]


def test_a_free_slot_counts_from_the_kill_on() -> None:
    assert recoveries([called("before", 0), called("after", 9), *BACKLOG], 1, [3]) == [9.1 - 3]


def test_a_slot_that_a_later_kill_hits_anew_is_the_later_ones() -> None:
    twice = [held("lost", 1, 7), held("lost again", 8, 14), called("after", 15)]
    assert recoveries([*twice, *BACKLOG], 1, [1.5, 8.5]) == [8 - 1.5, 15.1 - 8.5]


def test_a_request_that_the_carrier_makes_go_wrong_is_a_dial() -> None:
    lost = [held("lost", 1, 7), replace(held("asked", 8, 14), asked=8.2), called("after", 15)]
    assert recoveries([*lost, *BACKLOG], 1, [1.5]) == [8.2 - 1.5]
    assert lost[1].accepted is None and lost[1].dialled == 8.2 and lost[2].dialled == lost[2].accepted


def test_what_happens_when_nobody_is_due_any_more_is_not_measured() -> None:
    assert recoveries([called("a", 0), called("b", 1), held("lost", 2, 9), called("c", 30)], 1, [2.5]) == []


def test_a_call_of_an_attempt_that_was_taken_back_is_one_too_many() -> None:
    recalled = held("r", 0, 1, 0.5, 0.9, state="recalled")
    assert again([recalled, called("a", 2)], [entry("r", None), entry("a", None)]) == 1
    assert again([held("r", 0, 1, state="recalled"), called("a", 2)], [entry("a", None)]) == 0


def test_a_call_that_was_taken_back_before_the_carrier_dialled_is_none() -> None:
    recalled = held("r", 0, 1, 0.5, 0.9, state="recalled")
    assert again([recalled, called("a", 2)], [entry("r", None, dialled=None), entry("a", None)]) == 0


def test_a_call_that_we_hung_up_before_it_rang_may_be_taken_back() -> None:
    recalled = held("r", 0, 1, 0.5, 0.9, state="recalled")
    unheard, heard = entry("r", None), entry("r", None)
    unheard.hung_up = heard.hung_up = True
    heard.ringing = 0.6
    assert again([recalled], [unheard]) == 0
    assert again([recalled], [heard]) == 1


def test_several_campaigns_are_judged_as_one() -> None:
    one = Found(10, 1, 0, 0, 0, 0, 0, 2.0, ("a law",), 5.0, (1.0,))
    other = Found(20, 0, 2, 0, 0, 0, 0, 3.0, ("a law", "another"), 4.0, (2.0,))
    assert together([one, other]) == Found(30, 1, 2, 0, 0, 0, 0, 3.0, ("a law", "another"), 5.0, (1.0, 2.0))


def test_a_call_after_somebody_was_spoken_to_is_one_too_many() -> None:
    both = [called("first", 0), called("second", 2)]
    assert again(both, [entry("first", "human"), entry("second", None)]) == 1
    assert again(both, [entry("first", "machine"), entry("second", "human")]) == 0
