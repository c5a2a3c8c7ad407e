"""Dates on which nobody is called: the public holidays of a country or a part of it, and days of one's own.

Owns the meaning of a calendar; the holidays themselves are the library's (`holidays`, loaded on first use: 0.2 s), worked out
once per country, part and year. Days are wall-clock dates: whose clock, the reader says. Promises never to take what is not known
for a day on which people may be called: of a year that a country's calendar does not reach, every date is shut. Reads no clock.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

EPOCH = date(1970, 1, 1).toordinal()

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Calendar:
    """`country` is ISO 3166-1 ("US"), `subdivision` what ISO 3166-2 says after the dash ("AL"): its public holidays and its
    country's are shut, observed days included. So are `dates`; `opened` are open although the country keeps them. Raises
    ValueError."""

    country: str | None = None
    subdivision: str | None = None
    dates: frozenset[date] = frozenset()
    opened: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if self.country is None and (self.subdivision is not None or self.opened):
            raise ValueError("a part of a country and days that are open although it keeps them need the country; name it")
        if both := sorted(self.dates & self.opened):
            raise ValueError(f"{both[0]} is named as shut and as open; leave it in one of the two")
        if self.country is not None:
            check(self.country, self.subdivision)

    def __bool__(self) -> bool:
        """Whether any date can be shut."""
        return self.country is not None or bool(self.dates)

    def shuts(self, on: date) -> bool:
        """Whether nobody is called on this wall-clock date."""
        return on.toordinal() - EPOCH in _shut(self, on.year)

    def around(self, day: int) -> int:
        """Which dates from two days before `day` (days since 1970-01-01) to one after it are shut: bit 0 is the first of them."""
        return _around(self, day)

    def between(self, first: int, last: int) -> Iterator[int]:
        """The shut dates in [first, last], in days since 1970-01-01."""
        for year in range(date.fromordinal(EPOCH + first).year, date.fromordinal(EPOCH + last).year + 1):
            yield from (day for day in _shut(self, year) if first <= day <= last)


@lru_cache(maxsize=65_536)
def _around(calendar: Calendar, day: int) -> int:
    years = {date.fromordinal(EPOCH + each).year for each in (day - 2, day + 1)}
    shut = frozenset().union(*(_shut(calendar, year) for year in years))
    return sum(1 << bit for bit in range(4) if day - 2 + bit in shut)


@lru_cache(maxsize=4096)
def _shut(calendar: Calendar, year: int) -> frozenset[int]:
    own = frozenset(day.toordinal() - EPOCH for day in calendar.dates if day.year == year)
    if calendar.country is None:
        return own
    return own | _public(calendar.country, calendar.subdivision, year) - {day.toordinal() - EPOCH for day in calendar.opened}


@lru_cache(maxsize=4096)
def _public(country: str, subdivision: str | None, year: int) -> frozenset[int]:
    """Public holidays in days since 1970-01-01; of a year that nobody has told the library of, all its days."""
    from holidays import country_holidays

    reach = country_holidays(country)
    if not reach.start_year <= year <= reach.end_year:
        log.warning("nobody is called by the calendar of %s in %d: its holidays are known from %d to %d only",
                    country, year, reach.start_year, reach.end_year)  # fmt: skip
        first = date(year, 1, 1).toordinal() - EPOCH
        return frozenset(range(first, date(year, 12, 31).toordinal() - EPOCH + 1))
    found = country_holidays(country, subdiv=subdivision, years=year, expand=False)
    return frozenset(day.toordinal() - EPOCH for day in found)


@lru_cache(maxsize=1024)
def check(country: str, subdivision: str | None) -> None:
    """Raises ValueError where there is no calendar of this country or of this part of it."""
    from holidays import country_holidays
    from holidays.registry import EntityLoader

    if country not in EntityLoader.get_country_codes(include_aliases=False):
        raise ValueError(f"{country!r} is no country whose holidays are known; write its two letters of ISO 3166-1, such as US")
    parts = country_holidays(country).subdivisions
    if subdivision is not None and subdivision not in parts:
        known = f"such as {country}-{parts[0]}" if parts else f"or {country} alone, whose holidays are the same everywhere"
        said = f"{subdivision!r} is no part of {country} whose holidays are known"
        raise ValueError(f"{said}; write its code of ISO 3166-2, {known}")
