"""Live progress in the terminal; silent where standard output is not one or JSON was asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Screen(Protocol):
    def show(self, dashboard: Mapping[str, Any]) -> None:
        """The campaign as its dashboard has it now."""


class Silent:
    def show(self, dashboard: Mapping[str, Any]) -> None:
        """Nobody looks."""


class Lively:
    """A bar of contacts that are done, with calls under way and outcomes beside it."""

    def __init__(self, progress: Any, bar: Any) -> None:
        self._progress = progress
        self._bar = bar

    def show(self, dashboard: Mapping[str, Any]) -> None:
        counts = dashboard["counts"]
        by_status = counts["by_status"]
        done = by_status["completed"] + by_status["failed"] + by_status["skipped"]
        outcomes = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts["by_outcome"].items() if n)
        self._progress.update(
            self._bar,
            completed=done,
            total=counts["total"],
            calling=by_status["calling"] + by_status["queued"],
            outcomes=outcomes,
        )


@contextmanager
def screen(*, silent: bool) -> Iterator[Screen]:
    if silent or not sys.stdout.isatty():
        yield Silent()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    # In a narrow terminal only the outcomes are cut.
    columns = (
        TextColumn("contacts"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[calling]} in a call"),
        TextColumn("[dim]{task.fields[outcomes]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
    )
    with Progress(*columns, expand=True) as progress:
        yield Lively(progress, progress.add_task("", total=None, calling=0, outcomes=""))
