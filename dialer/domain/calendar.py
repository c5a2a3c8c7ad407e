"""`holidayCalendar`, as campaigns write it: "US", "US-AL", or an object with days of one's own.

Owns the spelling; what a calendar means is `scheduler.holidays`. Answered as it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from scheduler.holidays import Calendar

MOST_DATES = 1000
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _day(text: Any) -> date:
    try:
        if isinstance(text, str) and DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is not a date; write it as YYYY-MM-DD, such as 2026-12-24")


NONE = BeforeValidator(lambda value: () if value is None else value)
Days = Annotated[tuple[Annotated[date, BeforeValidator(_day)], ...], Field(max_length=MOST_DATES), NONE]


class HolidayCalendar(BaseModel):
    """`dates` are shut as well as the country's holidays; `open` are not, although the country keeps them. `subdivision` with the
    country in front of it ("US-AL") or without ("AL")."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    country: str | None = None
    subdivision: str | None = None
    dates: Days = ()
    open: Days = ()
    _text: str | None = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _from_text(cls, given: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(given, str):
            if not isinstance(given, Mapping | cls):
                raise ValueError('is no calendar; send "US", "US-AL", or an object with country, subdivision, dates and open')
            return read(given)
        country, dash, subdivision = given.partition("-")
        made = read({"country": country, "subdivision": subdivision} if dash else {"country": country})
        made._text = given
        return made

    @model_validator(mode="after")
    def _known(self) -> Self:
        self.calendar()
        return self

    @model_serializer(mode="wrap")
    def _as_sent(self, write: SerializerFunctionWrapHandler) -> Any:
        return write(self) if self._text is None else self._text

    def calendar(self) -> Calendar:
        """What the windows read. Raises ValueError."""
        part = self.subdivision and self.subdivision.removeprefix(f"{self.country}-")
        return Calendar(self.country, part, frozenset(self.dates), frozenset(self.open))
