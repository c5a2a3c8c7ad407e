"""`scheduler.windows` against a minute scan of wall clocks, over all zones and two years, thickest around clock changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TypeAlias
from zoneinfo import available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.holidays import Calendar
from scheduler.windows import CallWindow, Hours, closes_at, is_open, next_open, next_start
from scheduler.zones import DAY, changes, is_zone
from tests.unit.scheduler.wall import first, open_everywhere

ZONES = sorted(zone for zone in available_timezones() if is_zone(zone))
FIRST_DAY = 20_089  # 2025-01-01
TWO_YEARS = 730
COUNTRIES = (("US", None), ("US", "AL"), ("DE", "BY"), ("JP", None), ("WS", None), ("MA", None))

Case: TypeAlias = tuple[CallWindow, tuple[str, ...], datetime]

minutes = st.integers(0, 1439).map(lambda minute: minute * 60)
hours = (
    st.tuples(minutes, st.one_of(minutes, st.just(DAY))).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: Hours(*pair))
)
windows = st.lists(st.lists(hours, max_size=2).map(tuple), min_size=7, max_size=7).map(lambda days: CallWindow(tuple(days)))


@st.composite
def places(draw: st.DrawFn) -> tuple[str, ...]:
    return tuple(sorted(draw(st.sets(st.sampled_from(ZONES), min_size=1, max_size=3))))


@st.composite
def calendars(draw: st.DrawFn, near: date) -> Calendar | None:
    """Days of one's own from the day before `near` to twelve after it, with a country's holidays or without."""
    days = st.frozensets(st.integers(-1, 12).map(lambda step: near + timedelta(days=step)), max_size=6)
    country, subdivision = draw(st.sampled_from([(None, None), *COUNTRIES]))
    dates = draw(days)
    opened = draw(days) - dates if country else frozenset()
    return Calendar(country, subdivision, dates, opened) or None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A window, zones, and any second of the two years; half of them within a day and a half of a clock change of one of the
    zones. Half of the windows keep a calendar."""
    zones = draw(places())
    near = [day for zone in zones for day in changes(zone, FIRST_DAY, FIRST_DAY + TWO_YEARS)]
    if draw(st.booleans()) and near:
        second = draw(st.sampled_from(near)) * DAY + draw(st.integers(-DAY // 2, DAY + DAY // 2))
    else:
        second = FIRST_DAY * DAY + draw(st.integers(0, TWO_YEARS * DAY))
    at = datetime.fromtimestamp(second, UTC)
    calendar = draw(calendars(at.date())) if draw(st.booleans()) else None
    return replace(draw(windows), calendar=calendar), zones, at


def test_is_open_is_what_the_wall_shows() -> None:
    """Seeded chance instead of Hypothesis: many more cases in the same time."""
    rng = Random(20_260_329)
    for _ in range(700):
        window = CallWindow(tuple(tuple(_hours(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))) for _ in range(7)))
        zones = tuple(sorted(rng.sample(ZONES, rng.choice((1, 1, 1, 2, 3)))))
        near = [day for zone in zones for day in changes(zone, FIRST_DAY, FIRST_DAY + TWO_YEARS)] or [FIRST_DAY]
        for _ in range(15):
            around = rng.choice(near) * DAY + rng.randint(-DAY // 2, DAY + DAY // 2)
            anywhere = FIRST_DAY * DAY + rng.randrange(TWO_YEARS * DAY)
            for second in (around, anywhere):
                at = datetime.fromtimestamp(second, UTC)
                kept = replace(window, calendar=_calendar(rng, at.date()))
                assert is_open(kept, zones, at) is open_everywhere(kept, zones, at), (kept, zones, at)


def _calendar(rng: Random, near: date) -> Calendar | None:
    country, subdivision = rng.choice(((None, None), (None, None), *COUNTRIES))
    dates = frozenset(near + timedelta(days=rng.randint(-2, 1)) for _ in range(rng.choice((0, 0, 1, 2))))
    opened = frozenset({near} if country and rng.random() < 0.1 else ()) - dates
    return Calendar(country, subdivision, dates, opened) or None


def _hours(rng: Random) -> Hours:
    start, end = rng.sample(range(0, DAY, 60), 2)
    return Hours(start, rng.choice((end, end, end, DAY)))


@settings(max_examples=100, deadline=None)
@given(cases())
def test_next_open_is_the_first_open_minute(case: Case) -> None:
    window, zones, at = case
    days = 3
    found, scanned = next_open(window, zones, at), first(window, zones, at, is_open=True, days=days)
    if scanned is None:
        assert found is None or found > at + timedelta(days=days) - timedelta(minutes=1)
    else:
        assert found == scanned


@settings(max_examples=100, deadline=None)
@given(cases())
def test_closes_at_is_the_first_shut_minute(case: Case) -> None:
    window, zones, at = case
    opens = next_open(window, zones, at)
    at = at if opens is None else opens
    days = 3
    found, scanned = closes_at(window, zones, at), first(window, zones, at, is_open=False, days=days)
    if scanned is None:
        assert found is None or found > at + timedelta(days=days) - timedelta(minutes=1)
    else:
        assert found == scanned


@settings(max_examples=200, deadline=None)
@given(st.data(), cases())
def test_the_questions_agree_at_every_instant(data: st.DataObject, case: Case) -> None:
    window, zones, at = case
    opens, closes = next_open(window, zones, at), closes_at(window, zones, at)
    assert is_open(window, zones, at) is (opens == at) is (closes != at)
    if opens is not None and opens > at:
        assert is_open(window, zones, opens)
        between = data.draw(st.integers(0, int((opens - at).total_seconds()) - 1))
        assert not is_open(window, zones, at + timedelta(seconds=between))
    if closes is not None and closes > at:
        assert not is_open(window, zones, closes)
        between = data.draw(st.integers(0, int((closes - at).total_seconds()) - 1))
        assert is_open(window, zones, at + timedelta(seconds=between))


@settings(max_examples=100, deadline=None)
@given(st.data(), cases(), st.integers(0, 7200))
def test_next_start_leaves_the_margin_and_passes_over_no_start(data: st.DataObject, case: Case, margin: int) -> None:
    window, zones, at = case
    starts = next_start(window, zones, at, margin)
    if starts is not None:
        assert starts >= at
        closes = closes_at(window, zones, starts)
        assert closes is None or closes > starts + timedelta(seconds=margin)
    last = at + timedelta(days=7) if starts is None else min(starts, at + timedelta(days=7))
    if last > at:
        early = at + timedelta(seconds=data.draw(st.integers(0, int((last - at).total_seconds()) - 1)))
        ends = closes_at(window, zones, early)
        assert ends is not None
        assert ends <= early + timedelta(seconds=margin)
