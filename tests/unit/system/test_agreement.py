"""What the ledger has of a call against what the journal has, and moments in bouts."""

from __future__ import annotations

import pytest

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.script import Faults, Script
from tests.system.agreement import bouts, burned, ending, freed_early, misjudged, told, told_beside_the_next, waits
from tests.system.judge import Held


def entry(attempt: str, *, nth: int = 1, accepted: float = 0, ended: float | None = 5, answered_by: str | None = None,
          reason: str = "busy here") -> Entry:  # fmt: skip
    return Entry(
        id=f"sim_{attempt}", attempt=attempt, to="+49301", caller_id="+49302", labels={}, nth=nth, accepted=accepted,
        same_attempt=False, beside_live=False, ended=ended, answered_by=answered_by, reason=reason,  # type: ignore[arg-type]
    )  # fmt: skip


def held(attempt: str, outcome: str | None, freed: float | None, over: float | None = 5) -> Held:
    return Held(attempt, "cc", "ended", outcome, 0, freed, 0, over)


def test_an_outcome_is_that_of_the_journal_and_a_call_that_the_carrier_cut_off_has_none() -> None:
    ends = [entry("a"), entry("b", answered_by="machine"), entry("c", reason="carrier restarted")]
    assert [ending(each) for each in ends] == ["busy", "machine", None]
    assert misjudged([held("a", "busy", 6), held("b", "human", 6), held("c", "unreachable", 6)], ends) == ["b"]
    assert misjudged([], ends) == ["a", "b"]


def test_a_slot_is_free_early_when_its_call_was_up() -> None:
    assert freed_early([held("a", "busy", 5.1), held("b", "busy", 4.9), held("c", None, 1, None), held("d", None, None)]) == 2


def test_a_try_without_a_call_that_ended_by_itself_is_burned() -> None:
    calls = [entry("a"), entry("b", nth=2, reason="carrier restarted")]
    assert burned({"+49301": 1, "+49399": 0}, calls) == 0
    assert burned({"+49301": 2, "+49399": 1}, calls) == 2


def test_callbacks_are_sent_at_their_events_and_again_as_the_script_says() -> None:
    script = Script(repeats=2, faults=Faults(callback_repeated=1, repeat_seconds=2, callback_late=1, late_seconds=10))
    assert told(entry("a"), script) == [15, 17, 19]
    assert told(entry("a"), Script(faults=Faults(callback_lost=1))) == []


def test_what_is_told_of_a_call_while_the_next_is_up_is_counted() -> None:
    script = Script(repeats=2, faults=Faults(callback_repeated=1, repeat_seconds=2))
    assert told_beside_the_next([entry("a"), entry("b", nth=2, accepted=6, ended=8)], script) == 1
    assert told_beside_the_next([entry("a"), entry("b", nth=2, accepted=6, ended=None)], script) == 2


def test_moments_are_taken_together_that_follow_closely() -> None:
    groups = bouts([9, 1.5, 1, 2, 5], 1)
    assert groups == [[1, 1.5, 2], [5], [9]]
    assert waits(groups) == pytest.approx([3, 4])
    assert bouts([], 1) == [] and waits([]) == []
