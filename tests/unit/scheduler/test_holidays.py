"""Dates on which nobody is called."""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta

import pytest

from scheduler.holidays import Calendar
from scheduler.windows import CallWindow, closes_at, daily, everywhere, is_open, next_open, next_start
from tests.unit.scheduler.test_windows import ANY_TIME, BERLIN, NEW_YORK, spans, utc
from tests.unit.scheduler.wall import open_everywhere

CHRISTMAS = date(2026, 12, 25)


def shut_on(window: CallWindow, *dates: date) -> CallWindow:
    return CallWindow(window.weekly, Calendar(dates=frozenset(dates)))


def kept_in(window: CallWindow, country: str, subdivision: str | None = None) -> CallWindow:
    return CallWindow(window.weekly, Calendar(country, subdivision))


class TestCalendars:
    def test_a_country_and_a_part_of_it(self) -> None:
        alabama = Calendar("US", "AL")
        assert alabama.shuts(CHRISTMAS) and Calendar("US").shuts(CHRISTMAS)
        confederates = date(2026, 4, 27)
        assert alabama.shuts(confederates) and not Calendar("US").shuts(confederates)

    def test_an_observed_day_is_shut_beside_the_day_itself(self) -> None:
        """4 July 2026 is a Saturday, kept on Friday."""
        assert all(Calendar("US").shuts(date(2026, 7, day)) for day in (3, 4))

    def test_own_days_and_days_that_are_open_all_the_same(self) -> None:
        own = date(2026, 12, 24)
        calendar = Calendar("US", dates=frozenset({own}), opened=frozenset({CHRISTMAS}))
        assert calendar.shuts(own) and not calendar.shuts(CHRISTMAS)
        assert Calendar(dates=frozenset({own})).shuts(own) and not Calendar().shuts(own)

    def test_of_a_year_nobody_has_told_of_every_day_is_shut(self, caplog: pytest.LogCaptureFixture) -> None:
        """The full moons of Sri Lanka are known to the end of 2026."""
        with caplog.at_level(logging.WARNING):
            assert all(Calendar("LK").shuts(date(2028, 1, 1) + timedelta(days=n)) for n in range(366))
        assert "LK in 2028" in caplog.text
        assert not Calendar("LK").shuts(date(2026, 2, 3))
        assert next_open(everywhere(kept_in(ANY_TIME, "LK"), ("Asia/Colombo",)), utc("2028-01-05 00:00")) is None

    @pytest.mark.parametrize("country", ["XX", "us", "USA", "UK", "", "Germany"])
    def test_a_country_that_is_none(self, country: str) -> None:
        with pytest.raises(ValueError, match="ISO 3166-1"):
            Calendar(country)

    @pytest.mark.parametrize(("country", "subdivision"), [("US", "XX"), ("US", "Alabama"), ("DE", ""), ("SG", "01")])
    def test_a_part_that_is_none(self, country: str, subdivision: str) -> None:
        with pytest.raises(ValueError, match="ISO 3166-2"):
            Calendar(country, subdivision)

    def test_what_makes_no_sense(self) -> None:
        with pytest.raises(ValueError, match="as shut and as open"):
            Calendar("US", dates=frozenset({CHRISTMAS}), opened=frozenset({CHRISTMAS}))
        for calendar in ({"subdivision": "AL"}, {"opened": frozenset({CHRISTMAS})}):
            with pytest.raises(ValueError, match="need the country"):
                Calendar(**calendar)


def test_the_hours_of_a_holidays_eve_end_at_its_midnight_and_its_own_do_not_begin() -> None:
    night = kept_in(daily("22:00", "03:00"), "US")
    assert spans(night, NEW_YORK, "2026-12-24 12:00", "2026-12-28 00:00") == [
        ("2026-12-25 03:00", "2026-12-25 05:00"),  # the 24th until midnight, and the 25th nothing, nor what it leaves to the 26th
        ("2026-12-27 03:00", "2026-12-27 08:00"),
    ]


def test_no_phone_rings_into_a_holiday() -> None:
    any_time = shut_on(ANY_TIME, CHRISTMAS)
    begins, ends = utc("2026-12-25 05:00"), utc("2026-12-26 05:00")
    assert closes_at(everywhere(any_time, NEW_YORK), utc("2026-12-24 12:00")) == begins
    early, late = begins - timedelta(seconds=91), begins - timedelta(seconds=90)
    assert next_start(everywhere(any_time, NEW_YORK), early, 90) == early
    assert next_start(everywhere(any_time, NEW_YORK), late, 90) == ends


def test_a_holiday_on_a_day_of_25_hours_and_on_one_of_23() -> None:
    for day, begins, ends in (
        (date(2026, 3, 29), "2026-03-28 23:00", "2026-03-29 22:00"),
        (date(2026, 10, 25), "2026-10-24 22:00", "2026-10-25 23:00"),
    ):
        any_time = shut_on(ANY_TIME, day)
        assert closes_at(everywhere(any_time, BERLIN), utc(begins) - timedelta(hours=1)) == utc(begins)
        assert next_open(everywhere(any_time, BERLIN), utc(begins)) == utc(ends)


class TestApia:
    """30 December 2011 was left out: the 29th was followed by the 31st."""

    ZONE = ("Pacific/Apia",)

    @pytest.mark.parametrize("days", [(29,), (30,), (31,), (29, 31), (30, 31)])
    def test_minute_by_minute(self, days: tuple[int, ...]) -> None:
        night = shut_on(daily("20:00", "04:00"), *(date(2011, 12, day) for day in days))
        at = utc("2011-12-28 00:00")
        for _ in range(5 * 1440):
            assert is_open(everywhere(night, self.ZONE), at) is open_everywhere(night, self.ZONE, at)
            at += timedelta(minutes=1)

    def test_a_holiday_that_does_not_come(self) -> None:
        office = shut_on(daily("09:00", "17:00"), date(2011, 12, 30))
        assert spans(office, self.ZONE, "2011-12-29 10:00", "2011-12-31 10:00") == [
            ("2011-12-29 19:00", "2011-12-30 03:00"),
            ("2011-12-30 19:00", "2011-12-31 03:00"),
        ]


def test_where_a_holiday_has_begun_in_one_zone_nobody_is_called_in_either() -> None:
    """Who may be in Berlin or in New York: 1 May begins in Berlin at 22:00 UTC and ends in New York at 04:00 two days later."""
    both = (*NEW_YORK, *BERLIN)
    labour = shut_on(ANY_TIME, date(2026, 5, 1))
    assert closes_at(everywhere(labour, both), utc("2026-04-30 12:00")) == utc("2026-04-30 22:00")
    assert next_open(everywhere(labour, both), utc("2026-04-30 22:00")) == utc("2026-05-02 04:00")
    assert is_open(everywhere(labour, NEW_YORK), utc("2026-04-30 23:00")) and not is_open(
        everywhere(labour, both), utc("2026-04-30 23:00")
    )


def test_years_end() -> None:
    night = kept_in(daily("20:00", "02:00"), "US")
    assert spans(night, ("UTC",), "2026-12-31 12:00", "2027-01-03 12:00") == [
        ("2026-12-31 20:00", "2027-01-01 00:00"),
        ("2027-01-02 20:00", "2027-01-03 02:00"),
    ]


def test_a_week_that_a_holiday_took_is_no_proof_for_the_next_one() -> None:
    """Weeks are alike only where no holiday took something of them."""
    mondays = daily("09:00", "10:00", days=[0])
    shut = [date(2026, 6, 1) + timedelta(weeks=n) for n in range(50)]
    for n in (1, 2, 49, 50):
        opens = next_open(everywhere(shut_on(mondays, *shut[:n]), ("UTC",)), utc("2026-05-26 00:00"))
        assert opens == datetime.fromisoformat("2026-06-01T09:00Z") + timedelta(weeks=n)


def test_a_window_that_is_shut_for_more_than_a_year_never_opens() -> None:
    shut = [date(2026, 1, 1) + timedelta(days=n) for n in range(380)]
    assert next_open(everywhere(shut_on(ANY_TIME, *shut), ("UTC",)), utc("2026-01-01 12:00")) is None


def test_windows_of_other_calendars_are_other_windows() -> None:
    assert len({ANY_TIME, shut_on(ANY_TIME, CHRISTMAS), kept_in(ANY_TIME, "US"), kept_in(ANY_TIME, "US")}) == 3
