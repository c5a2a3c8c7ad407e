"""The verdict's sorted-list arithmetic against a literal reading of its definitions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.simulated.carrier import verdict
from adapters.simulated.carrier.journal import Entry, Journal


def entry(number: int, to: int, accepted: float, ended: float | None, attempt: str | None = None) -> Entry:
    return Entry(
        id=f"sim_{number}",
        attempt=attempt or f"call_{number}",
        to=f"+4930{to:05}",
        caller_id="+4930",
        labels={"campaign": "camp_1"},
        nth=1,
        accepted=accepted,
        ended=ended,
        same_attempt=False,
        beside_live=False,
    )


@st.composite
def journals(draw: st.DrawFn) -> list[Entry]:
    """Few numbers and whole seconds, so that ties, retries and overlaps are common; some calls have no end yet."""
    spans = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30), st.integers(0, 12), st.integers(0, 9)), max_size=25))
    return [
        entry(number, to, float(start), None if odd == 0 else float(start + length), f"call_{number % 20}")
        for number, (to, start, length, odd) in enumerate(sorted(spans, key=lambda span: span[1]))
    ]


def spread(calls: list[Entry]) -> list[Entry]:
    """The same calls, each to a number of its own: a list without retries, which leaves many due."""
    return [entry(number, number, call.accepted, call.ended) for number, call in enumerate(calls)]


def end(call: Entry) -> float:
    return math.inf if call.ended is None else call.ended


def due(calls: list[Entry], moment: float) -> int:
    count = 0
    for index, call in enumerate(calls):
        before = [other for other in calls[:index] if other.to == call.to]
        count += call.accepted > moment and (not before or end(before[-1]) < moment)
    return count


def live(calls: list[Entry], moment: float) -> int:
    return sum(call.accepted <= moment < end(call) for call in calls)


def utilisation(calls: list[Entry], cap: int) -> float | None:
    if len(calls) < cap:
        return None
    begin = calls[cap - 1].accepted
    starts = [call.accepted for call in calls[cap - 1 :]]
    finish = min((start for start in starts if due(calls, start) < cap), default=begin)
    if finish <= begin:
        return None
    # Whole seconds: the integral is a sum over unit steps.
    used = sum(live(calls, moment) for moment in range(int(begin), int(finish)))
    return used / (cap * (finish - begin))


def refills(calls: list[Entry], cap: int) -> list[float]:
    ends = sorted(call.ended for call in calls if call.ended is not None)
    found = []
    for k, moment in enumerate(ends, start=1):
        if due(calls, moment) >= cap and cap + k <= len(calls):
            found.append((calls[cap + k - 1].accepted - moment) * 1000)
    return found


@given(journals(), st.integers(1, 5), st.booleans())
def test_it_equals_its_definitions(calls: list[Entry], cap: int, apart: bool) -> None:
    calls = spread(calls) if apart else calls
    judged = verdict.judge(calls, cap)
    expected = utilisation(calls, cap)
    if expected is None:
        assert judged.utilisation is None
    else:
        assert judged.utilisation == pytest.approx(expected)
    assert verdict.refills(calls, cap) == refills(calls, cap)
    assert judged.refills == len(refills(calls, cap))
    assert judged.max_in_flight == max((live(calls, moment) for moment in range(32)), default=0)


@given(journals())
def test_dialled_twice_equals_its_definition(calls: list[Entry]) -> None:
    twice = 0
    for index, call in enumerate(calls):
        before = calls[:index]
        twice += any(other.attempt == call.attempt for other in before) or any(
            other.to == call.to and call.accepted < end(other) for other in before
        )
    assert verdict.dialled_twice(calls) == twice


@given(journals())
def test_the_journal_counts_while_it_writes_what_the_verdict_counts_afterwards(calls: list[Entry]) -> None:
    journal = Journal()
    turns = sorted(
        [(end(call), 0, index) for index, call in enumerate(calls) if call.ended is not None and end(call) > call.accepted]
        + [(call.accepted, 1, index) for index, call in enumerate(calls)]
    )
    lasting = [call for call in calls if call.ended is None or call.ended > call.accepted]
    written: dict[int, Entry] = {}
    for moment, begins, index in turns:
        call = calls[index]
        if call not in lasting:
            continue
        if begins:
            written[index] = journal.accept(
                id=call.id, attempt=call.attempt, to=call.to, caller_id=call.caller_id, labels=call.labels, at=moment
            )
        else:
            journal.note(written[index], ended=moment)
    summary = journal.summary()
    assert summary.dialled_twice == verdict.dialled_twice(lasting)
    assert summary.peak == verdict.peak(lasting)
    assert summary.live == sum(call.ended is None for call in lasting)


def test_a_dialler_that_refills_at_once_uses_everything() -> None:
    calls = [entry(n, n, float(n // 2), float(n // 2 + 1)) for n in range(20)]
    judged = verdict.judge(calls, 2)
    assert (judged.utilisation, judged.refill_p50_ms, judged.refill_p95_ms) == (1.0, 0.0, 0.0)
    assert (judged.calls, judged.max_in_flight, judged.dialled_twice) == (20, 2, 0)


def test_a_dialler_that_waits_as_long_as_a_call_lasts_uses_half() -> None:
    calls = [entry(n, n, 2.0 * n, 2.0 * n + 1) for n in range(10)]
    judged = verdict.judge(calls, 1)
    assert judged.utilisation == 0.5
    assert judged.refill_p50_ms == judged.refill_p95_ms == 1000.0


def test_too_little_data_is_none() -> None:
    judged = verdict.judge([entry(1, 1, 0.0, 1.0)], 2)
    assert (judged.utilisation, judged.refill_p50_ms, judged.refill_p95_ms, judged.refills) == (None, None, None, 0)
    assert verdict.judge([], 1).max_in_flight == 0


def test_a_cap_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        verdict.judge([], 0)
