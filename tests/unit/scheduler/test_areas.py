from __future__ import annotations

import pytest

from scheduler.areas import area_of, nearest


@pytest.mark.parametrize(
    ("number", "area"),
    [
        ("+14155552671", "+1415"),
        ("+16045550123", "+1604"),
        ("+18005551234", "+1800"),
        ("+4930123456", "+4930"),
        ("+498912345678", "+4989"),
        ("+442071234567", "+4420"),
        ("+33142345678", "+331"),
        ("+390612345678", "+3906"),
        ("+81312345678", "+813"),
        ("+5511987654321", "+5511"),
    ],
)
def test_an_area_is_country_code_and_destination_code(number: str, area: str) -> None:
    assert area_of(number) == area


@pytest.mark.parametrize("number", ["", "+", "+1415555", "+86", "4155552671", "+999123456789"])
def test_what_is_no_whole_number_has_no_area(number: str) -> None:
    assert area_of(number) is None


def test_a_number_is_in_the_longest_area_that_it_begins_with() -> None:
    areas = frozenset({"+39", "+3906", "+1415"})
    assert nearest("+390612345678", areas) == "+3906"
    assert nearest("+390212345678", areas) == "+39"
    assert nearest("+14155550123", areas) == "+1415"
    assert nearest("+14165550123", areas) is None
    assert nearest("+390612345678", frozenset()) is None
