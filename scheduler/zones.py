"""The time zones a number may ring in, and how far each is from UTC on a given day.

Owns the tz database and the guess from a phone number. A name is kept as it was given: both names of a renamed zone
(Asia/Calcutta, Asia/Kolkata) read the same rules. Promises never to guess beyond the evidence: what is not a zone is
"unknown", and unknown means no call. Reads no clock and no machine setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

DAY = 86_400

# Files of the tz database that are no place on Earth: the machine's own setting, the "not configured" mark, POSIX defaults.
_NOT_PLACES = frozenset({"localtime", "Factory", "posixrules", "Etc/Unknown"})
# "right/" counts leap seconds and would be half a minute off; "posix/" holds second copies of the ordinary names.
_NOT_TREES = ("right/", "posix/")


@dataclass(frozen=True, slots=True)
class Place:
    """Every zone a contact may be in, sorted, and where we know it from. No zones = unknown = never called."""

    zones: tuple[str, ...]
    source: Literal["contact", "number", "unknown"]


UNKNOWN = Place((), "unknown")


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


def candidates(timezone: str | None, number: str | None, telling: str | None = None) -> Place:
    """The place of a contact: its own `timezone` if that is a zone, else every zone the E.164 `number` may belong to.

    `telling` is what `telling_digits` said of the number, for whoever has read it already. Without it about 35 µs a number: to
    be asked at import and on change, not on the way to a dial.
    """
    if timezone is not None and is_zone(timezone):
        return Place((timezone,), "contact")
    zones = (_zones_told_by(_telling_digits_of(number) if telling is None else telling)) if number else ()
    return Place(zones, "number") if zones else UNKNOWN


def telling_digits(country_code: int, national: str, kind: int) -> str:
    """The digits of a number that tell its zones: as many as any zone of its country goes by where the number is tied to a place,
    else those of its country. `kind` is the library's PhoneNumberType."""
    from phonenumbers import PhoneNumberType
    from phonenumbers.phonenumberutil import is_number_type_geographical

    if kind == PhoneNumberType.UNKNOWN:
        return ""
    tied = is_number_type_geographical(kind, country_code)
    return f"{country_code}{national}"[: _telling_length(country_code)] if tied else str(country_code)


@lru_cache(maxsize=1024)
def _telling_length(country_code: int) -> int:
    from phonenumbers.tzdata import TIMEZONE_DATA

    return max((len(digits) for digits in TIMEZONE_DATA if digits.startswith(str(country_code))), default=0)


def _telling_digits_of(number: str) -> str:
    # Imported on first use: the number tables cost 30 ms of start-up, and most commands never need them.
    from phonenumbers import NumberParseException, national_significant_number, number_type, parse

    try:
        read = parse(number)
    except NumberParseException:
        return ""
    return telling_digits(read.country_code or 0, national_significant_number(read), number_type(read))


# 1 to 2 µs instead of 24: a list has many numbers and few areas.
@lru_cache(maxsize=65_536)
def _zones_told_by(digits: str) -> tuple[str, ...]:
    from phonenumbers.tzdata import TIMEZONE_DATA

    found = next((TIMEZONE_DATA[digits[:n]] for n in range(len(digits), 0, -1) if digits[:n] in TIMEZONE_DATA), ())
    zones = sorted(set(found))
    # One unreadable name among the candidates could be where the phone is: then the place is unknown, not the rest of the list.
    return tuple(zones) if all(is_zone(zone) for zone in zones) else ()


@lru_cache(maxsize=16_384)
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
