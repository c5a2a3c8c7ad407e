"""Cells of the CSV files we hand out, and the lines they make.

A spreadsheet runs what begins with = + - @ (tab, CR and LF before it are passed over): such a cell gets an apostrophe in front.
Numbers in E.164 are the one exception, as they are: a plus and digits is no formula, and whoever reads the file by program
wants the number.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from dialer.domain.phone import E164

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + cell if cell.startswith(_FORMULA) else cell


def cell(value: Any) -> str:
    """A value of ours: times as the API writes them, objects as JSON, nothing for null."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case str():
            return value if E164.fullmatch(value) else harmless(value)
    return harmless(json.dumps(value, ensure_ascii=False))


def line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def lines(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
