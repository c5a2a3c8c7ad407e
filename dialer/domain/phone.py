"""Phone numbers as people write them, into E.164, or the reason why not.

Owns the judgement what may be dialled at all: numbers of emergency and short-code services and premium-rate numbers are
refused whatever else is true. Rests on the number plans of the phonenumbers library; pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias

from dialer.domain.errors import Invalid
from dialer.domain.number_plans import BLOCK_DIGITS, is_block
from scheduler.places import telling_digits

E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
LONGEST_WRITTEN = 60
"""Characters; whatever is longer is no phone number."""

_PLAIN: Final = re.compile(r"\+?\(?[0-9][0-9 ().-]*")
_NO_SIGNS: Final = str.maketrans(dict.fromkeys(" ().-"))
"""Of a number that is written with these signs alone, the plans read digits and a leading plus."""

SHORTEST_OF_A_BLOCK: Final = 10
"""Digits: more than a short code or a local number has, where fewer tell a plan."""

SURELY_SHORT_CODE, LONGEST_SHORT_CODE = 4, 6
"""Digits. No country has ordinary numbers of up to four digits; emergency numbers have up to six."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A number that may be dialled, in E.164. `telling` are those of its first digits that tell where it
    may ring (`scheduler.places.telling_digits`)."""

    number: str
    telling: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class NotPhone:
    """`said` completes the sentence "This number …" and names the remedy; it never repeats the number."""

    said: str


Normalised: TypeAlias = Phone | NotPhone

MISSING = NotPhone("is missing; write it with its country code such as +14155550123")
NOT_A_NUMBER = NotPhone("is not a phone number; write it with its country code such as +14155550123")
EXTENSION = NotPhone("has an extension, which cannot be dialled; give the number without it")
SHORT_CODE = NotPhone("is an emergency or short-code number, which is never dialled; give an ordinary number")
NO_COUNTRY = NotPhone("has no known country code; write it with + and its country code")
TOO_SHORT = NotPhone("is too short; check for missing digits")
TOO_LONG = NotPhone("is too long; check for digits too many")
NO_AREA_CODE = NotPhone("lacks its area code; write it with country and area code")
WRONG_LENGTH = NotPhone("has a length that no number of its country has; check its digits")
NOT_IN_USE = NotPhone("belongs to no number range in use in its country; check its digits")
PREMIUM = NotPhone("is a premium-rate number, which is never dialled; give an ordinary number")


def normalise(written: str | None, region: str) -> Normalised:
    """Read `written`, in the default `region` (ISO 3166-1, two letters) when it has no country code of its own.

    Digits of any script are understood. 25 to 60 µs a number; 2 µs where one of its block was read before (`number_plans`).
    """
    text = (written or "").strip()
    if not text:
        return MISSING
    if len(text) > LONGEST_WRITTEN:
        return NOT_A_NUMBER
    if _PLAIN.fullmatch(text) and len(plain := text.translate(_NO_SIGNS)) >= SHORTEST_OF_A_BLOCK:
        block = _block(plain[:-BLOCK_DIGITS], region)
        if block is not None:
            number = block.number[:-BLOCK_DIGITS] + plain[-BLOCK_DIGITS:]
            return Phone(number, number[1 : 1 + len(block.telling)])
    return _read(text, region)


@lru_cache(maxsize=65_536)
def _block(head: str, region: str) -> Phone | None:
    """One of the ten thousand numbers that begin with `head`, where the others may be dialled as well and are told alike."""
    found = _read(head + "0" * BLOCK_DIGITS, region)
    return found if isinstance(found, Phone) and is_block(found.number, region) else None


def _read(text: str, region: str) -> Normalised:
    plans = _plans()
    from phonenumbers import NumberParseException, PhoneNumberType, ValidationResult

    if _is_short_code(text, region):
        return SHORT_CODE
    try:
        read = plans.parse(text, region)
    except NumberParseException as fault:
        match fault.error_type:
            case NumberParseException.INVALID_COUNTRY_CODE:
                return NO_COUNTRY
            case NumberParseException.TOO_SHORT_AFTER_IDD | NumberParseException.TOO_SHORT_NSN:
                return TOO_SHORT
            case NumberParseException.TOO_LONG:
                return TOO_LONG
        return NOT_A_NUMBER
    if read.extension:
        return EXTENSION
    kind = plans.number_type(read)
    if kind == PhoneNumberType.PREMIUM_RATE:
        return PREMIUM
    if kind == PhoneNumberType.UNKNOWN:
        match plans.is_possible_number_with_reason(read):
            case ValidationResult.TOO_SHORT:
                return TOO_SHORT
            case ValidationResult.TOO_LONG:
                return TOO_LONG
            case ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
                return NO_AREA_CODE
            case ValidationResult.INVALID_COUNTRY_CODE:
                return NO_COUNTRY
            case ValidationResult.INVALID_LENGTH:
                return WRONG_LENGTH
        return NOT_IN_USE
    number = plans.format_number(read, plans.PhoneNumberFormat.E164)
    if not E164.fullmatch(number):  # plans know a few shorter numbers, which the ledger does not take
        return TOO_SHORT
    return Phone(number, telling_digits(read.country_code, number[1 + len(str(read.country_code)) :], kind))


def phone_of(written: str, region: str, field: str) -> str:
    """The E.164 form. Raises Invalid, naming `field`."""
    match normalise(written, region):
        case Phone(number=number):
            return number
        case NotPhone(said=said):
            raise Invalid({field: said})


@cache
def _plans() -> Any:
    # Imported on first use: the number tables take time, and most commands never need them.
    import phonenumbers

    # A fifth of the time: the patterns of the plans are more than the cache of the re module holds.
    phonenumbers.enable_pattern_cache()
    return phonenumbers


@cache
def is_region(region: str) -> bool:
    """Whether these two letters are a country with a number plan."""
    from phonenumbers import SUPPORTED_REGIONS

    return region in SUPPORTED_REGIONS


def _is_short_code(text: str, region: str) -> bool:
    """Whether dialling this as it stands, in its country, reaches an emergency service or a short code."""
    from phonenumbers import connects_to_emergency_number, normalize_digits_only

    if text.startswith(("+", "\uff0b")) or any(sign.isalpha() for sign in text):
        return False
    digits = normalize_digits_only(text)
    if len(digits) > LONGEST_SHORT_CODE:
        return False
    return 0 < len(digits) <= SURELY_SHORT_CODE or bool(connects_to_emergency_number(digits, region))
