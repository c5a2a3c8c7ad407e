"""The shapes of requests and answers: what every body, query and envelope has in common.

Requests are camelCase, snake_case is understood too, and an unknown field is an error that names it. Answers are snake_case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import Request
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from dialer.domain.cursor import LONGEST, After, Order
from dialer.domain.errors import Invalid

MOST_JSON = 65_536
"""Characters that one free JSON object (custom fields, settings) may have when written down."""

DEEPEST_JSON = 16

DIGITS = re.compile(r"-?[0-9]{1,19}", re.ASCII)


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("contains a NUL character; remove it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid Unicode (half of a surrogate pair); send the whole character") from None
    return text


def _storable_json(value: dict[str, Any]) -> dict[str, Any]:
    def depth(part: Any, level: int) -> None:
        if level > DEEPEST_JSON:
            raise ValueError(f"is nested deeper than {DEEPEST_JSON} levels; flatten it")
        for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            depth(inner, level + 1)

    depth(value, 0)
    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise ValueError("contains a number that is not finite; write it as text") from None
    _storable(written)
    if "\\u0000" in written:
        raise ValueError("contains a NUL character; remove it")
    if len(written) > MOST_JSON:
        raise ValueError(f"is {len(written)} characters long when written as JSON; {MOST_JSON} are allowed")
    return value


def _plain_digits(value: object) -> object:
    """The parser behind would also read `5.0`, `1_0` and ` 5`."""
    if isinstance(value, str) and not DIGITS.fullmatch(value):
        raise ValueError("must be a whole number written in digits")
    return value


Line: TypeAlias = Annotated[str, StringConstraints(max_length=500), AfterValidator(_storable)]
"""A short text; may be empty."""
Name: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True),
    AfterValidator(_storable),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"\S"}),
]
"""A short text that says something."""
Prose: TypeAlias = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(_storable)]
JsonObject: TypeAlias = Annotated[dict[str, Any], AfterValidator(_storable_json)]
Count: TypeAlias = Annotated[int, Field(ge=1, le=2_147_483_647)]
"""A positive number that fits the ledger."""
PLAIN = BeforeValidator(_plain_digits)
"""For a whole number in a query string; stands after its bounds, or the document would not tell them."""
Id: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_storable)]

OMITTED: Any = Field(default_factory=lambda: None)
"""The default of a field that a partial update may leave out but not set to null: `name: Name = OMITTED`."""

LIMIT_DEFAULT = 50
LIMIT_MOST = 500


class Asked(BaseModel):
    """What any request sends."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    def given(self, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The fields that were sent, null ones too, under their snake_case names."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set - without}


class Body(Asked):
    """A JSON body: numbers and flags are not read out of texts. JSON knows one kind of number, so 3.0 is the whole number 3."""

    model_config = ConfigDict(strict=True)

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, sent: object) -> object:
        if not isinstance(sent, dict):
            return sent
        return {name: int(v) if isinstance(v, float) and v.is_integer() else v for name, v in sent.items()}


class Query(Asked):
    """The parameters of a query string."""


def each_once(request: Request) -> None:
    """For all routes: no parameter is given twice. Whichever of the two were taken, somebody meant the other. Raises Invalid."""
    names = [name for name, _ in request.query_params.multi_items()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Invalid(dict.fromkeys(twice, "is given more than once; send it once"))


class Paging(Query):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=LIMIT_MOST), PLAIN] = LIMIT_DEFAULT
    offset: Annotated[int, Field(ge=0, le=2_147_483_647), PLAIN] = 0
    cursor: Annotated[str, Field(max_length=LONGEST)] | None = Field(
        default=None, description="The `next_cursor` of the page before, instead of an offset: as quick however deep"
    )

    def after(self, order: Order) -> After | None:
        """The place the page begins behind. Raises Invalid."""
        if self.cursor is None:
            return None
        if "offset" in self.model_fields_set:
            raise Invalid({"cursor": "cannot be sent together with offset; send one of them"})
        return order.after(self.cursor)

    def page(self, order: Order, rows: Sequence[Mapping[str, Any]], count: int) -> dict[str, Any]:
        """The envelope of the part that was found."""
        seen_all = len(rows) < self.limit or (self.cursor is None and self.offset + len(rows) >= count)
        following = None if seen_all else order.cursor(rows[-1])
        return {"count": count, "limit": self.limit, "offset": self.offset, "next_cursor": following}


class PageQuery(Paging):
    """The parameters of every list of a team."""

    team_id: Id


class Record(BaseModel):
    """A part of an answer, read from anything that has the attributes. Exactly its fields are sent, all of them."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
        json_schema_extra={"additionalProperties": False},
    )


Reason: TypeAlias = Literal[
    "window", "next_attempt", "callback", "no_free_slot", "rate", "do_not_call", "suppressed", "no_phone", "never_callable",
    "frequency_cap", "number_busy", "caller_ids_exhausted", "trunk_breaker", "trunk_config", "run_limit", "paused", "not_started",
    "expired", "attempts_exhausted", "quarantined",
]  # fmt: skip
"""Why somebody is not being called."""


class WaitingFor(Record):
    """What stands between a campaign or a contact and its next call; `until` null: until somebody changes something, or a call
    ends. `rule`, where several could be the reason: `campaign`, a policy pack's, with its version, or a frequency cap."""

    reason: Reason
    until: datetime | None
    rule: str | None = Field(default=None, exclude_if=lambda value: value is None)


class Answer(Record):
    """What every successful answer begins with."""

    success: Literal[True] = True


class Page(Answer):
    """A list's envelope; `count` is the number of all that match, before paging."""

    count: int
    limit: int
    offset: int
    next_cursor: str | None = Field(default=None, description="For the next page as `cursor`; null when there is none")
