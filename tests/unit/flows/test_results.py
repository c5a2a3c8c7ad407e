"""What carriers owe: asked for less and less often, until it comes or is given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from adapters.base import Over
from adapters.events import CallEvent, Outcome, Phase
from dialer.domain.machine import AttemptState
from dialer.flows.results import FIRST_SECONDS, MOST_ASKED, Results, lacking
from dialer.store.attempts import Silent
from tests.support.clock import ManualClock

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def told(phase: Phase, outcome: Outcome | None = None) -> CallEvent:
    return CallEvent(phase, NOW, "call_1", "ref", f"key of {phase}", outcome=outcome)


CALL = Silent("call_1", AttemptState.ANSWERED, "sim", "+49301234567", "ref", NOW, NOW, NOW, 30, 3600, NOW + timedelta(hours=1))
TALKED = (told(Phase.ANSWERED), told(Phase.ENDED, Outcome.HUMAN))


def test_only_a_call_in_which_somebody_was_spoken_to_has_a_result() -> None:
    assert lacking(TALKED) and lacking((told(Phase.ENDED, Outcome.MACHINE),))
    assert not lacking((*TALKED, told(Phase.RESULT)))
    assert not lacking((told(Phase.RINGING), told(Phase.ENDED, Outcome.NO_ANSWER)))


def test_it_is_asked_for_after_5_10_20_seconds_and_so_on_and_given_up_in_the_end() -> None:
    clock = ManualClock(NOW)
    results = Results(clock)
    results.expect(CALL, Over("ref", TALKED))
    for n in range(MOST_ASKED):
        clock.advance(FIRST_SECONDS * 2**n - 0.5)
        assert results.due(10) == []
        clock.advance(0.5)
        assert results.due(10) == [CALL]
    clock.advance(86_400)
    assert results.due(10) == []


def test_what_came_is_asked_for_no_more() -> None:
    clock = ManualClock(NOW)
    results = Results(clock)
    results.expect(CALL, Over("ref", TALKED))
    results.came("call_1")
    clock.advance(60)
    assert results.due(10) == []
