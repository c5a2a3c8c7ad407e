"""What a custom field may hold, by its definition; pure. Keys that nobody defined are free."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

YES: Final = frozenset({"yes", "true", "1", "x", "y", "t", "on", "ja", "oui", "si", "sí"})
NO: Final = frozenset({"no", "false", "0", "n", "f", "off", "nein", "non"})
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?")
SHOWN: Final = 10
"""How many options a sentence names."""


class Kind(StrEnum):
    """`date` is 2026-03-31, `datetime` has a zone; `select` is one of the options, `multi_select` a list of some."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    SELECT = "select"
    MULTI_SELECT = "multi_select"


CHOICES: Final = frozenset({Kind.SELECT, Kind.MULTI_SELECT})


@dataclass(frozen=True, slots=True)
class CustomField:
    key: str
    kind: Kind
    options: tuple[str, ...] = ()

    def fault(self, value: Any) -> str | None:
        """What is wrong with a value, with the remedy; null is right everywhere: it says nothing."""
        if value is None:
            return None
        match self.kind:
            case Kind.TEXT:
                return None if isinstance(value, str) else "must be a text"
            case Kind.NUMBER:
                return None if isinstance(value, int | float) and not isinstance(value, bool) else "must be a number such as 12.5"
            case Kind.BOOLEAN:
                return None if isinstance(value, bool) else "must be true or false"
            case Kind.DATE:
                return None if isinstance(value, str) and _is_date(value) else "must be a date such as 2026-03-31"
            case Kind.DATETIME:
                good = isinstance(value, str) and _is_instant(value)
                return None if good else "must be a time with its zone such as 2026-03-31T09:00:00Z"
            case Kind.SELECT:
                return None if isinstance(value, str) and value in self.options else f"must be one of {self._named()}"
            case Kind.MULTI_SELECT:
                listed = isinstance(value, list) and all(isinstance(each, str) and each in self.options for each in value)
                return None if listed else f"must be a list of some of {self._named()}"

    def read(self, text: str) -> Any:
        """The value that a cell of a file stands for: `multi_select` is divided by semicolons. Raises ValueError with what is
        wrong."""
        value: Any = text
        match self.kind:
            case Kind.NUMBER:
                value = _number(text)
            case Kind.BOOLEAN:
                value = True if text.casefold() in YES else False if text.casefold() in NO else text
            case Kind.MULTI_SELECT:
                value = list(dict.fromkeys(part.strip() for part in text.split(";") if part.strip()))
        if fault := self.fault(value):
            raise ValueError(fault)
        return value

    def _named(self) -> str:
        more = f" and {len(self.options) - SHOWN} more" if len(self.options) > SHOWN else ""
        return ", ".join(self.options[:SHOWN]) + more


def faults(fields: Iterable[CustomField], values: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with a contact's custom fields: `customFields.<key>` → what."""
    found = ((field.key, field.fault(values.get(field.key))) for field in fields)
    return {f"customFields.{key}": said for key, said in found if said is not None}


def _number(text: str) -> Any:
    """What is no finite number comes back as it is."""
    if _WHOLE.fullmatch(text):
        return int(text)
    value = float(text) if _DECIMAL.fullmatch(text) else math.inf
    return value if math.isfinite(value) else text


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
