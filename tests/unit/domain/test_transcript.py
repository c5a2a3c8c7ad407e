"""What a transcript is asked for: what calls may fill, and the carrier said nothing about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.extraction.fields import Kind as Asked
from dialer.domain import email
from dialer.domain.custom_field import CustomField, Kind
from dialer.domain.extracted import LEADS
from dialer.domain.transcript import LONGEST_MEANING, Definition, Outcome, wanted

DEFINED = [
    Definition(CustomField("colour", Kind.SELECT, ("red", "blue")), "Colour", "Of the car."),
    Definition(CustomField("notes", Kind.TEXT), "Notes", "x" * 5000),
    Definition(CustomField("size", Kind.NUMBER), "Size"),
]
STANDARD = ["email", "jobTitle", "leadStatus"]


def names(told: list[Mapping[str, Any]], *, anew: bool = False) -> list[str] | Outcome:
    found = wanted(DEFINED, told, anew=anew)
    return found if isinstance(found, Outcome) else [each.name for each in found]


def test_all_that_a_call_may_write_is_asked_for_in_the_teams_words() -> None:
    found = wanted(DEFINED, [], anew=False)
    assert not isinstance(found, Outcome)
    assert [each.name for each in found] == [*STANDARD, "colour", "notes", "size"]
    by_name = {each.name: each for each in found}
    assert (by_name["colour"].kind, by_name["colour"].options) == (Asked.SELECT, ("red", "blue"))
    assert by_name["colour"].meaning == "Colour. Of the car." and by_name["size"].meaning == "Size."
    assert by_name["leadStatus"].options == LEADS and len(by_name["notes"].meaning) == LONGEST_MEANING


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("size", 41, None),
        ("size", "forty-one", "must be a number such as 12.5"),
        ("colour", "green", "must be one of red, blue"),
        ("email", "none", email.UNFIT),
        ("email", 5, "must be a text"),
        ("leadStatus", "customer", "must be one of qualified, unqualified, converted"),
        ("leadStatus", "Converted", None),
    ],
)
def test_a_value_is_judged_as_whatever_a_call_tells(name: str, value: Any, fault: str | None) -> None:
    found = wanted(DEFINED, [], anew=False)
    assert not isinstance(found, Outcome)
    said = next(each for each in found if each.name == name).fault(value)
    assert said is None if fault is None else said == fault


def test_a_team_that_lets_calls_fill_nothing_is_not_asked_about() -> None:
    assert wanted([], [], anew=False) is wanted([], [], anew=True) is Outcome.NOTHING


@pytest.mark.parametrize("told", [{"size": 41}, {"size": {"value": "41", "quote": "q"}}, {"job_title": "Admiral"}])
def test_the_carriers_own_word_comes_first(told: dict[str, Any]) -> None:
    assert names([{}, told]) is Outcome.PROVIDER
    left = names([told], anew=True)
    assert isinstance(left, list) and len(left) == 5 and not {"size", "jobTitle"} <= set(left)


@pytest.mark.parametrize("told", [{}, {"size": None}, {"size": "big"}, {"odd": 1, "phone": "+4930"}, {"email": ""}])
def test_a_word_that_fits_no_field_is_none(told: dict[str, Any]) -> None:
    assert isinstance(names([told]), list)


def test_where_the_carrier_said_all_nothing_is_left_to_ask() -> None:
    told = {"size": 1, "colour": "red", "notes": "n", "email": "a@example.com", "jobTitle": "j", "leadStatus": "qualified"}
    assert names([told], anew=True) is Outcome.PROVIDER


def test_a_key_that_means_a_standard_field_is_asked_for_once() -> None:
    found = wanted([*DEFINED, Definition(CustomField("email", Kind.NUMBER), "Mails")], [], anew=False)
    assert not isinstance(found, Outcome)
    assert [each.kind for each in found if each.name == "email"] == [Asked.TEXT]


keys = st.sampled_from(["email", "jobTitle", "job_title", "lead_status", "size", "colour", "notes", "phone", "doNotCall", "odd"])
values = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.sampled_from(["red", "a@example.com", "qualified", [], {}]))


@given(st.lists(st.dictionaries(keys, values, max_size=4), max_size=3), st.booleans())
def test_only_what_a_call_may_write_is_ever_asked_for(told: list[Mapping[str, Any]], anew: bool) -> None:
    found = names(told, anew=anew)
    assert isinstance(found, Outcome) or set(found) <= {*STANDARD, "colour", "notes", "size"}
    assert anew or found is Outcome.PROVIDER or len(found) == 6
