"""What a call told of its contact: what is written, what stays, and that nothing is written twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.domain.custom_field import CustomField, Kind
from dialer.domain.extracted import (
    LEADS,
    PROTECTED,
    Call,
    Cleared,
    Judgement,
    Line,
    Person,
    Telling,
    Verdict,
    Wrote,
    judge,
    report,
)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
CALL, LATER = Call("call_1", NOON), Call("call_2", NOON + timedelta(hours=1))
FIELDS = {
    "size": CustomField("size", Kind.NUMBER),
    "fan": CustomField("fan", Kind.BOOLEAN),
    "colour": CustomField("colour", Kind.SELECT, ("red", "blue")),
    "likes": CustomField("likes", Kind.MULTI_SELECT, ("tea", "rum")),
    "says": CustomField("says", Kind.TEXT),
    "secret": CustomField("secret", Kind.TEXT),
}
MAY = FIELDS.keys() - {"secret"}
NOBODY = Person({"leadStatus": "contacted"})

values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=9), st.lists(st.text(max_size=3)),
    st.sampled_from(["a@b", "red", "Qualified", "yes", "12.5", "tea; rum", ["tea"], "2026-03-31", "dnc", {}, [[]]]),
    st.sampled_from(["a@b", 4, None]).map(lambda value: {"value": value, "quote": "so", "confidence": 0.5}),
)  # fmt: skip
names = st.sampled_from([*FIELDS, "email", "jobTitle", "job_title", "leadStatus", "lead_status", "phone", "doNotCall", "odd", ""])
tellings = st.lists(
    st.builds(lambda at, told: (at, told), st.integers(0, 3), st.dictionaries(names, values, max_size=5)), max_size=5
).map(lambda told: [Telling(n, NOON + timedelta(seconds=at), each) for n, (at, each) in enumerate(told)])
marks = st.one_of(
    st.none(),
    st.builds(Wrote, st.sampled_from(["call_0", "call_1", "call_2"]), st.just(NOON), st.just(-1)),
    st.integers(-1, 1).map(lambda hours: Cleared(NOON + timedelta(hours=hours))),
)
people = st.builds(
    lambda values, marks, erased: Person(values, {name: mark for name, mark in marks.items() if mark is not None}, erased),
    st.fixed_dictionaries({"leadStatus": st.sampled_from(["new", "contacted", "qualified", "dnc", "churned"])}).flatmap(
        lambda known: st.dictionaries(
            st.sampled_from(["email", "jobTitle", "customFields.size", "customFields.says", "customFields.mine"]), values
        ).map(lambda more: {**more, **known})
    ),
    st.dictionaries(st.sampled_from(["email", "jobTitle", "leadStatus", "customFields.size", "customFields.says"]), marks),
    st.sampled_from([False] * 5 + [True]),
)


def told(values: Mapping[str, Any], event: int = 1, second: int = 0) -> Telling:
    return Telling(event, NOON + timedelta(seconds=second), values)


def of(heard: list[Telling], person: Person = NOBODY, call: Call = CALL) -> Judgement:
    return judge(call, heard, person, FIELDS, MAY)


def after(person: Person, done: Judgement) -> Person:
    return replace(person, values={**person.values, **done.values}, marks={**person.marks, **done.marks})


def judged(heard: list[Telling], done: Judgement) -> list[Telling]:
    return [replace(each, lines=done.lines.get(each.event, each.lines)) for each in heard]


@given(tellings, people)
def test_only_what_a_call_may_change_is_changed_and_each_name_has_a_verdict(heard: list[Telling], person: Person) -> None:
    done = of(heard, person)
    assert {event: [line.name for line in lines] for event, lines in done.lines.items()} == {t.event: [*t.values] for t in heard}
    allowed = {"email", "jobTitle", "leadStatus", *(f"customFields.{key}" for key in MAY)}
    applied = {line.field for lines in done.lines.values() for line in lines if line.verdict is Verdict.APPLIED}
    assert done.values.keys() <= allowed & done.marks.keys() & applied
    assert not person.erased or not done.marks
    for name, value in done.values.items():
        assert value not in (None, "", [])
        was, mark = person.values.get(name), person.marks.get(name)
        assert was in (None, "", [], "new", "contacted") or isinstance(mark, Wrote)
        assert not (isinstance(mark, Cleared) and mark.at >= CALL.began)
        assert not (isinstance(mark, Wrote) and mark.call == "call_2")
        assert name != "leadStatus" or value in LEADS
        if name.startswith("customFields."):
            assert FIELDS[name.removeprefix("customFields.")].fault(value) is None


@given(tellings, people)
def test_the_same_told_again_changes_nothing(heard: list[Telling], person: Person) -> None:
    done = of(heard, person)
    person = after(person, done)
    heard = judged(heard, done)
    assert of(heard, person) == Judgement({}, {}, {})


@given(tellings, st.randoms(use_true_random=False))
def test_in_whatever_order_and_parts_it_arrives_it_comes_to_the_same(heard: list[Telling], chance: Any) -> None:
    whole = of(heard)
    shuffled = list(heard)
    chance.shuffle(shuffled)
    person, known = NOBODY, list[Telling]()
    for each in shuffled:
        known = [*known, each]
        done = of(known, person)
        person, known = after(person, done), judged(known, done)
    assert dict(person.values) == {**NOBODY.values, **whole.values}


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("email", " a@b ", "a@b"),
        ("job_title", "Admiral", "Admiral"),
        ("leadStatus", "Qualified", "qualified"),
        ("size", 4, 4),
        ("size", {"value": "4.5", "quote": "four and a half", "confidence": 0.9}, 4.5),
        ("fan", "yes", True),
        ("fan", False, False),
        ("size", 0, 0),
        ("colour", "red", "red"),
        ("likes", ["tea", "tea"], ["tea"]),
        ("likes", "tea; rum", ["tea", "rum"]),
        ("says", "so", "so"),
    ],
)
def test_what_fits_an_empty_field_is_written(name: str, value: Any, kept: Any) -> None:
    done = of([told({name: value})])
    assert list(done.values.values()) == [kept]
    [[line]] = done.lines.values()
    assert (line.verdict, list(done.marks)) == (Verdict.APPLIED, [line.field])


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("email", "none", Verdict.UNFIT),
        ("email", ["a@b"], Verdict.UNFIT),
        ("jobTitle", "x" * 501, Verdict.UNFIT),
        ("leadStatus", "dnc", Verdict.UNFIT),
        ("leadStatus", "new", Verdict.UNFIT),
        ("size", "many", Verdict.UNFIT),
        ("size", True, Verdict.UNFIT),
        ("colour", "green", Verdict.UNFIT),
        ("likes", ["tea", "beer"], Verdict.UNFIT),
        ("says", 5, Verdict.UNFIT),
        ("says", "x" * 20_001, Verdict.UNFIT),
        ("says", " ", Verdict.EMPTY),
        ("likes", ";", Verdict.EMPTY),
        ("size", None, Verdict.EMPTY),
        ("size", {"value": None, "quote": ""}, Verdict.EMPTY),
        ("secret", "x", Verdict.NOT_EXTRACTABLE),
        ("odd", "x", Verdict.UNKNOWN_FIELD),
        *((name, "+4930123456", Verdict.PROTECTED_FIELD) for name in sorted(PROTECTED)),
        *((name, False, Verdict.PROTECTED_FIELD) for name in ("doNotCall", "phoneSecondary", "customFields", "companyId")),
    ],
)
def test_what_does_not_fit_is_listed_and_changes_nothing(name: str, value: Any, verdict: Verdict) -> None:
    done = of([told({name: value})])
    assert (done.values, done.marks) == ({}, {})
    [[line]] = done.lines.values()
    assert line.verdict is verdict
    assert (line.message is not None) == (verdict is Verdict.UNFIT)


def test_a_custom_field_may_have_the_name_of_a_protected_one_and_none_hides_a_standard_one() -> None:
    fields = {key: CustomField(key, Kind.TEXT) for key in ("company", "email")}
    done = judge(CALL, [told({"company": "Navy", "email": "a@b"})], NOBODY, fields, set(fields))
    assert done.values == {"customFields.company": "Navy", "email": "a@b"}


@pytest.mark.parametrize(
    ("person", "verdict"),
    [
        (Person({"email": "x@y"}), Verdict.KEPT),
        (Person({"email": "a@b"}), Verdict.UNCHANGED),
        (Person({}, {"email": Cleared(NOON)}), Verdict.CLEARED),
        (Person({}, {"email": Cleared(NOON - timedelta(seconds=1))}), Verdict.APPLIED),
        (Person({"email": "x@y"}, {"email": Wrote("call_0", NOON - timedelta(days=1), 0)}), Verdict.APPLIED),
        (Person({"email": "a@b"}, {"email": Wrote("call_0", NOON - timedelta(days=1), 0)}), Verdict.UNCHANGED),
        (Person({"email": "a@b"}, {"email": Wrote(LATER.id, LATER.began, 9)}), Verdict.TOLD_LATER),
        (Person({"email": "x@y"}, {"email": Wrote(LATER.id, LATER.began, 9)}), Verdict.TOLD_LATER),
        (Person({}, erased=True), Verdict.ERASED),
    ],
)
def test_who_has_the_better_claim_to_a_field(person: Person, verdict: Verdict) -> None:
    done = of([told({"email": "a@b"})], person)
    assert [line.verdict for lines in done.lines.values() for line in lines] == [verdict]
    assert done.values == ({"email": "a@b"} if verdict is Verdict.APPLIED else {})


@pytest.mark.parametrize(
    ("status", "moves"), [("new", True), ("contacted", True), ("qualified", False), ("dnc", False), ("x", False)]
)
def test_a_lead_status_that_a_person_set_stays(status: str, moves: bool) -> None:
    assert bool(of([told({"leadStatus": "converted"})], Person({"leadStatus": status})).values) is moves


def test_a_later_call_corrects_an_earlier_one_in_whatever_order_they_are_told() -> None:
    calls = [(CALL, [told({"size": 4}, 1)]), (LATER, [told({"size": 5}, 2)])]
    for order in permutations(calls):
        person = NOBODY
        for call, heard in order:
            person = after(person, of(heard, person, call))
        assert person.values["customFields.size"] == 5


def test_what_a_call_repeats_overtakes_no_other_call_and_no_person() -> None:
    first = [told({"size": 4}, 1)]
    first = judged(first, of(first))
    for person in (Person({"customFields.size": 5}), Person({}, {"customFields.size": Cleared(NOON)})):
        again = of([*first, told({"size": 4}, 2, second=9)], person)
        assert (again.values, again.marks) == ({}, {})
        assert again.lines[2] == first[0].lines, "what became of it is told as before"


def test_whatever_the_carrier_tells_is_a_later_word_than_what_was_asked_of_the_transcript() -> None:
    asked = replace(told({"size": 4, "fan": True}, 2, second=9), asked=True)
    carrier = told({"size": 5}, 1)
    for first, second in permutations([asked, carrier]):
        done = of([first])
        person = after(NOBODY, done)
        both = [*judged([first], done), second]
        person = after(person, of(both, person))
        assert (person.values["customFields.size"], person.values["customFields.fan"]) == (5, True)
    assert of([carrier, asked]).values == {"customFields.size": 5, "customFields.fan": True}


def test_the_report_has_a_line_for_each_name_and_the_last_word_counts() -> None:
    heard = [
        told({"size": "many", "fan": True}, 1),
        told({"size": 4, "fan": None}, 2, second=1),
        told({"says": "so"}, 3, second=2),
    ]
    heard = [*judged(heard[:2], of(heard[:2])), heard[2]]
    assert report(heard) == [
        Line("size", "customFields.size", Verdict.APPLIED),
        Line("fan", "customFields.fan", Verdict.APPLIED),
        Line("says", None, None),
    ]
