"""Time zones, and how far each is from UTC on a given day.

Owns the tz database. A name is kept as it was given: both names of a renamed zone (Asia/Calcutta, Asia/Kolkata) read the same
rules. Promises that what is not a zone has no offsets, and so is never open. Reads no clock and no machine setting.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = 86_400

SAMPLES = range(20_454, 20_454 + 2 * 365, 10)
"""Days since 1970-01-01, two years from 2026 on: close enough to tell apart zones that change at different dates."""

# Files of the tz database that are no place on Earth: the machine's own setting, the "not configured" mark, POSIX defaults.
_NOT_PLACES = frozenset({"localtime", "Factory", "posixrules", "Etc/Unknown"})
# "right/" counts leap seconds and would be half a minute off; "posix/" holds second copies of the ordinary names.
_NOT_TREES = ("right/", "posix/")


@lru_cache(maxsize=2048)
def _zone(name: str) -> ZoneInfo | None:
    if name in _NOT_PLACES or name.startswith(_NOT_TREES):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a relative path; a directory or too long a name
        return None


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA zone, old names included. "", "Etc/Unknown" and the machine's "localtime" are not."""
    return _zone(name) is not None


@lru_cache(maxsize=2048)
def rhythm(name: str) -> tuple[int, ...] | None:
    """How a zone's clocks go, for telling whether two names may stand for one place: its offsets in seconds on the days of
    `SAMPLES`. None where it is no zone."""
    zone = _zone(name)
    return None if zone is None else tuple(_offset(zone, day * DAY) for day in SAMPLES)


@lru_cache(maxsize=65_536)  # a year of the 42 zones of a toll-free number, and of a few others
def offsets(name: str, day: int) -> tuple[tuple[int, int], ...]:
    """How `name` differs from UTC during one UTC day (`day` = days since 1970-01-01).

    One or two pairs (second of the UTC day from which it holds, seconds east of UTC); empty when `name` is no zone. Two
    samples a day suffice: the tz database has no two changes less than six days apart since 1970.
    """
    zone = _zone(name)
    if zone is None:
        return ()
    start = day * DAY
    before, after = _offset(zone, start), _offset(zone, start + DAY - 1)
    if before == after:
        return ((0, before),)
    low, high = 0, DAY - 1
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, start + middle) == before:
            low = middle
        else:
            high = middle
    return ((0, before), (high, after))


def _offset(zone: ZoneInfo, instant: int) -> int:
    shift = datetime.fromtimestamp(instant, UTC).astimezone(zone).utcoffset()
    assert shift is not None  # every ZoneInfo knows its offset at an instant
    return shift.days * DAY + shift.seconds


@lru_cache(maxsize=4096)
def changes(name: str, first: int, last: int) -> tuple[int, ...]:
    """The UTC days in [first, last] during which, or with whose end, the offset of `name` changes; ascending."""
    found: list[int] = []
    for low in range(first, last + 1, 6):  # less than the shortest time between two changes, so at most one is between
        high = min(low + 6, last + 1)
        if _at_midnight(name, low) != _at_midnight(name, high):
            found.extend(day for day in range(low, high) if _at_midnight(name, day) != _at_midnight(name, day + 1))
    return tuple(found)


def _at_midnight(name: str, day: int) -> int | None:
    held = offsets(name, day)
    return held[0][1] if held else None
