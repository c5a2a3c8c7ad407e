"""What a call told of its contact under `extracted`, and which of it is written to the contact; pure.

A field is written where it is empty, or where an earlier call or the same one wrote it last. What somebody else wrote stays as it
is, whenever that was; what somebody emptied after the call had begun stays empty. Of two calls the later one's word holds, of one
call's words the last that fits, in whatever order they arrive; what a call repeats is not judged again.

Standard fields: `email`, `jobTitle`, and `leadStatus`, which only becomes one of `LEADS`. No other one: numbers, zone, region and
the "no" decide whether, where and when a phone rings, and what somebody was heard to say changes none of that.
Custom fields: those that the team has defined as extractable, each by its type.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from dialer.domain import email
from dialer.domain.custom_field import CustomField, Kind

CUSTOM: Final = "customFields."
STANDARD: Final[Mapping[str, str]] = {"email": "email", "job_title": "jobTitle", "lead_status": "leadStatus"}
"""Names, in snake case, of the standard fields that a call may change."""
LEADS: Final = ("qualified", "unqualified", "converted")
FIRST_LEADS: Final = frozenset({"new", "contacted"})
"""What follows from the calls themselves, and says nothing more."""
PROTECTED: Final = frozenset({
    "first_name", "last_name", "phone", "phone_secondary", "company", "company_id", "region", "timezone", "source", "tags",
    "notes", "preferred_contact_method", "do_not_call", "custom_fields", "callback_at",
})  # fmt: skip
"""Names that have another meaning, in snake case. `callback_at` and `do_not_call` of a result are heard elsewhere."""
LONGEST: Final = 500
LONGEST_CUSTOM: Final = 20_000
"""Characters of a text."""


class Verdict(StrEnum):
    """What became of a value. UNCHANGED: the contact had it already, from elsewhere. KEPT: the field holds what no call wrote.
    CLEARED: somebody emptied it after the call had begun. TOLD_LATER: a later word was there first."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    EMPTY = "empty"
    UNKNOWN_FIELD = "unknown_field"
    PROTECTED_FIELD = "protected_field"
    NOT_EXTRACTABLE = "not_extractable"
    UNFIT = "unfit"
    KEPT = "kept"
    CLEARED = "cleared"
    TOLD_LATER = "told_later"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Line:
    """The verdict on one name; `field` is the contact's, None where there is none; `message` says what does not fit, and never
    the value. `verdict` None: not judged yet."""

    name: str
    field: str | None
    verdict: Verdict | None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """What one event told. `values`: name → value, or name → {"value": …} with a quote or a confidence. `lines` None: not judged
    yet. `asked`: the carrier said nothing of it, we asked the transcript; whatever the carrier tells is the later word."""

    event: int
    at: datetime
    values: Mapping[str, Any]
    lines: tuple[Line, ...] | None = None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Wrote:
    """A call wrote the field last."""

    call: str
    began: datetime
    event: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """Somebody emptied it."""

    at: datetime


Mark = Wrote | Cleared


@dataclass(frozen=True, slots=True)
class Call:
    id: str
    began: datetime


@dataclass(frozen=True, slots=True)
class Person:
    """`values` and `marks` by the names of fields: `email`, `customFields.shoe_size`. Fields may be missing in both."""

    values: Mapping[str, Any]
    marks: Mapping[str, Mark] = field(default_factory=dict)
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """`lines` by events, of those that were not judged; `values` is what the contact gets, `marks` what is noted with it."""

    lines: Mapping[int, tuple[Line, ...]]
    values: Mapping[str, Any]
    marks: Mapping[str, Wrote]


@dataclass(frozen=True, slots=True)
class _Fit:
    field: str
    value: Any


def judge(
    call: Call, tellings: Sequence[Telling], person: Person, fields: Mapping[str, CustomField], extractable: Collection[str]
) -> Judgement:
    """Judge what is not judged yet of all that a call told. `fields` are the team's definitions by their keys; `extractable`
    those keys that a call may fill. Raises nothing, whatever was told."""
    order = _in_order(tellings)
    read = [{name: _read(name, _plain(raw), fields, extractable) for name, raw in each.values.items()} for each in order]
    last = {found.field: n for n, names in enumerate(read) for found in names.values() if isinstance(found, _Fit)}
    page = _Page(call, person)
    said: dict[str, tuple[Any, Line]] = {}
    lines: dict[int, tuple[Line, ...]] = {}
    for n, telling in enumerate(order):
        own = telling.lines
        if own is None:
            own = lines[telling.event] = tuple(
                said[name][1]
                if name in said and _repeats(*said[name], telling.values[name])
                else page.judge(name, found, telling.event, late=isinstance(found, _Fit) and last[found.field] > n)
                for name, found in read[n].items()
            )
        said |= {line.name: (telling.values.get(line.name), line) for line in own}
    return Judgement(lines, page.changed, page.noted)


def report(tellings: Sequence[Telling]) -> list[Line]:
    """One line for each name that was told: what became of its last word that said anything."""
    found: dict[str, Line] = {}
    for telling in _in_order(tellings):
        lines = telling.lines if telling.lines is not None else [Line(name, None, None) for name in telling.values]
        found |= {line.name: line for line in lines if line.name not in found or line.verdict is not Verdict.EMPTY}
    return list(found.values())


def fault(name: str, value: Any, fields: Mapping[str, CustomField]) -> str | None:
    """What is wrong with a value for this name, with the remedy and without the value; None: it fits, or says nothing."""
    found = _read(name, _plain(value), fields, fields)
    return found.message if isinstance(found, Line) else None


def meant(name: str, fields: Mapping[str, CustomField]) -> str | None:
    """The contact's field that a call means by this name."""
    found = _read(name, None, fields, fields)
    return found.field


def filled(values: Mapping[str, Any], fields: Mapping[str, CustomField]) -> set[str]:
    """The contact's fields for which something was told that fits."""
    found = (_read(name, _plain(value), fields, fields) for name, value in values.items())
    return {each.field for each in found if isinstance(each, _Fit)}


class _Page:
    """The contact while one call's words are written to it."""

    def __init__(self, call: Call, person: Person) -> None:
        self._call = call
        self._values = dict(person.values)
        self._marks = dict(person.marks)
        self._erased = person.erased
        self.changed: dict[str, Any] = {}
        self.noted: dict[str, Wrote] = {}

    def judge(self, name: str, found: _Fit | Line, event: int, *, late: bool) -> Line:
        if self._erased:
            return Line(name, None, Verdict.ERASED)
        if isinstance(found, Line):
            return found
        return Line(name, found.field, Verdict.TOLD_LATER if late else self._claim(found.field, found.value, event))

    def _claim(self, name: str, value: Any, event: int) -> Verdict:
        current, mark = self._values.get(name), self._marks.get(name)
        same = _same(current, value)
        if isinstance(mark, Wrote):
            if (mark.began, mark.call) > (self._call.began, self._call.id):
                return Verdict.TOLD_LATER
            self._note(name, event)
            if same and mark.call != self._call.id:
                return Verdict.UNCHANGED
        elif not _says_nothing(name, current):
            return Verdict.UNCHANGED if same else Verdict.KEPT
        elif isinstance(mark, Cleared) and mark.at >= self._call.began:
            return Verdict.CLEARED
        else:
            self._note(name, event)
        if not same:
            self._values[name] = self.changed[name] = value
        return Verdict.APPLIED

    def _note(self, name: str, event: int) -> None:
        self._marks[name] = self.noted[name] = Wrote(self._call.id, self._call.began, event)


def _in_order(tellings: Sequence[Telling]) -> list[Telling]:
    return sorted(tellings, key=lambda each: (not each.asked, each.at, each.event))


def _repeats(before: Any, line: Line, raw: Any) -> bool:
    """Whether a word and its verdict are those of before. What was overtaken has to be judged by what overtook it."""
    return _same(before, raw) and line.verdict is not Verdict.TOLD_LATER


def _plain(raw: Any) -> Any:
    value = raw["value"] if isinstance(raw, Mapping) and "value" in raw else raw
    return value.strip() if isinstance(value, str) else value


def _read(name: str, value: Any, fields: Mapping[str, CustomField], extractable: Collection[str]) -> _Fit | Line:
    """Which field the name means and the value as it is kept, or why there is none."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    defined = fields.get(name)
    standard = STANDARD.get(snake)
    if standard is None and defined is None:
        return Line(name, None, Verdict.PROTECTED_FIELD if snake in PROTECTED else Verdict.UNKNOWN_FIELD)
    own = standard or CUSTOM + name
    if standard is None and name not in extractable:
        return Line(name, own, Verdict.NOT_EXTRACTABLE)
    if value in (None, "", []):
        return Line(name, own, Verdict.EMPTY)
    try:
        kept = _custom(defined, value) if standard is None and defined is not None else _standard(own, value)
    except ValueError as fault:
        return Line(name, own, Verdict.UNFIT, str(fault))
    return Line(name, own, Verdict.EMPTY) if kept == [] else _Fit(own, kept)


def _standard(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    if len(value) > LONGEST:
        raise ValueError(f"must have at most {LONGEST} characters")
    if name == STANDARD["email"] and not email.is_email(value):
        raise ValueError(email.UNFIT)
    kept = value.lower() if name == STANDARD["lead_status"] else value
    if name == STANDARD["lead_status"] and kept not in LEADS:
        raise ValueError(f"must be one of {', '.join(LEADS)}")
    return kept


def _custom(defined: CustomField, value: Any) -> Any:
    """A text that stands for another type is read as in a cell of a file."""
    if isinstance(value, str):
        if len(value) > LONGEST_CUSTOM:
            raise ValueError(f"must have at most {LONGEST_CUSTOM} characters")
        return value if defined.kind is Kind.TEXT else defined.read(value)
    if fault := defined.fault(value):
        raise ValueError(fault)
    return list(dict.fromkeys(value)) if isinstance(value, list) else value


def _says_nothing(name: str, value: Any) -> bool:
    return value in (None, "", []) or (name == STANDARD["lead_status"] and value in FIRST_LEADS)


def _same(one: Any, other: Any) -> bool:
    """1 and true are not the same."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
