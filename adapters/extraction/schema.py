"""The JSON schema of the answer: for each field null, or an object of value, quote and confidence; pure.

It keeps to what strict structured output allows everywhere: every property required, nothing additional, no ranges and no
formats, which are judged when the answer is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.extraction.fields import Field, Kind

MOST_FIELDS: Final = 50
"""Of one question; four times as many properties."""
MOST_OPTIONS: Final = 500
LONGEST_OPTIONS: Final = 15_000
"""Options and their characters, all fields of a question together. OpenAI takes 1,000 of them, and 15,000 characters of a field
with more than 250 (its guide to structured outputs)."""

_FORMS: Final[Mapping[Kind, str]] = {
    Kind.DATE: " Written like 2026-03-31.",
    Kind.DATETIME: " Written with its offset from UTC, like 2026-03-31T09:00:00+02:00.",
}


def questions(fields: Sequence[Field]) -> Sequence[Mapping[str, Field]]:
    """The fields by the names of their properties, divided into as many questions as they need."""
    found: list[dict[str, Field]] = []
    options = characters = 0
    for each in fields:
        more = sum(map(len, each.options))
        full = options + len(each.options) > MOST_OPTIONS or characters + more > LONGEST_OPTIONS
        if not found or len(found[-1]) == MOST_FIELDS or (full and options):
            found.append({})
            options = characters = 0
        options, characters = options + len(each.options), characters + more
        found[-1][_property(each.name, found[-1])] = each
    return found


def schema(asked: Mapping[str, Field]) -> dict[str, Any]:
    """The schema of the answer to one question."""
    return _object(
        {name: {"description": _meaning(field), "anyOf": [_found(field), {"type": "null"}]} for name, field in asked.items()}
    )


def _property(name: str, taken: Mapping[str, Field]) -> str:
    """A name that every endpoint takes: letters, digits and underscores."""
    base = re.sub(r"[^A-Za-z0-9_]", "_", name)[:48]
    found, n = base, 1
    while found in taken:
        n += 1
        found = f"{base}_{n}"
    return found


def _meaning(field: Field) -> str:
    return field.meaning + _FORMS.get(field.kind, "")


def _found(field: Field) -> dict[str, Any]:
    return _object({
        "value": _value(field),
        "quote": {"type": "string", "description": "The words of the transcript that say so, copied exactly."},
        "confidence": {"type": "number", "description": "How sure this is, from 0 to 1."},
    })  # fmt: skip


def _value(field: Field) -> dict[str, Any]:
    match field.kind:
        case Kind.NUMBER:
            return {"type": "number"}
        case Kind.BOOLEAN:
            return {"type": "boolean"}
        case Kind.SELECT:
            return {"type": "string", "enum": list(field.options)}
        case Kind.MULTI_SELECT:
            return {"type": "array", "items": {"type": "string", "enum": list(field.options)}}
        case _:
            return {"type": "string"}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
