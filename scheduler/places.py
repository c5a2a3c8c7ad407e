"""Where a phone may ring: the (time zone, region) pairs that come into question, and how that is known.

Rules of the clock hang on both: Alabama forbids Sundays, Illinois does not, and both are America/Chicago. Owns the order of
trust: the contact's own time zone, then its region, then what the number tells. Promises never to guess beyond the evidence:
where several zones or regions come into question all of them do, a region that nobody knows may be any of its country, and what
is no zone is unknown, which means no call.

A region is written as in ISO 3166-2 ("US-AL"), as the two letters of its country where no more is known ("DE"), as a country code
where that is shared ("+1"), or "" where nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from scheduler.area_codes import COUNTRIES, LENGTH, area_codes, zones_of
from scheduler.zones import is_zone, rhythm

Source: TypeAlias = Literal["contact", "region", "number", "country", "unknown"]
"""How the zones are known: the contact's own `timezone`; its region; its number; no more than that its number, which is tied to
no area, is of a country whose clocks differ; not at all."""

SUBDIVISION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}", re.ASCII)

NANP = "1"
"""The country code that the United States, Canada and others share."""


@dataclass(frozen=True, slots=True, order=True)
class Candidate:
    """A pair that comes into question."""

    zone: str
    region: str


@dataclass(frozen=True, slots=True)
class Place:
    """Every pair that comes into question, sorted. None = unknown = never called by the contact's own clock."""

    candidates: tuple[Candidate, ...]
    source: Source
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.candidates, self.source)))

    def __hash__(self) -> int:
        """Worked out once: every question about hours looks its place up, and a toll-free number has 42 pairs."""
        return self._hash

    def __reduce__(self) -> tuple[type[Place], tuple[tuple[Candidate, ...], Source]]:
        """Another process hashes texts in another way."""
        return Place, (self.candidates, self.source)

    @property
    def zones(self) -> tuple[str, ...]:
        return tuple(sorted({each.zone for each in self.candidates}))

    @property
    def regions(self) -> tuple[str, ...]:
        """Those of which more than the country is known."""
        return tuple(sorted({each.region for each in self.candidates if "-" in each.region}))


UNKNOWN = Place((), "unknown")


@lru_cache(maxsize=4096)
def is_subdivision(region: str) -> bool:
    """Whether this may be an ISO 3166-2 code: of a country with telephones, and of the United States and Canada a part of
    them."""
    if not SUBDIVISION.fullmatch(region):
        return False
    return bool(zones_of(region)) if region[:2] in COUNTRIES else bool(calling_code(region))


@dataclass(frozen=True, slots=True)
class _Told:
    """What a number tells. `country` is its country code with a plus, "" when it has none."""

    zones: tuple[str, ...]
    regions: tuple[str, ...]
    source: Source
    country: str


def of(zones: Iterable[str], regions: Iterable[str], source: Source) -> Place:
    """Any of `zones` with any of `regions`."""
    candidates = tuple(sorted({Candidate(zone, region) for zone in zones for region in regions}))
    return Place(candidates, source) if candidates else UNKNOWN


def locate(timezone: str | None, region: str | None, number: str | None, telling: str | None = None) -> Place:
    """The place of a contact with this time zone of its own, this region (ISO 3166-2) and this E.164 number.

    What is no time zone or no region is as if it were not there. Zones: `timezone`; else those of the region, of which only the
    number's where its area lies in that region; else the number's. Regions: `region`; else the number's, and where the contact's
    time zone is none of theirs, any other of the country as well. `telling` is what `telling_digits` said of the number, for
    whoever has read it already. Without it about 35 µs a number: to be asked at import and on change, not on the way to a dial.
    """
    digits = (_telling_digits_of(number) if telling is None else telling) if number else ""
    own = timezone if timezone is not None and is_zone(timezone) else None
    return _located(own, region if region is not None and is_subdivision(region) else None, digits)


# 1 to 2 µs instead of 24: a list has many contacts, and few zones, regions and areas.
@lru_cache(maxsize=65_536)
def _located(timezone: str | None, region: str | None, digits: str) -> Place:
    told = _told_by(digits)
    if timezone is not None:
        return of((timezone,), _regions(timezone, told) if region is None else (region,), "contact")
    if region is None:
        return of(told.zones, told.regions, told.source)
    if region in told.regions or (not zones_of(region) and told.country and told.country == calling_code(region)):
        return of(told.zones, (region,), told.source)
    zones = zones_of(region) or _zones_of_code(calling_code(region)) or told.zones
    return of(zones, (region,), "region")


def _regions(timezone: str, told: _Told) -> tuple[str, ...]:
    """Where a contact is whose number tells this and whose clock is that of `timezone`."""
    if any(rhythm(zone) == rhythm(timezone) for zone in told.zones):
        return told.regions
    return tuple({*told.regions, told.country})


def telling_digits(country_code: int, national: str, kind: int) -> str:
    """The digits of a number that tell its place: as many as any place of its country goes by where the number is tied to one,
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

    if str(country_code) == NANP:
        return LENGTH
    return max((len(digits) for digits in TIMEZONE_DATA if digits.startswith(str(country_code))), default=0)


def _telling_digits_of(number: str) -> str:
    # Imported on first use: the number tables cost 30 ms of start-up, and most commands never need them.
    from phonenumbers import NumberParseException, national_significant_number, number_type, parse

    try:
        read = parse(number)
    except NumberParseException:
        return ""
    return telling_digits(read.country_code or 0, national_significant_number(read), number_type(read))


@lru_cache(maxsize=16_384)
def _told_by(digits: str) -> _Told:
    from phonenumbers.tzdata import TIMEZONE_DATA

    code = _country_code(digits)
    if not code:
        return _Told((), (), "unknown", "")
    regions, zones = area_codes().regions.get(digits, ()), area_codes().zones.get(digits, ())
    if not regions:
        zones = next((TIMEZONE_DATA[digits[:n]] for n in range(len(digits), 0, -1) if digits[:n] in TIMEZONE_DATA), ())
        regions = (_country(code, digits) or f"+{code}",)
    # One unreadable name among the candidates could be where the phone is: then the place is unknown, not the rest of the list.
    known = bool(zones) and all(is_zone(zone) for zone in zones)
    source: Source = "country" if digits == code and len({rhythm(zone) for zone in zones}) > 1 else "number"
    return _Told(tuple(sorted(set(zones))) if known else (), regions, source, f"+{code}")


def _country_code(digits: str) -> str:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return next(
        (digits[:n] for n in range(1, 4) if digits[:n].isdecimal() and int(digits[:n]) in COUNTRY_CODE_TO_REGION_CODE), ""
    )


def _country(code: str, digits: str) -> str | None:
    """The one country these digits are sure to be of."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    countries = COUNTRY_CODE_TO_REGION_CODE[int(code)]
    if len(countries) == 1:
        return countries[0] if countries[0].isalpha() else None
    plans = [(country, _plan(country).leading_digits) for country in countries]
    return next((country for country, leads in plans if leads and re.match(leads, digits[len(code) :])), None)


def _plan(country: str) -> Any:
    from phonenumbers.phonemetadata import PhoneMetadata

    return PhoneMetadata.metadata_for_region(country)


@lru_cache(maxsize=1024)
def calling_code(region: str) -> str:
    """The country code of a region's country, such as "+1" for "US-AL"; "" where there is none."""
    from phonenumbers import country_code_for_region

    code = country_code_for_region(region[:2])
    return f"+{code}" if code else ""


@lru_cache(maxsize=1024)
def _zones_of_code(code: str) -> tuple[str, ...]:
    """Every zone of the countries that share this country code."""
    return _told_by(code.removeprefix("+")).zones


@lru_cache(maxsize=65_536)
def could_be(candidate: Candidate, region: str) -> bool:
    """Whether what holds in `region` (ISO 3166-1 or 3166-2) could hold for a phone at `candidate`.

    A region that is known is compared. One of which only the country is known may be any part of it whose clocks go like the
    candidate's; where the country has no such part, or its parts are not known, it may be all of them.
    """
    own = candidate.region
    country = region[:2]
    if len(own) > 2 and not own.startswith("+"):
        return own == region or own[:2] == region
    if own == "" or own == country or own == calling_code(region):
        return own == region or _fits(candidate.zone, region)
    return False


def _fits(zone: str, region: str) -> bool:
    clock = rhythm(zone)
    if region[:2] not in COUNTRIES or clock is None:
        return True
    parts = {part: {rhythm(each) for each in zones} for part, zones in area_codes().zones_of.items() if part[:2] == region[:2]}
    fitting = {part for part, clocks in parts.items() if clock in clocks}
    return not fitting or len(region) == 2 or region in fitting
