"""Call windows by the calendar on the wall: the second definition, written apart from `scheduler.windows`, minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from holidays import HolidayBase, country_holidays

from scheduler.holidays import Calendar
from scheduler.windows import CallWindow, Walls

MINUTE = timedelta(minutes=1)


@lru_cache
def _of_country(country: str, subdivision: str | None) -> HolidayBase:
    return country_holidays(country, subdiv=subdivision)


def keeps(calendar: Calendar | None, on: date) -> bool:
    """Whether the calendar on the wall has this date in red."""
    if calendar is None:
        return False
    if calendar.country is None or on in calendar.dates or on in calendar.opened:
        return on in calendar.dates
    return on in _of_country(calendar.country, calendar.subdivision)


def shows_open(window: CallWindow, zone: str, at: datetime) -> bool:
    wall = at.astimezone(ZoneInfo(zone))
    second = wall.hour * 3600 + wall.minute * 60 + wall.second
    if keeps(window.calendar, wall.date()):
        return False
    for hours in window.weekly[wall.weekday()]:
        if hours.start <= second and (second < hours.end or hours.end < hours.start):
            return True
    if keeps(window.calendar, wall.date() - timedelta(days=1)):
        return False
    return any(hours.end < hours.start and second < hours.end for hours in window.weekly[(wall.weekday() - 1) % 7])


def open_everywhere(window: CallWindow, zones: tuple[str, ...], at: datetime) -> bool:
    return bool(zones) and all(shows_open(window, zone, at) for zone in zones)


def minutes_from(at: datetime, days: int) -> Iterator[datetime]:
    """`at`, then every whole minute after it: hours and offsets of today change on whole minutes."""
    yield at
    whole = at.astimezone(UTC).replace(second=0, microsecond=0)
    for _ in range(days * 1440):
        whole += MINUTE
        yield whole


def all_open(walls: Walls, at: datetime) -> bool:
    return bool(walls.each) and all(shows_open(wall.window, wall.zone, at) for wall in walls.each)


def first(walls: Walls, at: datetime, *, is_open: bool, days: int) -> datetime | None:
    """The first minute within `days` at which all walls are open (or one is shut)."""
    return next((each for each in minutes_from(at, days) if all_open(walls, each) is is_open), None)
