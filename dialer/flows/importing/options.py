"""What somebody wants of an import, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

DuplicateMode: TypeAlias = Literal["skip", "update", "replace"]

ERRORS_TOLD = 100
"""How many rejected rows a result tells; all of them are in the rejects of its batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """`column_mapping` None = guessed from the header.

    A duplicate is a row whose number the team has already, or had further up in the file; without a number, one with the same
    names and email. `update` overwrites with what is not empty, `replace` with everything. Neither takes a do-not-call back.
    """

    column_mapping: Mapping[str, str | None] | None = None
    auto_create_companies: bool = False
    default_company_id: str | None = None
    duplicate_mode: DuplicateMode = "skip"
    dry_run: bool = False
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class RowError:
    """`row` counts from 1, the header, as a spreadsheet does; `field` is spelled as in requests."""

    row: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """total = imported + updated + skipped + failed. `batch_id` None: it was a dry run, nothing is kept."""

    imported: int
    updated: int
    skipped: int
    failed: int
    total: int
    errors: tuple[RowError, ...]
    batch_id: str | None
