from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zoneinfo import available_timezones

import pytest

import scheduler
from scheduler.zones import DAY, changes, is_zone, offsets, rhythm


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "Asia/Calcutta", "Europe/Kiev", "Europe/Kyiv", "UTC", "America/Argentina/Ushuaia"]
)
def test_zones(name: str) -> None:
    assert is_zone(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "Etc/Unknown", "localtime", "Factory", "posixrules", "right/Europe/Berlin", "posix/Europe/Berlin", "Europe"),
        *("../passwd", "/etc/localtime", "Mars/Phobos", "+01:00", "x" * 5000, "Europe/Berlin\0"),
    ],
)
def test_what_is_no_zone(name: str) -> None:
    assert not is_zone(name)
    assert offsets(name, 20_000) == ()


def test_every_zone_a_number_can_have_is_known() -> None:
    from phonenumbers.tzdata import TIMEZONE_DATA

    names = {name for zones in TIMEZONE_DATA.values() for name in zones}
    assert len(names) > 200
    assert {name for name in names if not is_zone(name)} <= {"Etc/Unknown"}


def test_a_clock_change_splits_its_day() -> None:
    day = 20_541  # 2026-03-29
    assert offsets("Europe/Berlin", day) == ((0, 3600), (3600, 7200))
    assert changes("Europe/Berlin", day - 30, day + 30) == (day,)
    assert offsets("Europe/Berlin", day + 1) == ((0, 7200),)


def test_changes_are_the_days_after_which_the_offset_is_another() -> None:
    """The coarse search misses none: compared with every midnight of three years, in zones that change in ways of their own."""
    first, days = 20_000, 3 * 365
    odd = ("Africa/Casablanca", "Africa/Cairo", "Asia/Gaza", "Australia/Lord_Howe", "America/New_York", "Europe/Dublin", "UTC")
    for name in odd:
        east = [offsets(name, first + step)[0][1] for step in range(days + 1)]
        expected = [first + step for step in range(days) if east[step] != east[step + 1]]
        for cut in (0, 1, 7, 100):
            assert list(changes(name, first, first + days - 1 - cut)) == [day for day in expected if day < first + days - cut]


def test_every_zone_has_offsets_within_a_day() -> None:
    for name in available_timezones():
        if is_zone(name):
            assert all(abs(east) < DAY for _, east in offsets(name, 20_600))


def test_names_of_one_place_have_one_rhythm() -> None:
    for one, other in (("US/Central", "America/Chicago"), ("Asia/Calcutta", "Asia/Kolkata"), ("Europe/Kiev", "Europe/Kyiv")):
        assert rhythm(one) == rhythm(other) is not None
    apart = ("America/Chicago", "America/New_York", "America/Phoenix", "America/Denver", "America/Regina", "America/Mexico_City")
    assert len({rhythm(zone) for zone in apart}) == 5  # Regina and Mexico City have kept the same time since 2022
    assert rhythm("Etc/Unknown") is None


def test_the_number_tables_are_loaded_on_first_use_only() -> None:
    code = "import sys, scheduler.planner, scheduler.ticker, scheduler.zones; sys.exit('phonenumbers' in sys.modules)"
    root = Path(scheduler.__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30, cwd=root).returncode == 0
