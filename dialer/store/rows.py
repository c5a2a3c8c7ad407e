"""What a reading answers with: plain dictionaries, column name → value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import Result

Row: TypeAlias = Mapping[str, Any]


def all_rows(found: Result[Any]) -> list[Row]:
    return [row._asdict() for row in found]


def one_row(found: Result[Any]) -> Row:
    """Raises `sqlalchemy.exc.NoResultFound` where there is none."""
    return found.one()._asdict()


def row_or_none(found: Result[Any]) -> Row | None:
    row = found.one_or_none()
    return None if row is None else row._asdict()
