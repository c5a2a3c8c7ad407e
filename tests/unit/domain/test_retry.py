"""After a call: again or done, and what was used up."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.events import Fault, Outcome
from dialer.domain.campaign import RetryPolicy
from dialer.domain.machine import ContactStatus
from dialer.domain.outcome import disposition, presumed_fault, reached
from dialer.domain.retry import EXCUSED_A_DAY, CallAgain, Done, Record, decide
from tests.unit.domain.cases import NOW, rules

outcomes = st.sampled_from(Outcome)
faults = st.sampled_from(Fault)
records = st.builds(Record, st.integers(0, 60), st.integers(0, 30))
settings = st.fixed_dictionaries(
    {},
    optional={
        "retry_on_error": st.booleans(),
        "retry_on_voicemail": st.booleans(),
        "retry_delay_minutes_busy": st.integers(0, 10080),
        "max_attempts_no_answer": st.integers(1, 50),
        "retry_backoff_mode": st.sampled_from(["fixed", "exponential"]),
        "retry_backoff_multiplier": st.floats(1.01, 10),
    },
)


@given(outcomes, faults, records, settings, st.integers(1, 50))
def test_it_always_ends(outcome: Outcome, fault: Fault, record: Record, chosen: dict[str, object], most: int) -> None:
    """However calls go, a contact is dialled a bounded number of times."""
    policy = rules(max_attempts_per_contact=most, settings=chosen).retry
    decision = decide(outcome, fault, policy, record, NOW)
    if isinstance(decision, CallAgain):
        assert decision.at >= NOW
        assert decision.counted != decision.excused
        assert record.attempts + decision.counted < most or not decision.counted
        assert record.excused_today + decision.excused < EXCUSED_A_DAY or not decision.excused


@given(faults, records, settings)
def test_a_call_of_which_nobody_knows_is_never_made_again(fault: Fault, record: Record, chosen: dict[str, object]) -> None:
    assert decide(Outcome.UNKNOWN, fault, rules(settings=chosen).retry, record, NOW) == Done(
        ContactStatus.FAILED, "unknown", counted=True
    )


@given(outcomes.filter(reached), records, settings)
def test_whoever_was_reached_is_done(outcome: Outcome, record: Record, chosen: dict[str, object]) -> None:
    decision = decide(outcome, presumed_fault(outcome), rules(settings=chosen).retry, record, NOW)
    assert isinstance(decision, Done) and decision.status is ContactStatus.COMPLETED and decision.counted


@given(outcomes.filter(lambda o: o is not Outcome.UNKNOWN), records, settings)
def test_an_invalid_number_is_never_dialled_again(outcome: Outcome, record: Record, chosen: dict[str, object]) -> None:
    decision = decide(outcome, Fault.NUMBER, rules(settings=chosen).retry, record, NOW)
    assert isinstance(decision, Done) and decision.status is ContactStatus.FAILED


@given(
    outcomes.filter(lambda o: o is not Outcome.UNKNOWN), st.sampled_from([Fault.TRUNK, Fault.CONFIG]), st.integers(0, 5), records
)
def test_the_trunks_fault_uses_up_no_attempt(outcome: Outcome, fault: Fault, made: int, record: Record) -> None:
    assert not decide(outcome, fault, rules().retry, record, NOW).counted


@pytest.mark.parametrize("outcome", [Outcome.BUSY, Outcome.NO_ANSWER, Outcome.DECLINED])
def test_not_reached_is_tried_again_after_the_delay_until_the_attempts_are_used_up(outcome: Outcome) -> None:
    policy = rules(max_attempts_per_contact=2).retry
    first = decide(outcome, Fault.CALLEE, policy, Record(0, 0), NOW)
    assert first == CallAgain(NOW + timedelta(minutes=60), disposition(outcome), counted=True)
    assert decide(outcome, Fault.CALLEE, policy, Record(1, 0), NOW) == Done(
        ContactStatus.FAILED, "attempts_exhausted", counted=True
    )


def test_each_outcome_has_its_own_delay_and_declined_shares_that_of_busy() -> None:
    policy = rules(settings={"retry_delay_minutes_busy": 5, "retry_delay_minutes_no_answer": 90}).retry
    delays = {o: decide(o, Fault.CALLEE, policy, Record(0, 0), NOW) for o in (Outcome.BUSY, Outcome.DECLINED, Outcome.NO_ANSWER)}
    minutes = {o: (d.at - NOW) / timedelta(minutes=1) for o, d in delays.items() if isinstance(d, CallAgain)}
    assert minutes == {Outcome.BUSY: 5, Outcome.DECLINED: 5, Outcome.NO_ANSWER: 90}


def test_the_delay_of_24_hours_is_86400_seconds_across_a_clock_change() -> None:
    before_change = NOW.replace(month=3, day=8, hour=6)  # 2026-03-08 06:00 UTC, an hour before New York springs forward
    decision = decide(Outcome.BUSY, Fault.CALLEE, rules(retry_delay_minutes=1440).retry, Record(0, 0), before_change)
    assert isinstance(decision, CallAgain) and (decision.at - before_change).total_seconds() == 86_400


def test_voicemail_is_done_unless_the_campaign_says_otherwise() -> None:
    assert decide(Outcome.MACHINE, Fault.CALLEE, rules().retry, Record(0, 0), NOW) == Done(
        ContactStatus.COMPLETED, "voicemail", counted=True
    )
    again = decide(Outcome.MACHINE, Fault.CALLEE, rules(settings={"retry_on_voicemail": True}).retry, Record(0, 0), NOW)
    assert isinstance(again, CallAgain)


def test_delays_grow_to_their_cap_when_they_are_exponential() -> None:
    grows = {"retry_backoff_mode": "exponential", "retry_backoff_multiplier": 3, "retry_backoff_max_minutes": 200}
    policy = rules(max_attempts_per_contact=50, retry_delay_minutes=10, settings=grows).retry
    found = [decide(Outcome.BUSY, Fault.CALLEE, policy, Record(made, 0), NOW) for made in range(5)]
    assert [(d.at - NOW) / timedelta(minutes=1) for d in found if isinstance(d, CallAgain)] == [10, 30, 90, 200, 200]


@given(st.integers(0, 10080), st.floats(0, 1), st.integers(1, 43200), st.integers(0, 2**32), st.integers(0, 3))
def test_jitter_keeps_to_its_share_and_never_passes_the_cap(first: int, share: float, cap: int, seed: int, made: int) -> None:
    chosen = {"retry_backoff_jitter": share, "retry_backoff_max_minutes": cap}
    policy = rules(max_attempts_per_contact=50, retry_delay_minutes=first, settings=chosen).retry

    def minutes(rng: Random | None) -> float:
        found = decide(Outcome.BUSY, Fault.CALLEE, policy, Record(made, 0), NOW, rng)
        assert isinstance(found, CallAgain)
        return (found.at - NOW) / timedelta(minutes=1)

    plain = minutes(None)
    assert plain == min(first, cap)
    assert plain * (1 - share) - 1e-6 <= minutes(Random(seed)) <= min(plain * (1 + share), cap) + 1e-6
    assert minutes(Random(seed)) == minutes(Random(seed)), "chance is an argument"


def test_jitter_spreads_a_herd_and_without_the_setting_there_is_none() -> None:
    def at(policy: RetryPolicy) -> set[datetime]:
        rng = Random(7)
        found = [decide(Outcome.NO_ANSWER, Fault.CALLEE, policy, Record(0, 0), NOW, rng) for _ in range(100)]
        return {each.at for each in found if isinstance(each, CallAgain)}

    assert at(rules().retry) == {NOW + timedelta(hours=1)}
    spread = at(rules(settings={"retry_backoff_jitter": 0.5}).retry)
    assert len(spread) > 90
    assert NOW + timedelta(minutes=30) <= min(spread) < NOW + timedelta(minutes=40)
    assert NOW + timedelta(minutes=80) < max(spread) <= NOW + timedelta(minutes=90)


def test_voicemail_may_have_fewer_attempts_than_the_rest() -> None:
    policy = rules(settings={"retry_on_voicemail": True, "max_attempts_voicemail": 2}).retry
    assert isinstance(decide(Outcome.MACHINE, Fault.CALLEE, policy, Record(0, 0), NOW), CallAgain)
    assert decide(Outcome.MACHINE, Fault.CALLEE, policy, Record(1, 0), NOW) == Done(
        ContactStatus.COMPLETED, "attempts_exhausted", counted=True
    )
    assert isinstance(decide(Outcome.BUSY, Fault.CALLEE, policy, Record(1, 0), NOW), CallAgain)


@given(outcomes.filter(lambda o: o is not Outcome.UNKNOWN), records, settings, st.integers(1, 50))
def test_a_number_that_nobody_has_sends_to_the_other_one_at_once_while_an_attempt_is_left(
    outcome: Outcome, record: Record, chosen: dict[str, object], most: int
) -> None:
    policy = rules(max_attempts_per_contact=most, settings=chosen).retry
    decision = decide(outcome, Fault.NUMBER, policy, record, NOW, elsewhere=True)
    if record.attempts + 1 < most:
        assert decision == CallAgain(NOW, disposition(outcome), counted=True)
    else:
        assert decision == Done(ContactStatus.FAILED, disposition(outcome), counted=True)
