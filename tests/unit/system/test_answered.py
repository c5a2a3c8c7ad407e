"""The arithmetic of what an answer promises."""

from __future__ import annotations

import math

from adapters.simulated.carrier.journal import Entry
from tests.system.answered import Cap, Said, after, beside, broken, in_force, rises, silences, still_up, sure, waits


def call(accepted: float, ended: float | None = None, to: str = "+49301") -> Entry:
    return Entry(
        id="c", attempt="a", to=to, caller_id="+49302", labels={}, nth=1, accepted=accepted, same_attempt=False,
        beside_live=False, ended=ended,
    )  # fmt: skip


def test_nothing_starts_from_the_answer_of_a_stop_to_the_sending_of_the_next_start() -> None:
    spans = silences([Said(1, 2), Said(20, 21)], [Said(0, 0.5), Said(5, 6), Said(10, 11)])
    assert spans == [(2, 5), (21, math.inf)]
    calls = [call(at) for at in (1.5, 2.5, 5.5, 22)]
    assert broken(calls, spans) == [calls[1], calls[3]]


def test_a_stop_beside_which_a_start_was_under_way_promises_nothing() -> None:
    stop = Said(1, 2)
    assert [sure([stop], [start]) for start in (Said(0, 1.5), Said(1.2, 1.8), Said(1.5, 3), Said(0, 3))] == [[]] * 4
    assert sure([stop], [Said(0, 1), Said(2, 3)]) == [stop]
    assert sure([Said(1, math.inf)], []) == []


def test_a_cap_holds_from_its_answer_and_may_hold_from_its_sending_on() -> None:
    first, low, high = Cap(5, Said(-math.inf, 0)), Cap(1, Said(10, 11)), Cap(3, Said(20, 21))
    caps = [first, low, high]
    assert in_force(caps, 5) == [first]
    assert in_force(caps, 10.5) == [first, low]
    assert in_force(caps, 15) == [low]
    assert in_force(caps, 20.5) == [low, high]
    assert in_force(caps, 25) == [high]


def test_two_caps_that_were_under_way_together_may_both_hold() -> None:
    both = [Cap(1, Said(1, 3)), Cap(4, Said(2, 4))]
    assert in_force(both, 10) == both


def test_a_lowered_cap_ends_no_call_and_lets_none_begin_until_there_are_fewer() -> None:
    caps = [Cap(3, Said(-math.inf, 0)), Cap(2, Said(10, 11))]
    up = [call(1, 12), call(2, 14), call(3, 30)]
    assert rises([*up, call(13, 40)], caps) == [call(13, 40)]
    assert rises([*up, call(15, 40)], caps) == []
    assert rises([*up, call(10.5, 40)], caps) == [call(10.5, 40)], "three are up, and three is the highest that may hold"
    assert rises([*up[:2], call(10.5, 40)], caps) == [], "the old cap may still hold"


def test_a_call_that_ends_as_the_next_begins_leaves_its_slot() -> None:
    assert rises([call(1, 2), call(2, 3)], [Cap(1, Said(-math.inf, 0))]) == []


def test_what_was_up_at_a_hang_up_is_over_in_time() -> None:
    hung_up = [Said(10, 11)]
    assert still_up([call(5, 14.9), call(11.5, 30)], hung_up, 5) == []
    late, up = call(5, 15.1), call(10.5, None)
    assert still_up([late, up], hung_up, 5) == [late, up]


def test_only_the_waiting_after_a_no_counts() -> None:
    turns = [(0.0, "pending"), (4.0, "calling"), (8.0, "pending"), (9.5, "skipped")]
    assert [waits(turns, no) for no in (2.0, 5.0, 9.0, 10.0)] == [3.5, 1.5, 0.5, 0.0]
    assert waits(turns[:3], 5.0, until=20.0) == 12.0


def test_a_call_belongs_to_the_no_of_its_number() -> None:
    noes = {"+49301": Said(1, 2)}
    calls = [call(0.5), call(1.5), call(2.5), call(2.5, to="+49309")]
    assert (beside(calls, noes), after(calls, noes)) == ([calls[1]], [calls[2]])
