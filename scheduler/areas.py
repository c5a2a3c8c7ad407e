"""Which area a phone number belongs to: what local presence goes by.

An area is what all its numbers begin with, in E.164: country code and national destination code, such as "+1415" or "+4930". So
of those who are called nothing has to be read but the beginning of their numbers. Rests on the number plans of the phonenumbers
library; pure.
"""

from __future__ import annotations

from functools import lru_cache

NANP = "+1"
"""The North American Numbering Plan: its area codes have three digits."""


@lru_cache(maxsize=65_536)
def area_of(number: str) -> str | None:
    """The area of an E.164 `number`; its country's where that has no destination codes; None of what is no number.

    30 µs for one that was not asked for before: to be asked of the numbers that a campaign shows, not of those it calls.
    """
    # Imported on first use: the number tables cost 30 ms of start-up, and most commands never need them.
    from phonenumbers import (
        NumberParseException,
        is_possible_number,
        length_of_national_destination_code,
        national_significant_number,
        parse,
    )

    if number.startswith(NANP):
        return number[:5] if len(number) == 12 else None
    try:
        read = parse(number)
    except NumberParseException:
        return None
    if not is_possible_number(read):
        return None
    code = national_significant_number(read)[: length_of_national_destination_code(read)]
    return f"+{read.country_code}{code}"


def nearest(number: str, areas: frozenset[str]) -> str | None:
    """The area among `areas` that the E.164 `number` is in: the longest that it begins with."""
    return max((area for area in areas if number.startswith(area)), key=len, default=None)
