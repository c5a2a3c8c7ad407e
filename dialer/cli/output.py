"""How commands answer: one JSON object on request, otherwise text for people."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dialer.cli.context import Failed

PIPE_COLUMNS = 1000


def _text(value: Any, precision: str = "seconds") -> str:
    """Times as the API writes them."""
    if isinstance(value, datetime):
        return value.isoformat(timespec=precision).replace("+00:00", "Z")
    return str(value)


def print_json(value: Any) -> None:
    print(json.dumps(value, default=lambda each: _text(each, "auto"), ensure_ascii=False))


def print_fields(fields: Mapping[str, Any]) -> None:
    """One `name  value` line each; empty values are left out."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        if value is not None:
            print(f"{name.replace('_', ' '):<{width}}  {_text(value)}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in columns:
        numbers = all(isinstance(row[columns.index(column)], int | float) for row in rows) and bool(rows)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else _text(value) for value in row))
    # Whatever reads a pipe gets each row on one line.
    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)
    if title is not None:
        console.print(title, style="italic", highlight=False)  # not the table's own, which would be no wider than its columns
    console.print(table)


def progress_over(size: int, position: Callable[[], int], unit: str, *, silent: bool) -> Callable[[int], None] | None:
    """Something that is told how many `unit` are done, and shows a bar of how far `position` has come in `size` bytes. None when
    nobody looks."""
    if silent or not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.fields[done]}"), TimeElapsedColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    bar = progress.add_task("", total=size, done="")
    progress.start()

    def show(done: int) -> None:
        at = position()
        progress.update(bar, completed=at, done=f"{done:,} {unit}")
        if at >= size:
            progress.stop()

    return show


async def write_csv(pieces: AsyncIterator[str], output: Path | None) -> int:
    """Write the pieces of a CSV file as they come; how many rows there were below the header."""
    rows = -1
    try:
        target = sys.stdout if output is None else output.open("w", encoding="utf-8", newline="")
    except OSError as fault:
        raise Failed(f"{output}: cannot be written ({fault.strerror})") from None
    try:
        async for piece in pieces:
            rows += sum(1 for _ in csv.reader(piece.splitlines(keepends=True)))
            target.write(piece)
        target.flush()
    finally:
        if output is not None:
            target.close()
    return rows


def say_written(rows: int, output: Path | None, json: bool) -> None:
    """What became of it, where the CSV itself is not the answer."""
    if output is None:
        return
    if json:
        print_json({"file": str(output), "rows": rows})
    else:
        print(f"{rows} rows written to {output}")
