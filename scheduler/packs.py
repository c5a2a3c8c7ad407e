"""Policy packs as they are written: TOML files, into values, or what is wrong with them.

Owns the spelling; what a pack means is `scheduler.policies`. Promises that nothing in a file is passed over: what is not
understood is a fault that names file, field and remedy."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar

from scheduler.frequency import FrequencyCap
from scheduler.holidays import Calendar
from scheduler.places import calling_code, is_subdivision
from scheduler.policies import UNKEPT, Pack, Rule, label
from scheduler.windows import CallWindow, Hours

T = TypeVar("T")

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NO_TABLES: Final[Sequence[Mapping[str, Any]]] = ()
NO_REGIONS: Final[tuple[str, ...]] = ()
ANY_TIME: Final[tuple[Hours, ...]] = (Hours(0, 86_400),)
MOST_CALLS: Final = 1000
MOST_HOURS: Final = 8760
"""A year."""

_ID: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_WORD: Final = re.compile(r"[\w.+-]{1,40}")


@dataclass(frozen=True, slots=True)
class PackFault:
    """One mistake: the file, the field (rules count from 1), what is wrong, and what to do."""

    file: str
    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.field} {self.problem}; {self.remedy}".replace(":  ", ": ")


class _Wrong(Exception):
    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


@cache
def shipped() -> tuple[Pack, ...]:
    """The packs that come with this version."""
    texts = sorted((each.name, each.read_text(encoding="utf-8")) for each in files("scheduler").joinpath("policies").iterdir())
    found = [read_pack(name, text) for name, text in texts if name.endswith(".toml")]
    faults = [fault for _, faults in found for fault in faults]
    assert not faults, faults
    return tuple(pack for pack, _ in found if pack is not None)


def read_folder(folder: Path) -> tuple[tuple[Pack, ...], list[PackFault]]:
    """The packs of every .toml file of a folder, and all that is wrong with them."""
    try:
        paths = sorted(each for each in folder.iterdir() if each.suffix == ".toml")
    except OSError as fault:
        return (), [PackFault(str(folder), "", f"cannot be read ({fault.strerror})", "name a folder that holds policy packs")]
    packs: list[Pack] = []
    faults: list[PackFault] = []
    taken = {(pack.id, pack.version): "the dialer itself" for pack in shipped()}
    for path in paths:
        try:
            text = path.read_bytes().decode()
        except OSError as fault:
            faults.append(PackFault(str(path), "", f"cannot be read ({fault.strerror})", "check its permissions"))
            continue
        except UnicodeDecodeError:
            faults.append(PackFault(str(path), "", "is not UTF-8 text", "save the file as UTF-8"))
            continue
        pack, wrong = read_pack(str(path), text)
        faults += wrong
        if pack is not None:
            if (holder := taken.setdefault((pack.id, pack.version), str(path))) != str(path):
                remedy = "give each version of a pack a name of its own"
                faults.append(PackFault(str(path), "version", f"{pack.id}/{pack.version} is also in {holder}", remedy))
            packs.append(pack)
    return tuple(packs), faults


def read_pack(file: str, text: str) -> tuple[Pack | None, list[PackFault]]:
    """The pack that a file holds, or None and what is wrong with it."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        return None, [PackFault(file, "", f"is not valid TOML: {fault}", "mend that line")]
    read = _Reading(file)
    table = _Table(read, "", data, ("id", "version", "effective_from", "source", "rules"))
    id = table.need("id", _id, "")
    version = table.need("version", _word, "")
    starts = table.need("effective_from", _date, date.max)
    source = table.need("source", _text, "")
    rules = table.need("rules", _tables, NO_TABLES)
    made = [_rule(_Table(read, f"rules[{n}].", rule, _RULE), id, version) for n, rule in enumerate(rules, start=1)]
    for n, rule in enumerate(made, start=1):
        if rule.name in [each.name for each in made[: n - 1]]:
            read.wrong(f"rules[{n}].name", "is that of a rule before", "give each rule a name of its own")
    return (None if read.faults else Pack(id, version, starts, source, tuple(made))), read.faults


_RULE: Final = ("name", "regions", "hours", "days", "holidays", "caps", "source")
_CAP: Final = ("calls", "hours", "per", "counts")


class _Reading:
    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[PackFault] = []

    def wrong(self, field: str, problem: str, remedy: str) -> None:
        self.faults.append(PackFault(self.file, field, problem, remedy))


class _Table:
    """One table of the file, whose fields are asked for one by one."""

    def __init__(self, read: _Reading, at: str, data: Mapping[str, Any], known: Sequence[str]) -> None:
        self.read, self.at, self._data = read, at, data
        for name in data:
            if name not in known:
                read.wrong(at + name, "is not a field of a policy pack", f"remove it; here belong {', '.join(known)}")

    def need(self, name: str, judge: Callable[[Any], T], otherwise: T) -> T:
        if name not in self._data:
            self.read.wrong(self.at + name, "is missing", "add it")
            return otherwise
        return self.get(name, judge, otherwise)

    def get(self, name: str, judge: Callable[[Any], T], otherwise: T) -> T:
        if name not in self._data:
            return otherwise
        try:
            return judge(self._data[name])
        except _Wrong as wrong:
            self.read.wrong(self.at + name, wrong.problem, wrong.remedy)
        return otherwise

    def has(self, *names: str) -> bool:
        return any(name in self._data for name in names)


def _rule(table: _Table, id: str, version: str) -> Rule:
    name = table.get("name", _word, "")
    regions = table.need("regions", _regions, NO_REGIONS)
    hours = table.get("hours", _hours, ANY_TIME)
    days = table.get("days", _days, frozenset(range(7)))
    calendar = table.get("holidays", _calendar, None)
    table.get("source", _text, "")
    caps = tuple(
        _cap(_Table(table.read, f"{table.at}caps[{n}].", each, _CAP), label(id, version, name))
        for n, each in enumerate(table.get("caps", _tables, NO_TABLES), start=1)
    )
    window = None
    if table.has("hours", "days", "holidays"):
        window = CallWindow(tuple(hours if day in days else () for day in range(7)), calendar)
    elif not table.has("caps"):
        table.read.wrong(table.at.rstrip("."), "has neither hours, days or holidays nor caps", "say what it demands")
    return Rule(name, regions, window, caps)


def _cap(table: _Table, rule: str) -> FrequencyCap:
    return FrequencyCap(
        table.need("calls", _whole(MOST_CALLS), 1),
        table.need("hours", _whole(MOST_HOURS), 1),
        table.need("per", _one_of("number", "person"), "person"),
        table.need("counts", _one_of("attempts", "conversations"), "attempts"),
        rule,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong("is not text", "say in quotes where the rule is written")
    return value.strip()


def _word(value: Any) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise _Wrong("is not a short name", 'write letters, digits and dashes in quotes, such as "2024-06"')
    return value


def _id(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 40 or not _ID.fullmatch(value):
        raise _Wrong("is not an id", 'write lower-case letters, digits and dashes in quotes, such as "us-states"')
    if value in UNKEPT:
        raise _Wrong(f"{value} {UNKEPT[value]}, which this version does not do", "give the pack another id")
    return value


def _date(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _Wrong("is not a date", "write it without quotes, such as 2024-06-01")
    return value


def _tables(value: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
        raise _Wrong("is not a list of tables", "write one [[rules]] for each rule, and caps = [{ … }]")
    return value


def _texts(value: Any, example: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise _Wrong("is not a list of texts", f"write it as {example}")
    return value


def _regions(value: Any) -> tuple[str, ...]:
    for region in (texts := _texts(value, '["US-AL"]')):
        if not (is_subdivision(region) or (_COUNTRY.fullmatch(region) and calling_code(region))):
            remedy = 'write codes of ISO 3166-1 or 3166-2 such as "US" or "US-AL"'
            raise _Wrong(f"{region!r} is no country and no part of one", remedy)
    return tuple(dict.fromkeys(texts))


def _hours(value: Any) -> tuple[Hours, ...]:
    found = []
    for text in _texts(value, '["08:00-20:00"]'):
        start, dash, end = text.partition("-")
        try:
            found.append(Hours.parse(start.strip(), end.strip()))
        except ValueError as fault:
            said = str(fault) if dash else f"{text!r} has no end"
            raise _Wrong(said.partition("; ")[0], 'write start and end as "08:00-20:00"') from None
    return tuple(found)


def _days(value: Any) -> frozenset[int]:
    texts = _texts(value, '["monday", "tuesday"]')
    if unknown := [text for text in texts if text not in DAYS]:
        raise _Wrong(f"{unknown[0]!r} is no day of the week", f"write {', '.join(DAYS)}")
    return frozenset(DAYS.index(text) for text in texts)


def _calendar(value: Any) -> Calendar:
    if not isinstance(value, str):
        raise _Wrong("is no country", 'write "US" or "US-AL"')
    country, _, part = value.partition("-")
    try:
        return Calendar(country, part or None)
    except ValueError as fault:
        problem, _, remedy = str(fault).partition("; ")
        raise _Wrong(problem, remedy) from None


def _whole(most: int) -> Callable[[Any], int]:
    def judge(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise _Wrong("is out of range", f"write a whole number from 1 up to {most}")
        return value

    return judge


def _one_of(*choices: T) -> Callable[[Any], T]:
    def judge(value: Any) -> T:
        if value not in choices:
            raise _Wrong("is not one of the choices", f"write {' or '.join(map(repr, choices))}")
        return choices[choices.index(value)]

    return judge
