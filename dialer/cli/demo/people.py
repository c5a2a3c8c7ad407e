"""Contacts for a demo of any size: valid numbers of many countries, the same for the same seed. Nobody owns them."""

from __future__ import annotations

import csv
from pathlib import Path
from random import Random

HEADER = ("First Name", "Last Name", "Phone", "Email", "Company", "Time zone", "Do not call")

_GIVEN = (
    "Ada",
    "Benoît",
    "Chloé",
    "Dmitri",
    "Élodie",
    "Faisal",
    "Grace",
    "Hiroshi",
    "Ingrid",
    "João",
    "Katarzyna",
    "Liam",
    "Mei",
)
_FAMILY = (
    "Andersson",
    "Brown",
    "Çelik",
    "Dvořák",
    "Eriksen",
    "Fernández",
    "García",
    "Haddad",
    "Ivanova",
    "Jørgensen",
    "Kowalski",
    "Lee",
)
_COMPANIES = ("Northwind", "Contoso", "Fabrikam", "Tailspin", "Wingtip", "Litware", "")
_US_AREAS = (212, 213, 214, 303, 305, 312, 404, 415, 503, 512, 602, 617, 702, 713, 720, 801, 808, 901, 919, 972)


def write(path: Path, count: int, seed: int) -> None:
    """A CSV of `count` contacts with different numbers; two in a hundred said no."""
    from phonenumbers import is_valid_number, parse

    chance = Random(seed)
    seen: set[str] = set()
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(HEADER)
        while len(seen) < count:
            number = _number(chance)
            if number in seen or not is_valid_number(parse(number)):
                continue
            seen.add(number)
            given, family = chance.choice(_GIVEN), chance.choice(_FAMILY)
            said_no = "yes" if chance.random() < 0.02 else ""
            mail = f"contact{len(seen)}@example.com"
            rows.writerow((given, f"{family} {len(seen)}", number, mail, chance.choice(_COMPANIES), "", said_no))


def _number(chance: Random) -> str:
    match chance.randrange(4):
        case 0:
            return f"+1{chance.choice(_US_AREAS)}{chance.randrange(200, 999)}{chance.randrange(10000):04}"
        case 1:
            return f"+4915{chance.randrange(1, 8)}{chance.randrange(10**8):08}"
        case 2:
            return f"+447{chance.randrange(4, 10)}{chance.randrange(10**8):08}"
        case _:
            return f"+336{chance.randrange(10**8):08}"
