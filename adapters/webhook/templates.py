"""Templates of what is sent: data with holes, filled with values and never made by joining text that could be read as more. Pure.

In a body a text is either as it stands or one hole alone, `"{to}"`, which becomes the value in its own type. In an address a
value is quoted; in a header only what is ours is filled in. `{{…}}` is the provider's own and sent as it stands.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

from adapters.base import Call

_HOLE = re.compile(r"(?<!\{)\{([^{}]*)\}(?!\})")

OF_A_CALL: Mapping[str, Callable[[Call], Any]] = {
    "attempt": lambda call: call.attempt,
    "to": lambda call: call.to,
    "to.digits": lambda call: call.to.lstrip("+"),
    "caller_id": lambda call: call.caller_id,
    "caller_id.digits": lambda call: call.caller_id.lstrip("+"),
    "voice": lambda call: call.voice,
    "ring": lambda call: call.ring,
    "ring.milliseconds": lambda call: call.ring * 1000,
    "limit": lambda call: call.limit,
    "limit.minutes": lambda call: math.ceil(call.limit / 60),
    "limit.milliseconds": lambda call: call.limit * 1000,
    "not_after": lambda call: call.not_after.isoformat(),
    "not_after.seconds": lambda call: int(call.not_after.timestamp()),
    "not_after.milliseconds": lambda call: int(call.not_after.timestamp() * 1000),
    "labels": lambda call: dict(call.labels),
    "variables": lambda call: dict(call.variables),
}
"""What a hole may ask of a call, besides `callback_url`, `labels.NAME` and `variables.NAME`. Seconds where no unit is named."""
CALLBACK_URL = "callback_url"
_ANY = ("labels.", "variables.")


@dataclass(frozen=True, slots=True)
class Hole:
    """A place for a value."""

    name: str


Template: TypeAlias = Any
"""JSON with a `Hole` here and there."""
Values: TypeAlias = Callable[[str], Any]
"""From a hole's name to what goes in."""


def values_of(call: Call, callback_url: str) -> Values:
    """What the holes of a placement are filled with. A label or variable that the call does not have is null."""

    def value(name: str) -> Any:
        if name == CALLBACK_URL:
            return callback_url
        if name in OF_A_CALL:
            return OF_A_CALL[name](call)
        of, _, which = name.partition(".")
        return (call.labels if of == "labels" else call.variables).get(which)

    return value


def may_ask(name: str) -> bool:
    """Whether a placement's body may have a hole of that name."""
    return name == CALLBACK_URL or name in OF_A_CALL or any(name.startswith(each) and name != each for each in _ANY)


def template(given: Any, allowed: Callable[[str], bool]) -> Template:
    """`given` with its holes found. Raises `ValueError` with problem and remedy, and quotes no value."""
    if isinstance(given, Mapping):
        return {str(name): template(each, allowed) for name, each in given.items()}
    if isinstance(given, list | tuple):
        return [template(each, allowed) for each in given]
    if isinstance(given, str):
        return _text(given, allowed)
    if given is None or isinstance(given, bool | int) or (isinstance(given, float) and math.isfinite(given)):
        return given
    raise ValueError("holds what JSON cannot (a date, or no finite number); write it as text")


def _text(given: str, allowed: Callable[[str], bool]) -> str | Hole:
    found = _HOLE.findall(given)
    if not found:
        return given
    if not all(map(allowed, found)):
        raise ValueError("has a placeholder that there is not; use one of adapters/README.md, and {{…}} for the provider's own")
    if len(found) > 1 or given != f"{{{found[0]}}}":
        raise ValueError('joins a placeholder with other text; let it stand alone, like "{to}"')
    return Hole(found[0])


def holes(filled: Template) -> Iterator[str]:
    """The names of all holes."""
    if isinstance(filled, Hole):
        yield filled.name
    elif isinstance(filled, Mapping | list):
        for each in filled.values() if isinstance(filled, Mapping) else filled:
            yield from holes(each)


def as_json(filled: Template, values: Values) -> Any:
    """The body as JSON values."""
    if isinstance(filled, Hole):
        return _plain(values(filled.name))
    if isinstance(filled, Mapping):
        return {name: as_json(each, values) for name, each in filled.items()}
    return [as_json(each, values) for each in filled] if isinstance(filled, list) else filled


def as_form(filled: Mapping[str, Template], values: Values) -> list[tuple[str, str]]:
    """The body as fields of a form: a list repeats its field, null is an empty one, and what is no text is written as JSON."""
    fields = []
    for name, each in filled.items():
        for one in each if isinstance(each, list) else [each]:
            value = as_json(one, values)
            fields.append((name, value if isinstance(value, str) else "" if value is None else json.dumps(value)))
    return fields


def _plain(value: Any) -> Any:
    """What JSON can hold of it; text without halves of characters, which no form can."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_plain(str(name)): _plain(each) for name, each in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _plain(str(value))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text with holes, for an address or a header."""

    text: str

    @property
    def holes(self) -> frozenset[str]:
        return frozenset(_HOLE.findall(self.text))

    def address(self, values: Mapping[str, str]) -> str:
        """Filled with values that are quoted, so that each stays one segment or one value of the query."""
        return _HOLE.sub(lambda hole: quote(values[hole[1]], safe=""), self.text)

    def header(self, values: Mapping[str, str]) -> str:
        return _HOLE.sub(lambda hole: values[hole[1]], self.text)


def line(text: str, allowed: Collection[str], *, address: bool) -> Line:
    """Raises `ValueError` with problem and remedy."""
    found = Line(text)
    if not found.holes <= set(allowed):
        names = " and ".join(f"{{{each}}}" for each in allowed) or "none"
        raise ValueError(f"has a placeholder that may not stand here; there may be {names}")
    if address and re.fullmatch(r"/[!$-~]*|", text) is None:
        raise ValueError("not the path of an address; write it like /v1/calls, without spaces and #")
    if not address and re.fullmatch(r"[ -~]+", text) is None:
        raise ValueError("not the value of a header; write it in printable ASCII")
    return found
