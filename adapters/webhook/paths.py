"""Where a value stands in a provider's JSON: `a.b[0].c`, and nothing more. Pure.

A name is of letters, digits, `_` and `-`; `[0]` counts from the first. No wildcards, no filters: a path names one value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"\.?([\w-]+)|\[(\d{1,4})\]")
_PATH = re.compile(r"([\w-]+|\[\d{1,4}\])(\.[\w-]+|\[\d{1,4}\])*")
_NOTHING = frozenset({"", "false", "no", "null", "none"})


@dataclass(frozen=True, slots=True)
class Path:
    """The steps from the whole document to one value: names of an object, places in a list."""

    steps: tuple[str | int, ...]

    def read(self, document: Any) -> Any:
        """What stands there; None where nothing does, or null."""
        found = document
        for step in self.steps:
            if isinstance(step, int):
                found = found[step] if isinstance(found, list) and step < len(found) else None
            else:
                found = found.get(step) if isinstance(found, Mapping) else None
        return found


def parse(text: str) -> Path:
    """Raises `ValueError` for what is no path."""
    if _PATH.fullmatch(text) is None:
        raise ValueError("not a path; write it like data.calls[0].id")
    return Path(tuple(int(place) if place else name for name, place in _STEP.findall(text)))


def word(path: Path | None, document: Any) -> str:
    """The text, number or truth value that stands there, as text; "" for anything else."""
    found = path.read(document) if path else None
    if isinstance(found, bool):
        return str(found).lower()
    return str(found) if isinstance(found, str | int | float) else ""


def truth(path: Path, document: Any) -> bool:
    """Whether it is told, and neither nought nor a no: true, a time, a duration."""
    found = path.read(document)
    if isinstance(found, Mapping | list):
        return bool(found)
    said = word(path, document).strip().lower()
    digits = re.findall("[0-9]", said)  # 00:00:00 and 0s are nought, too
    return any(digit != "0" for digit in digits) if digits else said not in _NOTHING


def whole(path: Path | None, document: Any, low: int, high: int) -> int | None:
    """The whole number from `low` to `high` that stands there, also as text."""
    said = word(path, document).strip()
    return int(said) if re.fullmatch(r"\d{1,4}", said, re.ASCII) and low <= int(said) <= high else None
