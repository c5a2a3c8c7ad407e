"""Folding events: forward only, the same for every order of arrival, and nothing new the second time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.events import CallEvent, Fault, Outcome, Phase
from dialer.domain.attempt import Progress, extracted, fold
from dialer.domain.machine import ATTEMPT_TURNS, AttemptState, allowed

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(phase: Phase, n: int = 0, outcome: Outcome | None = None, fault: Fault | None = None) -> CallEvent:
    return CallEvent(phase, START + timedelta(seconds=n), "call_1", "ref", f"{phase}-{n}", outcome=outcome, fault=fault)


events = st.builds(
    event, st.sampled_from([p for p in Phase if p is not Phase.GAP]), st.integers(0, 50), st.sampled_from([None, *Outcome])
)
progresses = st.sampled_from(AttemptState).filter(lambda s: s not in (AttemptState.ENDED, AttemptState.RECALLED)).map(Progress)


@given(progresses, st.lists(events, max_size=8))
def test_an_attempt_only_moves_along_its_table(before: Progress, told: list[CallEvent]) -> None:
    progress = before
    for each in told:
        after = fold(progress, [each])
        if after.state is not progress.state:
            # Events may skip states: every skipped one would have been allowed too.
            assert allowed(ATTEMPT_TURNS, progress.state, after.state)
        progress = after


@given(progresses, st.lists(events, max_size=8))
def test_the_same_events_again_change_nothing(before: Progress, told: list[CallEvent]) -> None:
    once = fold(before, told)
    again = fold(once, told)
    assert (again.state, again.outcome, again.ended_at) == (once.state, once.outcome, once.ended_at)


def test_every_order_of_arrival_comes_to_the_same_end() -> None:
    told = [
        event(Phase.QUEUED),
        event(Phase.RINGING, 1),
        event(Phase.ANSWERED, 2),
        event(Phase.ENDED, 9, Outcome.HUMAN),
        event(Phase.RESULT, 10),
    ]
    ends = {
        (p.state, p.outcome, p.fault, p.ended_at)
        for order in permutations(told)
        for p in [fold(Progress(AttemptState.PLACING), order)]
    }
    assert ends == {(AttemptState.ENDED, Outcome.HUMAN, Fault.NONE, START + timedelta(seconds=9))}


@pytest.mark.parametrize(
    ("word", "judged"), [(None, None), (Outcome.ANSWERED, Fault.NONE), (Outcome.UNKNOWN, Fault.CALLEE), (Outcome.UNKNOWN, None)]
)
@pytest.mark.parametrize(
    ("who", "outcome", "fault"),
    [
        (Outcome.HUMAN, Outcome.HUMAN, Fault.NONE),
        (Outcome.MACHINE, Outcome.MACHINE, Fault.CALLEE),
        (None, Outcome.ANSWERED, Fault.NONE),
    ],
)
def test_every_order_comes_to_the_same_end_where_the_end_itself_does_not_say_who_picked_up(
    word: Outcome | None, judged: Fault | None, who: Outcome | None, outcome: Outcome, fault: Fault
) -> None:
    """Whose fault it is follows: a person who was spoken to is not called again because the end of the call was missed."""
    told = [
        event(Phase.RINGING, 1),
        event(Phase.ANSWERED, 2),
        event(Phase.CLASSIFIED, 3, who),
        event(Phase.ENDED, 9, word, judged),
        event(Phase.RESULT, 10),
    ]
    ends = {repr(fold(Progress(AttemptState.PLACING), order)) for order in permutations(told)}
    end = fold(Progress(AttemptState.PLACING), told)
    assert ends == {repr(end)}
    assert (end.outcome, end.fault) == (outcome, fault)


@given(st.lists(events, max_size=5))
def test_nobody_speaks_of_a_call_that_was_not_placed(told: list[CallEvent]) -> None:
    for state in (AttemptState.QUEUED, AttemptState.RECALLED):
        assert fold(Progress(state), told) == Progress(state)


def test_an_unknown_ending_is_corrected_by_late_evidence_and_a_known_one_is_not() -> None:
    unknown = fold(Progress(AttemptState.PLACING), [event(Phase.ENDED, 1, Outcome.UNKNOWN)])
    assert unknown.outcome is Outcome.UNKNOWN
    known = fold(unknown, [event(Phase.ENDED, 5, Outcome.BUSY)])
    assert (known.outcome, known.ended_at) == (Outcome.BUSY, unknown.ended_at)
    assert fold(known, [event(Phase.ENDED, 6, Outcome.HUMAN)]) == known


def test_an_answered_call_takes_the_classification_that_came_before_its_end() -> None:
    told = [event(Phase.ANSWERED, 1), event(Phase.CLASSIFIED, 2, Outcome.MACHINE), event(Phase.ENDED, 3)]
    assert fold(Progress(AttemptState.PLACING), told).outcome is Outcome.MACHINE


def test_an_end_without_a_word_is_answered_if_it_was_answered_and_unknown_otherwise() -> None:
    assert fold(Progress(AttemptState.PLACING), [event(Phase.ANSWERED), event(Phase.ENDED, 1)]).outcome is Outcome.ANSWERED
    assert fold(Progress(AttemptState.PLACING), [event(Phase.ENDED, 1)]).outcome is Outcome.UNKNOWN


def test_extracted_fields_that_come_in_parts_are_kept_together() -> None:
    parts: list[dict[str, object]] = [{"extracted": {"a": 1}, "summary": "x"}, {"extracted": {"b": 2}}, {"summary": "y"}]
    told = [replace(event(Phase.RESULT, n), data=part) for n, part in enumerate(parts)]
    assert fold(Progress(AttemptState.PLACING), told).result == {"extracted": {"a": 1, "b": 2}, "summary": "y"}
    odd = fold(Progress(AttemptState.PLACING), [*told, replace(event(Phase.RESULT, 9), data={"extracted": "none"})])
    assert odd.result == {"extracted": "none", "summary": "y"}


@pytest.mark.parametrize(
    ("result", "found"),
    [
        ({}, None),
        ({"extracted": {"size": 40}}, {"size": 40}),
        ({"extracted": "odd", "transcript_says": {"size": 41}}, "odd"),
        ({"transcript_says": {"size": 41}}, {"size": 41}),
        ({"extracted": {"size": 40, "fan": ""}, "transcript_says": {"size": 41, "fan": True}}, {"size": 40, "fan": True}),
    ],
)
def test_what_the_carrier_told_comes_before_what_the_transcript_says(result: dict[str, Any], found: Any) -> None:
    assert extracted(result) == found
