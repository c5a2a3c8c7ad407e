"""`scheduler.windows` against a minute scan of wall clocks, over all zones and two years, thickest around clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.windows import CallWindow, Hours, closes_at, is_open, next_open, next_start
from scheduler.zones import DAY, changes, is_zone
from tests.unit.scheduler.wall import first, open_everywhere

ZONES = sorted(zone for zone in available_timezones() if is_zone(zone))
FIRST_DAY = 20_089  # 2025-01-01
TWO_YEARS = 730

minutes = st.integers(0, 1439).map(lambda minute: minute * 60)
hours = (
    st.tuples(minutes, st.one_of(minutes, st.just(DAY))).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: Hours(*pair))
)
windows = st.lists(st.lists(hours, max_size=2).map(tuple), min_size=7, max_size=7).map(lambda days: CallWindow(tuple(days)))


@st.composite
def places(draw: st.DrawFn) -> tuple[str, ...]:
    return tuple(sorted(draw(st.sets(st.sampled_from(ZONES), min_size=1, max_size=3))))


@st.composite
def instants(draw: st.DrawFn, zones: tuple[str, ...]) -> datetime:
    """Any second of the two years; half of them within a day and a half of a clock change of one of the zones."""
    near = [day for zone in zones for day in changes(zone, FIRST_DAY, FIRST_DAY + TWO_YEARS)]
    if draw(st.booleans()) and near:
        second = draw(st.sampled_from(near)) * DAY + draw(st.integers(-DAY // 2, DAY + DAY // 2))
    else:
        second = FIRST_DAY * DAY + draw(st.integers(0, TWO_YEARS * DAY))
    return datetime.fromtimestamp(second, UTC)


def test_is_open_is_what_the_wall_shows() -> None:
    """Seeded chance instead of Hypothesis: many more cases in the same time."""
    rng = Random(20_260_329)
    for _ in range(600):
        window = CallWindow(tuple(tuple(_hours(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))) for _ in range(7)))
        zones = tuple(sorted(rng.sample(ZONES, rng.choice((1, 1, 1, 2, 3)))))
        near = [day for zone in zones for day in changes(zone, FIRST_DAY, FIRST_DAY + TWO_YEARS)] or [FIRST_DAY]
        for _ in range(15):
            around = rng.choice(near) * DAY + rng.randint(-DAY // 2, DAY + DAY // 2)
            anywhere = FIRST_DAY * DAY + rng.randrange(TWO_YEARS * DAY)
            for second in (around, anywhere):
                at = datetime.fromtimestamp(second, UTC)
                assert is_open(window, zones, at) is open_everywhere(window, zones, at), (window, zones, at)


def _hours(rng: Random) -> Hours:
    start, end = rng.sample(range(0, DAY, 60), 2)
    return Hours(start, rng.choice((end, end, end, DAY)))


@settings(max_examples=100, deadline=None)
@given(st.data(), windows, places())
def test_next_open_is_the_first_open_minute(data: st.DataObject, window: CallWindow, zones: tuple[str, ...]) -> None:
    at = data.draw(instants(zones))
    days = 3
    found, scanned = next_open(window, zones, at), first(window, zones, at, is_open=True, days=days)
    if scanned is None:
        assert found is None or found > at + timedelta(days=days) - timedelta(minutes=1)
    else:
        assert found == scanned


@settings(max_examples=100, deadline=None)
@given(st.data(), windows, places())
def test_closes_at_is_the_first_shut_minute(data: st.DataObject, window: CallWindow, zones: tuple[str, ...]) -> None:
    at = data.draw(instants(zones))
    opens = next_open(window, zones, at)
    at = at if opens is None else opens
    days = 3
    found, scanned = closes_at(window, zones, at), first(window, zones, at, is_open=False, days=days)
    if scanned is None:
        assert found is None or found > at + timedelta(days=days) - timedelta(minutes=1)
    else:
        assert found == scanned


@settings(max_examples=200, deadline=None)
@given(st.data(), windows, places())
def test_the_questions_agree_at_every_instant(data: st.DataObject, window: CallWindow, zones: tuple[str, ...]) -> None:
    at = data.draw(instants(zones))
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
@given(st.data(), windows, places(), st.integers(0, 7200))
def test_next_start_leaves_the_margin_and_passes_over_no_start(
    data: st.DataObject, window: CallWindow, zones: tuple[str, ...], margin: int
) -> None:
    at = data.draw(instants(zones))
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
