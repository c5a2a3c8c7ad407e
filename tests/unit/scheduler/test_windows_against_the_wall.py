"""`scheduler.windows` against a minute scan of wall clocks, over all zones and two years, thickest around clock changes."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TypeAlias
from zoneinfo import available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.holidays import Calendar
from scheduler.windows import CallWindow, Hours, Wall, Walls, closes_at, is_open, next_open, next_start, shut_by
from scheduler.zones import DAY, changes, is_zone
from tests.unit.scheduler.wall import all_open, first, shows_open

ZONES = sorted(zone for zone in available_timezones() if is_zone(zone))
FIRST_DAY = 20_089  # 2025-01-01
TWO_YEARS = 730
COUNTRIES = (("US", None), ("US", "AL"), ("DE", "BY"), ("JP", None), ("WS", None), ("MA", None))

CASES = int(os.environ.get("DIALER_WALLS", "20000"))
"""How many instants are looked at by chance: a million take some minutes."""

Case: TypeAlias = tuple[Walls, datetime]

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
    """Walls, and any second of the two years; half of them within a day and a half of a clock change of one of the zones. One to
    three windows, as a campaign and policy packs have them, each in zones of its own; half of the windows keep a calendar."""
    everywhere_ = [draw(places()) for _ in range(draw(st.sampled_from((1, 1, 2, 3))))]
    near = [day for zones in everywhere_ for zone in zones for day in changes(zone, FIRST_DAY, FIRST_DAY + TWO_YEARS)]
    if draw(st.booleans()) and near:
        second = draw(st.sampled_from(near)) * DAY + draw(st.integers(-DAY // 2, DAY + DAY // 2))
    else:
        second = FIRST_DAY * DAY + draw(st.integers(0, TWO_YEARS * DAY))
    at = datetime.fromtimestamp(second, UTC)
    walls: list[Wall] = []
    for n, zones in enumerate(everywhere_):
        calendar = draw(calendars(at.date())) if draw(st.booleans()) else None
        walls += [Wall(replace(draw(windows), calendar=calendar), zone, f"rule {n}") for zone in zones]
    return Walls(tuple(walls)), at


def test_is_open_is_what_the_walls_show() -> None:
    """Seeded chance instead of Hypothesis: many more cases in the same time."""
    rng = Random(20_260_329)
    for _ in range(CASES // 30):
        several = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            window = CallWindow(tuple(tuple(_hours(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))) for _ in range(7)))
            several.append((window, rng.sample(ZONES, rng.choice((1, 1, 1, 2, 3)))))
        zones = {zone for _, each in several for zone in each}
        near = [day for zone in sorted(zones) for day in changes(zone, FIRST_DAY, FIRST_DAY + TWO_YEARS)] or [FIRST_DAY]
        for _ in range(15):
            around = rng.choice(near) * DAY + rng.randint(-DAY // 2, DAY + DAY // 2)
            anywhere = FIRST_DAY * DAY + rng.randrange(TWO_YEARS * DAY)
            for second in (around, anywhere):
                at = datetime.fromtimestamp(second, UTC)
                kept = [(replace(window, calendar=_calendar(rng, at.date())), each) for window, each in several]
                walls = Walls(tuple(Wall(window, zone) for window, each in kept for zone in each))
                assert is_open(walls, at) is all_open(walls, at), (walls, at)


def _calendar(rng: Random, near: date) -> Calendar | None:
    country, subdivision = rng.choice(((None, None), (None, None), *COUNTRIES))
    dates = frozenset(near + timedelta(days=rng.randint(-2, 1)) for _ in range(rng.choice((0, 0, 1, 2))))
    opened = frozenset({near} if country and rng.random() < 0.1 else ()) - dates
    return Calendar(country, subdivision, dates, opened) or None


def _hours(rng: Random) -> Hours:
    start, end = rng.sample(range(0, DAY, 60), 2)
    return Hours(start, rng.choice((end, end, end, DAY)))


@settings(max_examples=100)
@given(cases())
def test_next_open_is_the_first_open_minute(case: Case) -> None:
    walls, at = case
    days = 3
    found, scanned = next_open(walls, at), first(walls, at, is_open=True, days=days)
    if scanned is None:
        assert found is None or found > at + timedelta(days=days) - timedelta(minutes=1)
    else:
        assert found == scanned


@settings(max_examples=100)
@given(cases())
def test_closes_at_is_the_first_shut_minute(case: Case) -> None:
    walls, at = case
    opens = next_open(walls, at)
    at = at if opens is None else opens
    days = 3
    found, scanned = closes_at(walls, at), first(walls, at, is_open=False, days=days)
    if scanned is None:
        assert found is None or found > at + timedelta(days=days) - timedelta(minutes=1)
    else:
        assert found == scanned


@settings(max_examples=200)
@given(st.data(), cases())
def test_the_questions_agree_at_every_instant(data: st.DataObject, case: Case) -> None:
    walls, at = case
    opens, closes = next_open(walls, at), closes_at(walls, at)
    assert is_open(walls, at) is (opens == at) is (closes != at)
    if opens is not None and opens > at:
        assert is_open(walls, opens)
        between = data.draw(st.integers(0, int((opens - at).total_seconds()) - 1))
        assert not is_open(walls, at + timedelta(seconds=between))
    if closes is not None and closes > at:
        assert not is_open(walls, closes)
        between = data.draw(st.integers(0, int((closes - at).total_seconds()) - 1))
        assert is_open(walls, at + timedelta(seconds=between))


@settings(max_examples=100)
@given(st.data(), cases(), st.integers(0, 7200))
def test_next_start_leaves_the_margin_and_passes_over_no_start(data: st.DataObject, case: Case, margin: int) -> None:
    walls, at = case
    starts = next_start(walls, at, margin)
    if starts is not None:
        assert starts >= at
        closes = closes_at(walls, starts)
        assert closes is None or closes > starts + timedelta(seconds=margin)
    last = at + timedelta(days=7) if starts is None else min(starts, at + timedelta(days=7))
    if last > at:
        early = at + timedelta(seconds=data.draw(st.integers(0, int((last - at).total_seconds()) - 1)))
        ends = closes_at(walls, early)
        assert ends is not None
        assert ends <= early + timedelta(seconds=margin)


@settings(max_examples=100)
@given(cases(), st.integers(0, 7200))
def test_the_rule_that_is_told_is_one_that_is_shut_and_opens_last(case: Case, margin: int) -> None:
    walls, at = case
    told, starts = shut_by(walls, at, margin), next_start(walls, at, margin)
    assert (told is None) is (starts == at)
    if told is not None:
        own = {rule: next_start(Walls(tuple(w for w in walls.each if w.rule == rule)), at, margin) for rule in rules_of(walls)}
        if starts is None:
            assert told in own
        else:
            assert own[told] == max(each for each in own.values() if each is not None) > at
            if margin == 0:
                assert not all(shows_open(wall.window, wall.zone, at) for wall in walls.each if wall.rule == told)


def rules_of(walls: Walls) -> list[str]:
    return list(dict.fromkeys(wall.rule for wall in walls.each))
