"""Frequency caps, held against the plainest reading of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.frequency import MARGIN, PRESETS, FrequencyCap, History, Past, held

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTES = st.integers(0, 60 * 60)
caps = st.builds(
    FrequencyCap,
    calls=st.integers(1, 4),
    hours=st.integers(1, 48),
    per=st.sampled_from(["number", "person"]),
    counts=st.sampled_from(["attempts", "conversations"]),
    rule=st.just("test"),
)
pasts = st.builds(
    lambda ago, talked: Past(NOW - timedelta(minutes=ago), None if talked is None else NOW - timedelta(minutes=ago - talked)),
    MINUTES,
    st.none() | st.integers(0, 90),
)
histories = st.builds(History, st.lists(pasts, max_size=8).map(tuple), st.lists(pasts, max_size=8).map(tuple))


def kept(cap: FrequencyCap, history: History, at: datetime) -> bool:
    """Whether a call at `at` leaves this window of the cap with no call too many."""
    calls = history.number if cap.per == "number" else history.person
    times = [call.placed if cap.counts == "attempts" else call.spoken for call in calls]
    recent = [time for time in times if time is not None and time > at - timedelta(hours=cap.hours) - MARGIN]
    return len(recent) < cap.calls


@given(st.lists(caps, max_size=3), histories)
def test_the_answer_is_the_first_moment_at_which_all_caps_are_kept(chosen: list[FrequencyCap], history: History) -> None:
    hold = held(chosen, history, NOW)
    moments = [NOW] + [
        time + timedelta(hours=cap.hours) + MARGIN
        for cap in chosen
        for call in history.number + history.person
        for time in (call.placed, call.spoken)
        if time is not None
    ]
    first = min(at for at in moments if at >= NOW and all(kept(cap, history, at) for cap in chosen))
    assert (hold.until if hold else NOW) == first
    if hold is not None:
        assert hold.cap in chosen and not kept(hold.cap, history, hold.until - timedelta(microseconds=1))
        assert held(chosen, history, hold.until) is None


@given(
    st.lists(caps, min_size=1, max_size=3), st.lists(st.tuples(st.integers(0, 300), st.booleans(), st.booleans()), max_size=40)
)
def test_whoever_calls_only_when_nothing_holds_never_fills_a_window_too_far(
    chosen: list[FrequencyCap], tries: list[tuple[int, bool, bool]]
) -> None:
    """Of one number that two people share."""
    at, made = NOW, list[tuple[Past, bool]]()
    for minutes, first, talks in tries:
        at += timedelta(minutes=minutes)
        history = History(tuple(call for call, _ in made), tuple(call for call, who in made if who is first))
        if held(chosen, history, at) is None:
            made.append((Past(at, at if talks else None), first))
    for cap in chosen:
        for who in (True, False):
            calls = [call for call, whose in made if cap.per == "number" or whose is who]
            for n, call in enumerate(calls):
                recent = [c for c in calls[:n] if c.placed > call.placed - timedelta(hours=cap.hours)]
                assert sum(cap.counts == "attempts" or c.spoken is not None for c in recent) < cap.calls


def test_the_strictest_wins_and_says_which_it_is() -> None:
    day = FrequencyCap(1, 24, "number", "attempts", "campaign")
    week = FrequencyCap(2, 168, "person", "attempts", "team")
    history = History((Past(NOW - HOUR),), (Past(NOW - HOUR), Past(NOW - 2 * HOUR)))
    found = held([day, week], history, NOW)
    assert found is not None and (found.cap, found.until) == (week, NOW + 166 * HOUR + MARGIN)
    assert str(found.cap) == "2 calls in 168 h per person (team)"
    assert str(replace(day, counts="conversations")) == "1 conversation in 24 h per number (campaign)"
    assert held([], history, NOW) is None


def test_the_edge_of_a_window() -> None:
    cap = FrequencyCap(1, 24, "number", "attempts", "campaign")
    history = History((Past(NOW),))
    ends = NOW + 24 * HOUR + MARGIN
    assert held([cap], history, ends - timedelta(microseconds=1)) is not None
    assert held([cap], history, ends) is None


def test_a_conversation_counts_from_its_end() -> None:
    [cap] = PRESETS["7-days-after-a-conversation"]
    history = History((), (Past(NOW, NOW + HOUR), Past(NOW + 2 * HOUR)))
    hold = held([cap], history, NOW + 3 * HOUR)
    assert hold is not None and hold.until == NOW + HOUR + timedelta(days=7, hours=1) + MARGIN


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
@given(st.integers(0, 366 * 24 * 60))
def test_no_call_comes_on_one_of_seven_days_of_which_a_conversations_is_the_first(zone: str, minute: int) -> None:
    """By the calendar of the callee, in weeks with a change of the clocks too."""
    [cap] = PRESETS["7-days-after-a-conversation"]
    spoken = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    hold = held([cap], History((), (Past(spoken - timedelta(minutes=5), spoken),)), spoken)
    assert hold is not None
    day, again = (at.astimezone(ZoneInfo(zone)).date() for at in (spoken, hold.until))
    assert again - day >= timedelta(days=7)


@given(st.lists(st.integers(0, 3 * 24 * 60), min_size=1, max_size=40), st.integers(0, 366 * 24))
def test_seven_days_by_the_calendar_never_hold_an_eighth_call(waits: list[int], hour: int) -> None:
    [cap] = PRESETS["7-in-7-days"]
    at, calls = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour), list[Past]()
    for minutes in waits:
        at += timedelta(minutes=minutes)
        if held([cap], History((), tuple(calls)), at) is None:
            calls.append(Past(at))
    days = [call.placed.astimezone(ZoneInfo("America/New_York")).date() for call in calls]
    assert all(sum(day <= each < day + timedelta(days=7) for each in days) <= 7 for day in days)
