"""Numbers as people write them."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.domain import phone
from dialer.domain.errors import Invalid
from dialer.domain.number_plans import is_block
from dialer.domain.phone import E164, NotPhone, Phone, normalise, phone_of
from scheduler.places import locate


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("+1 415 555 2671", "US", "+14155552671"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("1.415.555.2671", "DE", None),
        ("0011 1 415 555 2671", "AU", "+14155552671"),
        ("030 123456", "DE", "+4930123456"),
        ("+49 (0)30 123456", "US", "+4930123456"),
        ("00 49 30 123456", "FR", "+4930123456"),
        ("+39 06 1234 5678", "US", "+390612345678"),
        ("tel:+1-415-555-2671", "DE", "+14155552671"),
        ("+٤٤ ٢٠ ٧٩٤٦ ٠٩٥٨", "US", "+442079460958"),
        ("+14155552671", "JP", "+14155552671"),
        ("1-800-356-9377", "US", "+18003569377"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("  +81 3 1234 5678  ", "US", "+81312345678"),
    ],
)
def test_it_is_read_in_its_own_country_or_the_default_one(written: str, region: str, number: str | None) -> None:
    found = normalise(written, region)
    assert (found.number if isinstance(found, Phone) else None) == number


@pytest.mark.parametrize(
    ("written", "region", "why"),
    [
        (None, "US", phone.MISSING),
        ("  ", "US", phone.MISSING),
        ("abc", "US", phone.NOT_A_NUMBER),
        ("n/a", "US", phone.NOT_A_NUMBER),
        ("9" * 100, "US", phone.NOT_A_NUMBER),
        ("+1 415 555 2671 ext. 12", "US", phone.EXTENSION),
        ("+14155552671;ext=3", "US", phone.EXTENSION),
        ("911", "US", phone.SHORT_CODE),
        ("112", "DE", phone.SHORT_CODE),
        ("999", "GB", phone.SHORT_CODE),
        ("110", "JP", phone.SHORT_CODE),
        ("1-1-2", "FR", phone.SHORT_CODE),
        ("411", "US", phone.SHORT_CODE),
        ("+1911", "US", phone.TOO_SHORT),
        ("+49112", "US", phone.NO_AREA_CODE),
        ("+1 900 555 1234", "US", phone.PREMIUM),
        ("0900 123 4567", "DE", phone.PREMIUM),
        ("+44 909 879 1234", "US", phone.PREMIUM),
        ("+999 1234 56789", "US", phone.NO_COUNTRY),
        ("415555", "US", phone.TOO_SHORT),
        ("555-2671", "US", phone.NO_AREA_CODE),
        ("+1 415 555 26712 3456", "US", phone.TOO_LONG),
        ("+1 123 456 7890", "US", phone.NOT_IN_USE),
        ("+44 7700 900123", "US", phone.NOT_IN_USE),
    ],
)
def test_what_is_refused_says_why(written: str | None, region: str, why: NotPhone) -> None:
    assert normalise(written, region) == why


@given(st.text(max_size=70), st.sampled_from(["US", "DE", "GB", "JP", "BR", "ZZ"]))
def test_any_text_gets_an_answer_that_is_e164_or_a_reason(written: str, region: str) -> None:
    match normalise(written, region):
        case Phone(number=number):
            assert E164.fullmatch(number)
            assert normalise(number, "US") == Phone(number)
        case NotPhone(said=said):
            assert said


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True), st.sampled_from([" ", "-", "", " - "]))
def test_spelling_makes_no_difference(number: str, gap: str) -> None:
    spelled = number[:3] + gap + gap.join(number[i : i + 3] for i in range(3, len(number), 3))
    assert normalise(spelled, "US") == normalise(number, "US")


SHAPES = [
    *("+{0}{1}{2}", "+{0} {1} {2}", "{0}{1}{2}", "{1}{2}", "({1}) {2}", "0{1}-{2}", "00{0}{1}.{2}", "011 {0} {1} {2}"),
    *("8{1}{2}", "{1}"),
]
COUNTRIES = ["US", "CA", "PR", "DO", "JM", "BB", "AG", "RU", "KZ", "FR", "GB", "DE", "AU", "CH", "UA", "IT", "BR", "SG", "JP"]


def read_by_the_plans(written: str, region: str) -> str | None:
    """The E.164 form of a number of ten digits or more, by the library alone."""
    try:
        read = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.number_type(read) in (phonenumbers.PhoneNumberType.UNKNOWN, phonenumbers.PhoneNumberType.PREMIUM_RATE):
        return None
    number = phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164)
    return number if E164.fullmatch(number) else None


@given(
    st.sampled_from(COUNTRIES), st.sampled_from(COUNTRIES), st.sampled_from(range(11)), st.text("0123456789", max_size=6),
    st.integers(0, 6), st.sampled_from(SHAPES), st.lists(st.text("0123456789", min_size=4, max_size=4), min_size=1, max_size=4),
)  # fmt: skip
@settings(max_examples=1500)
def test_the_numbers_of_a_block_are_read_as_each_by_itself(
    home: str, region: str, kind: int, drawn: str, at: int, shape: str, ends: list[str]
) -> None:
    example = phonenumbers.example_number_for_type(home, kind)
    if example is None:
        return
    national = phonenumbers.national_significant_number(example)
    national = national[:at] + drawn + national[at + len(drawn) :]
    for end in ends:
        written = shape.format(example.country_code, national[:-4], end)
        if sum(map(str.isdigit, written)) < 10:
            continue
        match normalise(written, region):
            case Phone(number=number, telling=telling):
                assert number == read_by_the_plans(written, region)
                assert locate(None, None, number, telling) == locate(None, None, number)
            case NotPhone():
                assert read_by_the_plans(written, region) is None


@pytest.mark.parametrize(
    ("country", "blocks"), [("US", True), ("RU", True), ("FR", True), ("JM", False), ("GB", False), ("DE", False), ("BR", False)]
)
def test_a_plan_that_tells_its_last_digits_apart_has_no_blocks(country: str, blocks: bool) -> None:
    example = phonenumbers.example_number(country)
    assert example is not None
    assert is_block(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164), country) == blocks


def test_a_refusal_names_the_field_and_never_the_number() -> None:
    with pytest.raises(Invalid) as refused:
        phone_of("+1 415 555 26712 3456", "US", "phoneSecondary")
    assert refused.value.fields == {"phoneSecondary": [phone.TOO_LONG.said]}
    assert "415" not in str(refused.value)


def test_regions_are_countries_with_a_number_plan() -> None:
    assert phone.is_region("DE")
    assert not phone.is_region("XX")
    assert not phone.is_region("de")


@pytest.mark.parametrize(
    "written", ["+1 415 555 2671", "+39 06 1234 5678", "+44 7911 123456", "+7 916 123-45-67", "+80012345678"]
)
def test_it_says_which_digits_tell_its_zones(written: str) -> None:
    found = normalise(written, "US")
    assert isinstance(found, Phone)
    assert locate(None, None, found.number, found.telling) == locate(None, None, found.number)
