"""Call windows by the calendar on the wall: the second definition, written apart from `scheduler.windows`, minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler.windows import CallWindow

MINUTE = timedelta(minutes=1)


def shows_open(window: CallWindow, zone: str, at: datetime) -> bool:
    wall = at.astimezone(ZoneInfo(zone))
    second = wall.hour * 3600 + wall.minute * 60 + wall.second
    for hours in window.weekly[wall.weekday()]:
        if hours.start <= second and (second < hours.end or hours.end < hours.start):
            return True
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


def first(window: CallWindow, zones: tuple[str, ...], at: datetime, *, is_open: bool, days: int) -> datetime | None:
    """The first minute within `days` at which the window is open (or shut)."""
    return next((each for each in minutes_from(at, days) if open_everywhere(window, zones, each) is is_open), None)
