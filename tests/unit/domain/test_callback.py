"""Callbacks: when they can be, and what follows when they were not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.domain.callback import FURTHEST, Back, Record, Refused, Scheduled, Situation, Why, Wish, asked_in, back, judge
from dialer.domain.campaign import Missed
from dialer.domain.machine import CONTACT_TURNS, ContactStatus, allowed
from dialer.domain.outcome import Disposition
from dialer.domain.preflight import for_ever
from scheduler.windows import is_open
from tests.support.places import somewhere
from tests.unit.domain.cases import NOW, rules

ALWAYS = datetime.max.replace(tzinfo=UTC)
DAY = rules(call_window_start="09:00", call_window_end="17:00")
"""NOW is a Wednesday, 10:30 in New York."""
FINE = Situation(
    status=ContactStatus.COMPLETED,
    outcome=Disposition.ANSWERED,
    number="+12125550142",
    place=somewhere("America/New_York"),
    do_not_call=False,
    suppressed_until=None,
    over=False,
    rules=DAY,
    expires_at=None,
)
QUARTER = timedelta(minutes=15)


def wish(hours: float, missed: Missed = Missed.RETRY_NORMALLY, tolerance: timedelta = QUARTER) -> Wish:
    return Wish(NOW + timedelta(hours=hours), tolerance, missed)


situations = st.builds(
    Situation,
    status=st.one_of(st.just(ContactStatus.PENDING), st.sampled_from(ContactStatus)),
    outcome=st.one_of(st.none(), st.sampled_from(Disposition)),
    number=st.sampled_from(["+12125550142"] * 4 + [None]),
    place=st.sampled_from([somewhere(), somewhere("America/New_York"), somewhere("America/New_York", "Europe/Berlin")]),
    do_not_call=st.sampled_from([False] * 7 + [True]),
    suppressed_until=st.one_of(
        st.none(), st.none(), st.just(ALWAYS), st.integers(-9, 99).map(lambda hours: NOW + timedelta(hours=hours))
    ),
    over=st.sampled_from([False] * 7 + [True]),
    rules=st.sampled_from([DAY, DAY, rules(), None, rules(settings={"scheduled_end_at": "2026-03-06T00:00:00Z"})]),
    expires_at=st.one_of(st.none(), st.integers(1, 99).map(lambda hours: NOW + timedelta(hours=hours))),
)
wishes = st.builds(
    Wish,
    st.integers(-60, 60 * 24 * 400).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    st.integers(1, 1440).map(lambda minutes: timedelta(minutes=minutes)),
    st.sampled_from(Missed),
)


@given(wishes, situations, st.booleans())
def test_nobody_is_called_back_who_or_when_nobody_may_be(asked: Wish, found: Situation, move: bool) -> None:
    answer = judge(asked, found, NOW, move=move)
    if isinstance(answer, Refused):
        return
    assert not found.do_not_call and found.outcome is not Disposition.DO_NOT_CALL
    assert not found.over and found.rules is not None and found.number is not None
    assert found.status in (ContactStatus.PENDING, ContactStatus.COMPLETED, ContactStatus.FAILED)
    assert found.status is ContactStatus.PENDING or allowed(CONTACT_TURNS, found.status, ContactStatus.PENDING)
    assert found.suppressed_until is None or (not for_ever(found.suppressed_until) and answer.at >= found.suppressed_until)
    assert is_open(found.rules.walls(found.place, NOW), answer.at), "not at night"
    assert found.rules.ends is None or answer.at < found.rules.ends
    assert found.expires_at is None or answer.at < found.expires_at
    assert answer.at >= NOW and (answer.at == max(asked.at, NOW) or move)
    assert (answer.until is None) == (asked.missed is Missed.CALL_ANYWAY)
    assert answer.until is None or answer.until == answer.at + asked.tolerance


@given(wishes, situations)
def test_what_is_moved_is_moved_to_the_next_time_at_which_it_can_be(asked: Wish, found: Situation) -> None:
    moved, stays = judge(asked, found, NOW, move=True), judge(asked, found, NOW, move=False)
    if isinstance(stays, Refused) and stays.possible is not None:
        assert isinstance(moved, Scheduled) and moved.at == stays.possible and moved.moved
        granted = judge(replace(asked, at=stays.possible), found, NOW, move=False)
        assert granted == replace(moved, moved=False), "whoever is told the next time can have it"


@pytest.mark.parametrize(
    ("changes", "hours", "why"),
    [
        ({"do_not_call": True}, 1, Why.DO_NOT_CALL),
        ({"over": True}, 1, Why.ENDED),
        ({"status": ContactStatus.CALLING}, 1, Why.BEING_CALLED),
        ({"status": ContactStatus.SKIPPED}, 1, Why.SKIPPED),
        ({"number": None}, 1, Why.NO_PHONE),
        ({"number": None, "outcome": Disposition.INVALID_NUMBER}, 1, Why.INVALID_NUMBER),
        ({"suppressed_until": ALWAYS}, 1, Why.SUPPRESSED),
        ({"rules": None}, 1, Why.UNREADABLE_RULES),
        ({"place": somewhere()}, 1, Why.NEVER_CALLABLE),
        ({"expires_at": NOW + timedelta(hours=1)}, 1, Why.EXPIRED),
        ({"rules": rules(settings={"scheduled_end_at": "2026-03-04T17:00:00Z"})}, 2, Why.CAMPAIGN_ENDS),
        ({}, -1, Why.PAST),
        ({}, FURTHEST / timedelta(hours=1) + 1, Why.TOO_FAR),
    ],
)
def test_why_there_is_no_callback(changes: dict[str, Any], hours: float, why: Why) -> None:
    for move in (False, True):
        assert judge(wish(hours), replace(FINE, **changes), NOW, move=move) == Refused(why)


def test_a_person_is_told_the_next_time_and_what_was_said_in_a_call_is_moved_there() -> None:
    night, morning = wish(10), datetime(2026, 3, 5, 14, tzinfo=UTC)
    assert judge(night, FINE, NOW, move=False) == Refused(Why.WINDOW, morning)
    assert judge(night, FINE, NOW, move=True) == Scheduled(morning, morning + QUARTER, Missed.RETRY_NORMALLY, moved=True)
    listed = replace(FINE, suppressed_until=NOW + timedelta(hours=2))
    assert judge(wish(1), listed, NOW, move=False) == Refused(Why.SUPPRESSED, NOW + timedelta(hours=2))
    assert judge(wish(-0.1), FINE, NOW, move=True) == Scheduled(NOW, NOW + QUARTER, Missed.RETRY_NORMALLY)


@pytest.mark.parametrize("told", [None, 17, "", "tomorrow", "2026-03-04", "2026-03-04T19:00:00", "9999-12-31T00:00:00Z", []])
def test_a_time_that_nobody_can_read_is_no_wish(told: object) -> None:
    assert asked_in({"callback_at": told}, Disposition.ANSWERED, DAY) is Why.UNREADABLE_TIME


def test_what_a_call_tells_has_the_campaigns_tolerance_and_needs_somebody_who_asked() -> None:
    own = rules(settings={"callback_tolerance_minutes": 60, "callback_missed_action": "call_anyway"})
    told = {"callback_at": "2026-03-04T14:00:00-05:00"}
    read = asked_in(told, Disposition.ANSWERED, own)
    assert read == Wish(datetime(2026, 3, 4, 19, tzinfo=UTC), timedelta(hours=1), Missed.CALL_ANYWAY)
    for outcome in set(Disposition) - {Disposition.ANSWERED} | {None}:
        assert asked_in(told, outcome, own) is Why.NOBODY_REACHED


@given(
    st.integers(0, 9), st.one_of(st.none(), st.sampled_from(Disposition)), st.sampled_from(Missed), st.integers(0, 300),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_whoever_is_not_called_back_goes_where_he_was_and_not_beyond(
    made: int, word: Disposition | None, missed: Missed, minutes: int, voicemail: bool, error: bool
) -> None:
    own = rules(settings={"retry_on_voicemail": voicemail, "retry_on_error": error})
    last = None if word is None else NOW - timedelta(minutes=minutes)
    where = back(Record(made, word, last), missed, own, "callback_missed", NOW)
    assert where.status in (ContactStatus.PENDING, ContactStatus.SKIPPED, ContactStatus.FAILED)
    assert (where.at is not None) == (where.status is ContactStatus.PENDING)
    if where.at is not None:
        assert made < own.retry.max_attempts and missed is not Missed.SKIP
        assert word not in (Disposition.ANSWERED, Disposition.INVALID_NUMBER, Disposition.UNKNOWN, Disposition.DO_NOT_CALL)
        assert where.at >= NOW and (last is None or where.at >= last + timedelta(minutes=60))
    if missed is Missed.SKIP:
        assert where == Back(ContactStatus.SKIPPED, "callback_missed", None)
