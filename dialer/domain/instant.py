"""A moment as people write it: ISO 8601 with its offset from UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

ISO_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}.*", re.ASCII)


def _text_of_time(value: object) -> object:
    if not isinstance(value, datetime) and not (isinstance(value, str) and ISO_INSTANT.fullmatch(value)):
        raise ValueError("must be a text such as 2026-03-01T09:00:00Z")
    return value


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("has no time zone; write it as UTC such as 2026-03-01T09:00:00Z")
    if not 1970 <= at.year <= 9998:
        raise ValueError("must lie between the years 1970 and 9998")
    return at.astimezone(UTC)


Instant: TypeAlias = Annotated[datetime, Field(strict=False), BeforeValidator(_text_of_time), AfterValidator(_utc)]
"""A moment in ISO 8601 with its offset; UTC once read."""
