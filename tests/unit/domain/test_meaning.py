"""What a trunk's readings make of endings and refusals, and what they leave alone."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from adapters.causes import Override
from adapters.errors import Ambiguous, RateLimited, Rejected, TooLate, Unavailable
from adapters.events import Fault, Outcome
from adapters.reasons import MEANINGS, pattern
from dialer.domain.attempt import Progress
from dialer.domain.machine import AttemptState
from dialer.domain.meaning import FACTS, of_ending, of_refusal
from tests.unit.domain.cases import NOW

means = st.sampled_from(sorted(MEANINGS))


def reading(word: str) -> list[Override]:
    return [Override(pattern("gone fishing"), MEANINGS[word])]


@given(st.sampled_from(Outcome), st.sampled_from(Fault), means)
def test_only_what_is_worded_is_read_and_facts_are_left_alone(outcome: Outcome, fault: Fault, word: str) -> None:
    became = Progress(AttemptState.ENDED, outcome, fault, cause="SIP: Gone Fishing", ended_at=NOW)
    read = of_ending(became, reading(word))
    assert (read.outcome, read.fault) == ((outcome, fault) if outcome in FACTS else MEANINGS[word])
    assert replace(read, outcome=outcome, fault=fault) == became


@given(st.sampled_from(Outcome), st.sampled_from(Fault), means)
def test_of_what_was_answered_or_says_something_else_nothing_is_read(outcome: Outcome, fault: Fault, word: str) -> None:
    became = Progress(AttemptState.ENDED, outcome, fault, cause="SIP: Gone Fishing", ended_at=NOW)
    for other in (replace(became, cause="busy"), replace(became, cause=None), replace(became, answered_at=NOW)):
        assert of_ending(other, reading(word)) == other
    assert of_ending(became, []) == became


@given(st.sampled_from(Fault), means)
def test_a_refusal_stays_one_and_only_whose_fault_it_is_changes(fault: Fault, word: str) -> None:
    refused = Rejected("no", fault=fault, cause="gone fishing", retry_after=7)
    read = of_refusal(refused, reading(word))
    assert isinstance(read, Rejected) and (str(read), read.cause, read.retry_after) == ("no", "gone fishing", 7)
    outcome, blamed = MEANINGS[word]
    assert read.fault is (blamed if outcome in (Outcome.INVALID_NUMBER, Outcome.UNREACHABLE) else fault)


def test_of_what_is_no_refusal_nothing_is_read() -> None:
    for fault in (Ambiguous("gone fishing"), RateLimited("gone fishing"), TooLate("gone fishing"), Unavailable("gone fishing")):
        assert of_refusal(fault, reading("invalid")) is fault
