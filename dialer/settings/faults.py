"""What is wrong with a configuration, in words an operator can act on.

Owns the wording. Promises one fault per mistake, each naming where it stands, and no value of a secret in any of them.
Decides nothing about what is valid: that is the model's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake: the file or environment variable it stands in, the setting, what is wrong, and what to do."""

    source: str
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.source}: {self.key}" if self.key else self.source
        return f"{where} {self.problem}; {self.remedy}"


class ConfigFaults(Exception):
    """The configuration has faults; `faults` holds all of them, what could not be read first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def nearest(word: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    """The known word that was probably meant, or an empty string. `cutoff` is how alike they must be, 0 to 1."""
    return next(iter(get_close_matches(word, known, n=1, cutoff=cutoff)), "")


def shown(value: object) -> str:
    """A value as a fault may quote it. Long text is left out: it may be a secret that was put under the wrong key."""
    if isinstance(value, int | float) or (isinstance(value, str) and re.fullmatch(r"[\w.,:-]{1,12}", value)):
        return f"{value!r} "
    return ""


_KINDS = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "path_type": "a path",
}


def words(error: dict[str, Any], field: FieldInfo | None) -> tuple[str, str]:
    """Problem and remedy for one of pydantic's errors; `field` is the setting it is about, None for a table or unknown."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        problem, _, remedy = str(context["error"]).partition("; ")
        return problem, remedy
    if kind in ("greater_than_equal", "greater_than", "less_than_equal"):
        return f"{shown(error['input'])}is out of range", f"write a number {_range(field)}"
    if kind == "literal_error":
        return f"{shown(error['input'])}is not one of the choices", f"write {context['expected']}"
    if kind == "missing":
        return "is missing", "add it to this table"
    if kind in ("model_type", "mapping_type", "dict_type"):
        return "is not a table", "write it as a [section] with its keys below"
    if kind in ("string_too_short", "string_too_long", "string_pattern_mismatch"):
        return (
            f"{shown(error['input'])}is not a name we can use",
            "write lower-case letters, digits, single underscores or hyphens",
        )
    wanted = _KINDS.get(kind)
    if wanted is None:
        return "is not valid", "see config.example.toml for what it takes"
    return f"{shown(error['input'])}is not {wanted}", f"write {wanted}{_example(field)}"


def _range(field: FieldInfo | None) -> str:
    bounds = {"ge": "from {}", "gt": "above {}", "le": "up to {}"}
    found = [
        text.format(getattr(mark, name))
        for name, text in bounds.items()
        for mark in (field.metadata if field else ())
        if getattr(mark, name, None) is not None
    ]
    return " ".join(found)


def _example(field: FieldInfo | None) -> str:
    default = field.default if field else None
    return f", for example {default!r}" if isinstance(default, int | float | str) else ""
