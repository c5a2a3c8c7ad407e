from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler.places import locate
from scheduler.windows import CallWindow, Hours, clock_time, closes_at, daily, everywhere, is_open, next_open, next_start
from tests.unit.scheduler.wall import open_everywhere

BERLIN, NEW_YORK = ("Europe/Berlin",), ("America/New_York",)
ANY_TIME = daily("00:00", "24:00")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def spans(window: CallWindow, zones: tuple[str, ...], start: str, end: str) -> list[tuple[str, str]]:
    """Every open span between two instants, as the questions tell it."""
    found = []
    at, last = utc(start), utc(end)
    while (opens := next_open(everywhere(window, zones), at)) is not None and opens < last:
        closes = closes_at(everywhere(window, zones), opens)
        assert closes is not None
        found.append((f"{opens:%Y-%m-%d %H:%M}", f"{closes:%Y-%m-%d %H:%M}"))
        at = closes
    return found


@pytest.mark.parametrize(
    ("text", "seconds"), [("00:00", 0), ("09:05", 32_700), ("23:59:59", 86_399), ("24:00", 86_400), ("24:00:00", 86_400)]
)
def test_clock_time(text: str, seconds: int) -> None:
    assert clock_time(text) == seconds


@pytest.mark.parametrize("text", ["", "9:00", "09", "24:01", "12:60", "12:00:60", "09:00 ", "+9:00", "٠٩:٠٠", "09:00\n"])
def test_what_is_no_clock_time(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time of day"):
        clock_time(text)


@pytest.mark.parametrize(("start", "end"), [(0, 0), (60, 60), (-1, 60), (86_400, 60), (0, 86_401)])
def test_hours_refuse_an_empty_or_impossible_time(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="call window"):
        Hours(start, end)


def test_a_window_has_seven_days() -> None:
    with pytest.raises(ValueError, match="seven days"):
        CallWindow(((),) * 6)
    with pytest.raises(ValueError, match="0 \\(Monday\\)"):
        daily("09:00", "17:00", days=[7])


def test_an_instant_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="aware"):
        is_open(everywhere(ANY_TIME, BERLIN), datetime(2026, 1, 1))


def test_office_hours_on_weekdays() -> None:
    office = daily("09:00", "17:00", days=range(5))
    assert spans(office, BERLIN, "2026-01-09 00:00", "2026-01-13 00:00") == [
        ("2026-01-09 08:00", "2026-01-09 16:00"),
        ("2026-01-12 08:00", "2026-01-12 16:00"),
    ]


def test_several_windows_a_day_and_seconds() -> None:
    day = (Hours.parse("09:00:30", "12:00"), Hours.parse("11:00", "12:30"), Hours.parse("14:00", "15:00"))
    assert spans(CallWindow((day,) * 7), ("UTC",), "2026-01-05 00:00", "2026-01-06 00:00") == [
        ("2026-01-05 09:00", "2026-01-05 12:30"),
        ("2026-01-05 14:00", "2026-01-05 15:00"),
    ]
    assert next_open(everywhere(CallWindow((day,) * 7), ("UTC",)), utc("2026-01-05 08:00")) == utc("2026-01-05 09:00:30")


def test_hours_across_midnight_belong_to_the_day_they_start_on() -> None:
    friday_night = daily("22:00", "02:00", days=[4])
    assert spans(friday_night, ("UTC",), "2026-01-05 00:00", "2026-01-12 00:00") == [("2026-01-09 22:00", "2026-01-10 02:00")]


def test_sunday_night_runs_into_monday() -> None:
    assert spans(daily("22:00", "02:00", days=[6]), ("UTC",), "2026-01-05 03:00", "2026-01-12 12:00") == [
        ("2026-01-11 22:00", "2026-01-12 02:00")
    ]


def test_any_time_never_closes() -> None:
    at = utc("2026-03-29 00:30")
    for zone in ("UTC", "Europe/Berlin", "Pacific/Apia"):
        assert is_open(everywhere(ANY_TIME, (zone,)), at)
        assert next_open(everywhere(ANY_TIME, (zone,)), at) == at
        assert closes_at(everywhere(ANY_TIME, (zone,)), at) is None


def test_any_time_of_weekdays_closes_on_saturday() -> None:
    weekdays = daily("00:00", "24:00", days=range(5))
    assert closes_at(everywhere(weekdays, ("UTC",)), utc("2026-01-05 00:00")) == utc("2026-01-10 00:00")


def test_no_zone_or_an_unreadable_one_is_shut() -> None:
    at = utc("2026-01-05 12:00")
    for zones in ((), ("Etc/Unknown",), ("Mars/Phobos",), ("Europe/Berlin", "Mars/Phobos")):
        assert not is_open(everywhere(ANY_TIME, zones), at)
        assert closes_at(everywhere(ANY_TIME, zones), at) == at
        assert next_open(everywhere(ANY_TIME, zones), at) is None
        assert next_start(everywhere(ANY_TIME, zones), at, 0) is None


def test_a_window_without_hours_never_opens() -> None:
    assert next_open(everywhere(CallWindow(((),) * 7), BERLIN), utc("2026-01-05 12:00")) is None


def test_every_zone_must_be_open() -> None:
    both = ("America/Los_Angeles", "America/New_York")
    assert spans(daily("09:00", "17:00"), both, "2026-01-05 12:00", "2026-01-06 12:00") == [
        ("2026-01-05 17:00", "2026-01-05 22:00")
    ]


def test_a_part_of_a_second_counts_as_that_second() -> None:
    office = daily("09:00", "17:00")
    last = utc("2026-01-05 16:59:59.999999")
    assert is_open(everywhere(office, ("UTC",)), last)
    assert closes_at(everywhere(office, ("UTC",)), last) == utc("2026-01-05 17:00")
    shut = utc("2026-01-05 08:59:59.999999")
    assert closes_at(everywhere(office, ("UTC",)), shut) == shut
    assert next_open(everywhere(office, ("UTC",)), shut) == utc("2026-01-05 09:00")


def test_a_call_may_not_start_so_late_that_it_rings_past_the_end() -> None:
    office = daily("09:00", "17:00")
    at = utc("2026-01-05 16:59:29")
    assert next_start(everywhere(office, ("UTC",)), at, 30) == at
    at += timedelta(seconds=1)
    assert next_start(everywhere(office, ("UTC",)), at, 30) == utc("2026-01-06 09:00")


def test_hours_shorter_than_the_margin_are_passed_over() -> None:
    short = CallWindow(((Hours.parse("09:00", "09:01"), Hours.parse("12:00", "13:00")),) * 7)
    assert next_start(everywhere(short, ("UTC",)), utc("2026-01-05 08:00"), 60) == utc("2026-01-05 12:00")
    assert next_start(everywhere(daily("09:00", "09:01"), ("UTC",)), utc("2026-01-05 08:00"), 60) is None


class TestClockChanges:
    """The cases of the tz database that have bitten others."""

    def test_berlin_spring_skips_an_hour(self) -> None:
        assert spans(daily("02:00", "03:00"), BERLIN, "2026-03-28 00:00", "2026-03-31 00:00") == [
            ("2026-03-28 01:00", "2026-03-28 02:00"),
            ("2026-03-30 00:00", "2026-03-30 01:00"),
        ]
        assert spans(daily("01:30", "03:30"), BERLIN, "2026-03-29 00:00", "2026-03-29 12:00") == [
            ("2026-03-29 00:30", "2026-03-29 01:30")
        ]

    def test_berlin_autumn_counts_both_hours(self) -> None:
        day = ("2026-10-24 12:00", "2026-10-25 12:00")
        assert spans(daily("02:00", "03:00"), BERLIN, *day) == [("2026-10-25 00:00", "2026-10-25 02:00")]
        assert spans(daily("02:15", "02:45"), BERLIN, *day) == [
            ("2026-10-25 00:15", "2026-10-25 00:45"),
            ("2026-10-25 01:15", "2026-10-25 01:45"),
        ]
        assert spans(daily("01:00", "02:30"), BERLIN, *day) == [
            ("2026-10-24 23:00", "2026-10-25 00:30"),
            ("2026-10-25 01:00", "2026-10-25 01:30"),
        ]

    def test_new_york(self) -> None:
        assert spans(daily("02:00", "03:00"), NEW_YORK, "2026-03-08 00:00", "2026-03-09 04:00") == []
        assert spans(daily("01:15", "01:45"), NEW_YORK, "2026-11-01 00:00", "2026-11-02 00:00") == [
            ("2026-11-01 05:15", "2026-11-01 05:45"),
            ("2026-11-01 06:15", "2026-11-01 06:45"),
        ]

    def test_lord_howe_shifts_by_half_an_hour(self) -> None:
        zone = ("Australia/Lord_Howe",)
        assert spans(daily("01:30", "02:00"), zone, "2026-04-04 00:00", "2026-04-05 00:00") == [
            ("2026-04-04 14:30", "2026-04-04 15:30")
        ]
        assert spans(daily("02:00", "02:30"), zone, "2026-10-03 00:00", "2026-10-04 12:00") == []

    def test_casablanca_turns_back_for_ramadan(self) -> None:
        zone = ("Africa/Casablanca",)
        assert spans(daily("02:00", "03:00"), zone, "2026-02-14 12:00", "2026-02-15 12:00") == [
            ("2026-02-15 01:00", "2026-02-15 03:00")
        ]
        assert spans(daily("02:00", "03:00"), zone, "2026-03-21 12:00", "2026-03-22 12:00") == []

    def test_sao_paulo_has_no_summer_time_now(self) -> None:
        for month in (1, 7, 11):
            opens = next_open(everywhere(daily("09:00", "17:00"), ("America/Sao_Paulo",)), datetime(2026, month, 5, tzinfo=UTC))
            assert opens == datetime(2026, month, 5, 12, tzinfo=UTC)

    def test_kathmandu_is_a_quarter_past(self) -> None:
        assert next_open(everywhere(daily("09:00", "17:00"), ("Asia/Kathmandu",)), utc("2026-01-05 00:00")) == utc(
            "2026-01-05 03:15"
        )

    def test_apia_has_no_30_december_2011(self) -> None:
        zone = ("Pacific/Apia",)
        assert spans(daily("09:00", "17:00"), zone, "2011-12-29 10:00", "2011-12-31 10:00") == [
            ("2011-12-29 19:00", "2011-12-30 03:00"),
            ("2011-12-30 19:00", "2011-12-31 03:00"),
        ]
        fridays = daily("09:00", "17:00", days=[4])
        assert next_open(everywhere(fridays, zone), utc("2011-12-24 12:00")) == utc("2012-01-05 19:00")

    def test_apia_minute_by_minute(self) -> None:
        at = utc("2011-12-28 00:00")
        night = daily("20:00", "04:00", days=[3, 4, 6])
        for _ in range(5 * 1440):
            assert is_open(everywhere(night, ("Pacific/Apia",)), at) is open_everywhere(night, ("Pacific/Apia",), at)
            at += timedelta(minutes=1)

    def test_kiritimati_is_a_day_ahead(self) -> None:
        monday = daily("09:00", "17:00", days=[0])
        assert next_open(everywhere(monday, ("Pacific/Kiritimati",)), utc("2026-01-03 00:00")) == utc("2026-01-04 19:00")

    @pytest.mark.parametrize(("old", "new"), [("Asia/Calcutta", "Asia/Kolkata"), ("Europe/Kiev", "Europe/Kyiv")])
    def test_both_names_of_a_renamed_zone_read_the_same_rules(self, old: str, new: str) -> None:
        office = daily("09:00", "17:00")
        at = utc("2026-01-01 00:00")
        for _ in range(370):
            opens = next_open(everywhere(office, (old,)), at)
            assert opens is not None
            assert opens == next_open(everywhere(office, (new,)), at)
            at = opens + timedelta(days=1)


class TestTollFree:
    """A toll-free number may ring in any of 42 zones, from Hawaii to Newfoundland and beyond."""

    ZONES = locate(None, None, "+18005550199").zones

    @staticmethod
    def minutes(window: CallWindow, zones: tuple[str, ...], day: datetime) -> int:
        return sum(is_open(everywhere(window, zones), day + timedelta(minutes=minute)) for minute in range(1440))

    def test_a_long_window_leaves_little(self) -> None:
        long = daily("08:00", "21:00")
        assert self.minutes(long, self.ZONES, utc("2026-01-14 12:00")) == 150
        assert self.minutes(long, self.ZONES, utc("2026-07-15 12:00")) == 90

    def test_office_hours_are_never_callable(self) -> None:
        assert next_open(everywhere(daily("09:00", "18:00"), self.ZONES), utc("2026-01-14 12:00")) is None


def test_an_opening_that_only_summer_time_brings_is_found() -> None:
    """Madrid and Moscow share an hour only while Madrid keeps summer time."""
    morning = daily("08:00", "10:00", days=[2])
    both = ("Europe/Madrid", "Europe/Moscow")
    assert next_open(everywhere(morning, both), utc("2026-01-01 00:00")) == utc("2026-04-01 06:00")
    assert closes_at(everywhere(morning, both), utc("2026-04-01 06:00")) == utc("2026-04-01 07:00")
