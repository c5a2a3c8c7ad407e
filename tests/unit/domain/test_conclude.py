"""From an ending to the turn that is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from adapters.events import Fault, Outcome
from dialer.domain.attempt import Progress
from dialer.domain.conclude import Standing, conclude, excuse, expire, in_time, recall
from dialer.domain.machine import ATTEMPT_TURNS, CONTACT_TURNS, AttemptState, ContactStatus, allowed
from dialer.domain.next_number import Number
from dialer.domain.outcome import Disposition
from dialer.domain.retry import EXCUSED_A_DAY, Record
from tests.unit.domain.cases import NOW, rules

RINGING = Standing(
    attempt="call_1",
    campaign="camp_1",
    trunk="sim",
    to_number="+4930901820",
    scopes=("campaign:camp_1",),
    progress=Progress(AttemptState.RINGING),
    enrolment=ContactStatus.CALLING,
    record=Record(0, 0),
    do_not_call=False,
    suppressed_until=None,
)


records = st.builds(Record, st.integers(0, 60), st.integers(0, 30))


def ended(outcome: Outcome, fault: Fault | None = None) -> Progress:
    return Progress(AttemptState.ENDED, outcome=outcome, fault=fault, ended_at=NOW)


@given(st.sampled_from(Outcome), st.sampled_from([None, *Fault]), records, st.booleans())
def test_every_ending_is_a_legal_turn(outcome: Outcome, fault: Fault | None, record: Record, no: bool) -> None:
    turn = conclude(replace(RINGING, record=record, do_not_call=no), ended(outcome, fault), rules(), NOW)
    assert turn is not None and turn.enrolment is not None
    assert allowed(ATTEMPT_TURNS, turn.expected, turn.progress.state)
    assert allowed(CONTACT_TURNS, ContactStatus.CALLING, turn.enrolment)
    assert (turn.next_at is not None) == (turn.enrolment is ContactStatus.PENDING)


@given(st.sampled_from(Outcome), st.sampled_from([None, *Fault]))
def test_nobody_who_said_no_meanwhile_waits_for_another_call(outcome: Outcome, fault: Fault | None) -> None:
    always = datetime.max.replace(tzinfo=UTC)
    for standing in (replace(RINGING, do_not_call=True), replace(RINGING, suppressed_until=always)):
        turn = conclude(standing, ended(outcome, fault), rules(), NOW)
        assert turn is not None and turn.enrolment is not ContactStatus.PENDING


@given(st.sampled_from([AttemptState.QUEUED, AttemptState.PLACING, AttemptState.UNKNOWN]), st.sampled_from(Fault), records)
def test_nobody_who_said_no_meanwhile_waits_again_because_the_call_was_not_placed(
    state: AttemptState, fault: Fault, record: Record
) -> None:
    always = datetime.max.replace(tzinfo=UTC)
    standing = replace(RINGING, progress=Progress(state), record=record)
    for forbidden in (replace(standing, do_not_call=True), replace(standing, suppressed_until=always)):
        back = recall(forbidden, "stale", NOW, NOW)
        assert (back.enrolment, back.enrolment_outcome, back.next_at) == (
            ContactStatus.SKIPPED,
            Disposition.DO_NOT_CALL,
            None,
        )
        refused = excuse(forbidden, fault, "unavailable", NOW)
        assert refused.enrolment is not ContactStatus.PENDING and refused.next_at is None


def test_a_suppression_that_expires_puts_the_next_call_off_until_then() -> None:
    until = NOW + timedelta(days=30)
    turn = conclude(replace(RINGING, suppressed_until=until), ended(Outcome.BUSY), rules(), NOW)
    assert turn is not None and (turn.enrolment, turn.next_at) == (ContactStatus.PENDING, until)


def test_nothing_new_is_no_turn() -> None:
    assert conclude(RINGING, RINGING.progress, rules(), NOW) is None


def test_without_readable_rules_nothing_is_tried_again() -> None:
    turn = conclude(RINGING, ended(Outcome.BUSY), None, NOW)
    assert turn is not None and turn.enrolment is ContactStatus.FAILED


def test_late_evidence_corrects_the_books_and_dials_nobody() -> None:
    given_up = replace(RINGING, progress=ended(Outcome.UNKNOWN), enrolment=ContactStatus.FAILED)
    busy = conclude(given_up, ended(Outcome.BUSY), rules(), NOW)
    assert busy is not None and (busy.enrolment, busy.enrolment_outcome) == (ContactStatus.FAILED, Disposition.BUSY)
    reached = conclude(given_up, ended(Outcome.HUMAN), rules(), NOW)
    assert reached is not None and (reached.enrolment, reached.reached) == (ContactStatus.COMPLETED, True)
    assert not busy.counted and not reached.counted, "it was counted when it was given up"


def test_a_recall_counts_nothing_and_a_final_no_skips() -> None:
    queued = replace(RINGING, progress=Progress(AttemptState.QUEUED), enrolment=ContactStatus.QUEUED)
    back = recall(queued, "window", NOW + timedelta(hours=1), NOW)
    assert (back.progress.state, back.enrolment, back.counted, back.next_at) == (
        AttemptState.RECALLED,
        ContactStatus.PENDING,
        False,
        NOW + timedelta(hours=1),
    )
    no = recall(queued, "do_not_call", NOW, NOW, never=Disposition.DO_NOT_CALL)
    assert (no.enrolment, no.enrolment_outcome) == (ContactStatus.SKIPPED, Disposition.DO_NOT_CALL)


def test_a_retry_that_would_come_after_the_contact_expired_ends_as_expired() -> None:
    busy = conclude(RINGING, ended(Outcome.BUSY), rules(retry_delay_minutes=60), NOW)
    assert busy is not None and busy.next_at == NOW + timedelta(hours=1)
    assert in_time(busy, None) == in_time(busy, busy.next_at + timedelta(microseconds=1)) == busy
    over = in_time(busy, busy.next_at)
    assert (over.enrolment, over.enrolment_outcome, over.reason, over.next_at) == (ContactStatus.SKIPPED, "busy", "expired", None)
    assert over.counted
    answered = conclude(RINGING, ended(Outcome.HUMAN, Fault.NONE), rules(), NOW)
    assert answered is not None and in_time(answered, NOW - timedelta(days=1)) == answered


def test_who_has_expired_before_the_dial_is_skipped_by_the_outcome_he_had() -> None:
    queued = replace(RINGING, progress=Progress(AttemptState.QUEUED), enrolment=ContactStatus.QUEUED)
    turn = expire(queued, NOW)
    assert (turn.progress.state, turn.enrolment, turn.enrolment_outcome) == (AttemptState.RECALLED, ContactStatus.SKIPPED, None)
    assert (turn.reason, turn.next_at, turn.counted) == ("expired", None, False)


TWO = replace(RINGING, both=True, other=Number("+4930901821"))


@given(st.sampled_from([Outcome.BUSY, Outcome.NO_ANSWER, Outcome.DECLINED]))
def test_the_next_attempt_is_at_the_other_number_and_the_delay_is_the_contacts(outcome: Outcome) -> None:
    turn = conclude(TWO, ended(outcome), rules(), NOW)
    assert turn is not None and turn.counted
    assert (turn.enrolment, turn.to_number, turn.next_at) == (ContactStatus.PENDING, "+4930901821", NOW + timedelta(hours=1))


def test_a_trunks_failure_says_nothing_of_the_number() -> None:
    turn = conclude(TWO, ended(Outcome.UNREACHABLE, Fault.TRUNK), rules(), NOW)
    assert turn is not None and (turn.enrolment, turn.to_number) == (ContactStatus.PENDING, RINGING.to_number)
    assert recall(TWO, "window", NOW, NOW).to_number == RINGING.to_number


def test_a_number_that_nobody_has_sends_to_the_other_one_at_once_and_is_not_called_again() -> None:
    turn = conclude(TWO, ended(Outcome.INVALID_NUMBER, Fault.NUMBER), rules(), NOW)
    assert turn is not None and (turn.enrolment, turn.to_number, turn.next_at) == (ContactStatus.PENDING, "+4930901821", NOW)
    back = replace(TWO, to_number="+4930901821", other=Number(RINGING.to_number, dead=True), record=Record(1, 0))
    busy = conclude(back, ended(Outcome.BUSY), rules(), NOW)
    assert busy is not None and (busy.enrolment, busy.to_number) == (ContactStatus.PENDING, "+4930901821")
    gone = conclude(back, ended(Outcome.INVALID_NUMBER, Fault.NUMBER), rules(), NOW)
    assert gone is not None and (gone.enrolment, gone.enrolment_outcome) == (ContactStatus.FAILED, Disposition.INVALID_NUMBER)


def test_a_list_stops_one_number_and_a_do_not_call_both() -> None:
    always = datetime.max.replace(tzinfo=UTC)
    listed = conclude(replace(TWO, suppressed_until=always), ended(Outcome.BUSY), rules(), NOW)
    assert listed is not None and (listed.enrolment, listed.to_number) == (ContactStatus.PENDING, "+4930901821")
    both = replace(TWO, suppressed_until=always, other=Number("+4930901821", always))
    for standing in (both, replace(TWO, do_not_call=True)):
        for turn in (conclude(standing, ended(Outcome.BUSY), rules(), NOW), recall(standing, "stale", NOW, NOW)):
            assert turn is not None and (turn.enrolment, turn.next_at) == (ContactStatus.SKIPPED, None)
            assert turn.enrolment_outcome is Disposition.DO_NOT_CALL


def test_a_number_that_is_the_contacts_no_more_is_left_for_the_one_that_is() -> None:
    turn = recall(replace(TWO, replaced=True), "stale", NOW, NOW)
    assert (turn.enrolment, turn.to_number) == (ContactStatus.PENDING, "+4930901821")


def test_a_trunk_that_never_works_does_not_spin_on_one_contact_for_ever() -> None:
    placing = replace(RINGING, progress=Progress(AttemptState.PLACING))
    first = excuse(placing, Fault.TRUNK, "unavailable", NOW)
    assert first.enrolment is ContactStatus.PENDING and first.excused and not first.counted
    last = excuse(replace(placing, record=Record(0, EXCUSED_A_DAY - 1)), Fault.TRUNK, "unavailable", NOW)
    assert (last.enrolment, last.enrolment_outcome) == (ContactStatus.FAILED, Disposition.ERROR)


PERHAPS = ended(Outcome.INVALID_NUMBER, Fault.CALLEE)


@given(records, st.integers(0, 10_080))
def test_one_soft_invalid_kills_no_number(record: Record, minutes: int) -> None:
    """It counts as any call that did not come through, and the next is a day away at the least."""
    turn = conclude(replace(RINGING, record=record), PERHAPS, rules(retry_delay_minutes=minutes), NOW)
    assert turn is not None and turn.progress.fault is Fault.CALLEE and turn.counted
    if turn.enrolment is ContactStatus.PENDING:
        assert turn.next_at == NOW + max(timedelta(hours=24), timedelta(minutes=minutes))
        assert turn.reason == "perhaps_invalid"


def test_two_of_them_do() -> None:
    turn = conclude(replace(RINGING, doubted=True), PERHAPS, rules(), NOW)
    assert turn is not None and turn.progress.fault is Fault.NUMBER
    assert (turn.enrolment, turn.enrolment_outcome) == (ContactStatus.FAILED, Disposition.INVALID_NUMBER)
    other = conclude(replace(RINGING, doubted=True), ended(Outcome.NO_ANSWER, Fault.CALLEE), rules(), NOW)
    assert other is not None and other.enrolment is ContactStatus.PENDING, "a doubt alone is none"


def test_whoever_has_another_number_is_called_there_meanwhile() -> None:
    turn = conclude(replace(TWO, progress=Progress(AttemptState.RINGING)), PERHAPS, rules(), NOW)
    assert turn is not None and TWO.other is not None
    assert (turn.to_number, turn.next_at) == (TWO.other.number, NOW)


@given(st.sampled_from(Outcome), st.sampled_from([None, *Fault]), st.booleans())
def test_what_has_ended_is_not_judged_anew(outcome: Outcome, fault: Fault | None, doubted: bool) -> None:
    over = replace(RINGING, progress=PERHAPS, doubted=doubted, enrolment=ContactStatus.PENDING)
    assert conclude(over, PERHAPS, rules(), NOW) is None
    turn = conclude(over, ended(outcome, fault), rules(), NOW)
    assert turn is None or turn.progress.fault is fault
