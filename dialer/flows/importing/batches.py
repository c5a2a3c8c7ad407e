"""The records of a file as batches that Postgres can copy as they are. Pure; works the same in this process and in another.

Whoever hands batches on touches no row any more: a batch is two texts in the format of COPY and a few counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from dialer.flows.importing.options import ERRORS_TOLD, RowError
from dialer.flows.importing.rows import Reader
from dialer.store.imports import Rejected, Staged
from scheduler.places import Place

BATCH: Final = 5_000
"""Rows that are read and written together."""

Records: TypeAlias = Iterator[tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class Batch:
    """`rows` of the file, `failed` of which are in `rejected` and the others in `staged`, both as COPY reads them. `places` are
    those that came up first in this batch, with their numbers; `errors` the first of the rejected rows."""

    rows: int
    failed: int
    places: dict[Place, int]
    errors: list[RowError]
    staged: bytes
    rejected: bytes


def batches(records: Records, reader: Reader) -> Iterator[Batch]:
    known = 0
    while rows := [reader.read(row, cells) for row, cells in islice(records, BATCH)]:
        bad = [row for row in rows if isinstance(row, Rejected)]
        yield Batch(
            rows=len(rows),
            failed=len(bad),
            places=dict(islice(reader.places.items(), known, None)),
            errors=[RowError(each.row_number, each.field, each.message) for each in bad[:ERRORS_TOLD]],
            staged=_text(_staged(row) for row in rows if isinstance(row, Staged)),
            rejected=_text(map(_rejected, bad)),
        )
        known = len(reader.places)


# No cell has a NUL, which would have refused the file: so it can part the cells until those are escaped.
_PART: Final = "\0"
_SPECIAL: Final = re.compile(r"[\\\t\n\r]")
_ESCAPED: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _text(lines: Iterable[str]) -> bytes:
    escaped = [line.translate(_ESCAPED) if _SPECIAL.search(line) else line for line in lines]
    return "".join([line.replace(_PART, "\t") + "\n" for line in escaped]).encode()


def _staged(row: Staged) -> str:
    return _PART.join(["" if cell is None else str(cell) for cell in row])


def _rejected(row: Rejected) -> str:
    quoted = ",".join('"' + cell.replace("\\", "\\\\").replace('"', '\\"') + '"' for cell in row.cells)
    return _PART.join([str(row.row_number), row.field, row.message, "{" + quoted + "}"])
