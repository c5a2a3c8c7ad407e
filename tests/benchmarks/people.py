"""A list of people who do not exist, as CSV, the same for the same seed, and what an import has to find in it."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEADER: Final = ("First Name", "Last Name", "E-Mail", "Phone", "Company", "Job Title", "Time Zone", "Do Not Call", "Tags")
GARBAGE: Final = 0.1
REPEATED: Final = 0.02

_SYLLABLES: Final = (
    "ba", "bel", "cor", "da", "den", "el", "fi", "gar", "hen", "is", "jo", "ka", "lin", "mar", "no", "ol", "pe", "ri", "sa",
    "tor", "ul", "va", "wen", "ya", "zo", "ström", "é",
)  # fmt: skip
_AREAS: Final = (
    201, 202, 205, 206, 212, 213, 214, 215, 301, 303, 305, 312, 313, 314, 315, 401, 402, 404, 405, 407, 408, 410, 412, 413, 414,
    415, 501, 502, 503, 504, 505, 508, 512, 513, 602, 603, 605, 606, 612, 702,
)  # fmt: skip
_FORMS: Final = ("+1{0}{1}{2:04}", "({0}) {1}-{2:04}", "{0}-{1}-{2:04}", "+1 {0} {1} {2:04}", "1{0}{1}{2:04}")
_EXCHANGES: Final = 600
_STEP: Final = 104_729
"""A prime that divides no number of numbers there are: so the n-th number is nobody else's."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the file holds: `rows` = `good` + `garbage` + `repeated`, and its size in bytes."""

    rows: int
    good: int
    garbage: int
    repeated: int
    size: int


def make(path: Path, rows: int, seed: int) -> Made:
    """Write the list. A tenth of its rows is garbage of ten kinds, one in fifty repeats a number from further up."""
    chance = random.Random(seed)
    good = garbage = repeated = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file).writerow
        write(HEADER)
        for _ in range(rows):
            drawn = chance.random()
            if drawn < GARBAGE:
                write(_spoilt(_person(chance, _number(chance, chance.randrange(10**8))), garbage))
                garbage += 1
            elif good and drawn < GARBAGE + REPEATED:
                write(_person(chance, _number(chance, chance.randrange(good))))
                repeated += 1
            else:
                write(_person(chance, _number(chance, good)))
                good += 1
    return Made(rows, good, garbage, repeated, path.stat().st_size)


def _number(chance: random.Random, n: int) -> str:
    """The n-th number, in one of the forms that people write."""
    drawn = n * _STEP % (len(_AREAS) * _EXCHANGES * 10_000)
    rest, line = divmod(drawn, 10_000)
    area, exchange = divmod(rest, _EXCHANGES)
    return chance.choice(_FORMS).format(_AREAS[area], 220 + exchange, line)


def _word(chance: random.Random) -> str:
    return "".join(chance.choices(_SYLLABLES, k=chance.choice((2, 2, 3)))).title()


def _person(chance: random.Random, number: str) -> list[str]:
    first, last = _word(chance), _word(chance)
    email = f"{first}.{last}{chance.randrange(1000)}@example.com".lower() if chance.random() < 0.6 else ""
    company = f"Company {chance.randrange(3000)}" if chance.random() < 0.3 else ""
    zone = chance.choice(("America/New_York", "America/Denver")) if chance.random() < 0.1 else ""
    return [first, last, email, number, company, "Buyer", zone, "yes" if chance.random() < 0.02 else "", "list;cold"]


def _spoilt(person: list[str], kind: int) -> list[str]:
    first, last, email, number, *others = person
    return list(_kinds(first, last, email, number, others))[kind % 10]


def _kinds(first: str, last: str, email: str, number: str, others: list[str]) -> Iterator[list[str]]:
    company, job, zone, stop, tags = others
    yield ["", last, email, number, *others]
    yield [first, " ", email, number, *others]
    yield [first, last, "nobody", number, *others]
    yield [first, last, email, "911", *others]
    yield [first, last, email, "+1900" + number[-1] + "551234", *others]
    yield [first, last, email, "12", *others]
    yield [first, last, email, "call me", *others]
    yield [first, last, email, number, company, job, "Mars/Olympus", stop, tags]
    yield [first, last, email, number, company, job, zone, "perhaps", tags]
    yield [first, last, email, number, *others, "one", "more"]
