"""What the transcript of a call is asked for; pure.

The carrier's own extraction comes first: where it brought a value for any of the fields, nothing is asked. Who asks anew, because
definitions have changed since, asks for all that the carrier left open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from adapters.extraction.fields import Field, Kind
from dialer.domain import extracted
from dialer.domain.custom_field import CustomField
from dialer.domain.extracted import CUSTOM, LEADS, STANDARD

LONGEST_MEANING: Final = 1_000
"""Characters of a description that the question repeats."""


class Outcome(StrEnum):
    """What became of a transcript. PROVIDER: the carrier extracted itself. NOTHING: there is nothing to ask, or nobody to write
    it to. SUPERSEDED: a later transcript of the call took its place. GIVEN_UP: the endpoint failed too often. EXPIRED: it
    waited too long."""

    DONE = "done"
    PROVIDER = "provider"
    NOTHING = "nothing"
    SUPERSEDED = "superseded"
    GIVEN_UP = "given_up"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Definition:
    """A custom field that calls may fill, in the team's words."""

    field: CustomField
    label: str
    description: str | None = None


_MEANINGS: Final[Mapping[str, str]] = {
    "email": "The e-mail address of the person who was called, written as an address.",
    "jobTitle": "The job title of the person who was called.",
    "leadStatus": "qualified: interested, and able to decide or to be called again for it. unqualified: not interested, or not "
    "the right person. converted: has agreed or bought in this call.",
}


def wanted(definitions: Sequence[Definition], told: Sequence[Mapping[str, Any]], *, anew: bool) -> list[Field] | Outcome:
    """What to ask for, or why nothing: `told` is what the carrier extracted, in parts; `anew`: somebody asked for it."""
    fields = {each.field.key: each.field for each in definitions}
    if not fields:
        return Outcome.NOTHING
    have = {field for part in told for field in extracted.filled(part, fields)}
    asked = [_standard(name, fields) for name in STANDARD.values()]
    asked += [_custom(each, fields) for each in definitions if extracted.meant(each.field.key, fields) == CUSTOM + each.field.key]
    left = [each for each in asked if extracted.meant(each.name, fields) not in have]
    return left if left and (anew or len(left) == len(asked)) else Outcome.PROVIDER


def _standard(name: str, fields: Mapping[str, CustomField]) -> Field:
    kind, options = (Kind.SELECT, LEADS) if name == STANDARD["lead_status"] else (Kind.TEXT, ())
    return Field(name, kind, _MEANINGS[name], partial(_fault, name, fields), options)


def _custom(definition: Definition, fields: Mapping[str, CustomField]) -> Field:
    own = definition.field
    meaning = f"{definition.label}. {definition.description or ''}".strip()[:LONGEST_MEANING]
    return Field(own.key, Kind(own.kind.value), meaning, partial(_fault, own.key, fields), own.options)


def _fault(name: str, fields: Mapping[str, CustomField], value: Any) -> str | None:
    return extracted.fault(name, value, fields)
