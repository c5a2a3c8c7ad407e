"""What is asked for, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

Fault: TypeAlias = Callable[[Any], str | None]
"""What is wrong with a value, with the remedy and without the value; None: it fits."""


class Kind(StrEnum):
    """`date` is 2026-03-31, `datetime` has a zone; `select` is one of the options, `multi_select` a list of some."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    SELECT = "select"
    MULTI_SELECT = "multi_select"


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `meaning` says what belongs into it; `fault` judges values, whatever the schema promised."""

    name: str
    kind: Kind
    meaning: str
    fault: Fault
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A value that fits, the words it rests on, which stand in the transcript, and how sure the model says it is, 0 to 1."""

    value: Any
    quote: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Extraction:
    """By the names of fields: what was found, and why something that was answered is not among it."""

    found: Mapping[str, Found] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
