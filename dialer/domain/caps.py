"""`frequencyCaps`, as campaigns and teams write them: names of presets, or objects.

Owns the spelling; what a cap means is `scheduler.frequency`. Answered as they were sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
    model_validator,
)

from scheduler.frequency import PRESETS, Counts, FrequencyCap, Per

MOST_CAPS = 20
LONGEST_HOURS = 8784
"""A leap year."""


def _count(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("is no number")
    return value


class Cap(BaseModel):
    """`hours` 1–8784 on end hold at most `calls` (1–1000) to one number or person; beyond that nobody calls."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls: Annotated[int, Field(ge=1, le=1000), BeforeValidator(_count)]
    hours: Annotated[int, Field(ge=1, le=LONGEST_HOURS), BeforeValidator(_count)]
    per: Per
    counts: Counts = "attempts"
    _preset: str | None = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _from_name(cls, given: Any, read: ModelWrapValidatorHandler[Cap]) -> Cap:
        if isinstance(given, Mapping | cls):
            return read(given)
        if not isinstance(given, str) or given not in PRESETS:
            raise ValueError(f"is no cap; send {', '.join(PRESETS)}, or an object with calls, hours, per and counts")
        first = PRESETS[given][0]
        made = read({"calls": first.calls, "hours": first.hours, "per": first.per, "counts": first.counts})
        made._preset = given
        return made

    @model_serializer(mode="wrap")
    def _as_sent(self, write: SerializerFunctionWrapHandler) -> Any:
        return write(self) if self._preset is None else self._preset

    def caps(self, origin: str) -> tuple[FrequencyCap, ...]:
        """What is kept, with `origin` as who says so."""
        if self._preset is not None:
            return tuple(replace(cap, rule=f"{origin}: {cap.rule}") for cap in PRESETS[self._preset])
        return (FrequencyCap(self.calls, self.hours, self.per, self.counts, origin),)


Caps: TypeAlias = Annotated[tuple[Cap, ...], Field(max_length=MOST_CAPS)]
_LIST: TypeAdapter[tuple[Cap, ...]] = TypeAdapter(Caps)


def caps_of(written: Any, origin: str) -> tuple[FrequencyCap, ...]:
    """The caps that a list says, as `origin` ("campaign", "team") has it. Raises ValueError (pydantic's)."""
    return flat(_LIST.validate_python(written), origin)


def flat(caps: Iterable[Cap], origin: str) -> tuple[FrequencyCap, ...]:
    return tuple(each for cap in caps for each in cap.caps(origin))


def as_kept(written: Any) -> list[Any]:
    """The list in the form in which it is stored. Raises ValueError (pydantic's)."""
    kept: list[Any] = _LIST.dump_python(_LIST.validate_python(written), mode="json")
    return kept
