"""When endings speak of the trunk: many invalid numbers, or calls of which none rings."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from adapters.events import Fault, Outcome
from dialer.domain.attempt import Progress
from dialer.domain.machine import AttemptState
from dialer.domain.storm import INVALID_NUMBERS, LASTS, SILENT, Ending, Endings, nothing_rings, stormy
from tests.unit.domain.cases import NOW

INVALID = Progress(AttemptState.ENDED, Outcome.INVALID_NUMBER, Fault.NUMBER, ended_at=NOW)
BUSY = Progress(AttemptState.ENDED, Outcome.BUSY, Fault.CALLEE, ringing_at=NOW, ended_at=NOW)
SILENCE = Progress(AttemptState.ENDED, Outcome.UNREACHABLE, Fault.TRUNK, ended_at=NOW)
ANSWERED = Progress(AttemptState.ENDED, Outcome.UNREACHABLE, Fault.TRUNK, ringing_at=NOW, answered_at=NOW, ended_at=NOW)


def follow(*became: Progress) -> tuple[Endings, list[Progress]]:
    endings = Endings()
    return endings, [endings.believe(f"call_{n}", f"+49{n}", each, NOW) for n, each in enumerate(became)]


def test_from_the_fifth_invalid_number_on_it_is_the_trunk_and_not_the_number() -> None:
    endings, believed = follow(*[INVALID] * 12)
    assert [each.fault for each in believed] == [Fault.NUMBER] * 4 + [Fault.TRUNK] * 8
    assert endings.blamed


def test_whoever_was_believed_before_the_storm_was_seen_is_under_suspicion_and_whoever_rang_is_not() -> None:
    endings, _ = follow(BUSY, INVALID, SILENCE, *[INVALID] * 3, BUSY)
    assert not endings.suspects
    endings.believe("call_x", "+4930", INVALID, NOW)
    assert endings.suspects == {"call_1", "call_2", "call_3", "call_4", "call_5", "call_x"}


def test_a_bad_number_now_and_then_is_believed() -> None:
    endings, believed = follow(*[BUSY, BUSY, BUSY, INVALID] * 50)
    assert all(each.fault is not Fault.TRUNK for each in believed)
    assert not endings.blamed


def test_calls_that_are_blocked_speak_of_the_caller_id_and_neither_of_numbers_nor_of_the_trunk() -> None:
    """Twelve in a row: unwanted (607), by analytics (608), or blamed on the trunk by a provider who says nothing of the phone."""
    for fault in (Fault.NUMBER, Fault.CALLEE, Fault.TRUNK):
        blocked = Progress(AttemptState.ENDED, Outcome.BLOCKED, fault, ended_at=NOW)
        endings, believed = follow(*[blocked] * 12)
        assert believed == [blocked] * 12
        assert not endings.blamed


def test_the_same_number_again_and_again_is_no_storm() -> None:
    assert not stormy([Ending(f"call_{n}", "+4930", Fault.NUMBER) for n in range(20)])


def test_an_ending_that_is_judged_again_is_one_ending() -> None:
    endings = Endings()
    for _ in range(3 * INVALID_NUMBERS):
        assert endings.believe("call_1", "+4930", INVALID, NOW) == INVALID


def test_after_a_storm_numbers_are_believed_again() -> None:
    endings, _ = follow(*[INVALID] * 5)
    assert endings.believe("call_x", "+4930", INVALID, NOW + LASTS - timedelta(seconds=1)).fault is Fault.TRUNK
    assert endings.believe("call_y", "+4931", INVALID, NOW + LASTS).fault is Fault.NUMBER


def test_calls_of_which_none_rings_are_the_trunks_and_those_that_were_cut_off_are_not() -> None:
    assert not follow(*[SILENCE] * (SILENT - 1))[0].blamed
    assert follow(*[SILENCE] * SILENT)[0].blamed
    assert not follow(*[SILENCE] * (SILENT - 1), BUSY, *[SILENCE] * (SILENT - 1))[0].blamed
    assert not follow(*[ANSWERED] * 50)[0].blamed


faults = st.sampled_from(Fault)


@given(st.lists(st.builds(Ending, st.text(max_size=3), st.sampled_from("abcdefgh"), faults), max_size=20))
def test_a_storm_needs_five_numbers_and_more_than_three_in_ten(endings: list[Ending]) -> None:
    invalid = [each for each in endings if each.fault is Fault.NUMBER]
    assert stormy(endings) == (len({each.number for each in invalid}) >= 5 and 10 * len(invalid) > 3 * len(endings))
    assert not (nothing_rings(endings) and any(e.fault in (Fault.NONE, Fault.CALLEE) for e in endings[-SILENT:]))


def test_a_storm_may_be_of_endings_of_which_the_carrier_is_not_certain() -> None:
    perhaps = Progress(AttemptState.ENDED, Outcome.INVALID_NUMBER, Fault.CALLEE, ended_at=NOW)
    endings, believed = follow(*[perhaps] * 6)
    assert [each.fault for each in believed] == [Fault.CALLEE] * 4 + [Fault.TRUNK] * 2
    assert endings.blamed
