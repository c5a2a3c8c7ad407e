"""Our own Python files, for tests that read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("dialer", "scheduler", "adapters")


def python_files(*folders: str) -> Iterator[Path]:
    """Every Python file below the folders, with its path from the project's root."""
    for folder in folders:
        yield from (path.relative_to(PROJECT) for path in sorted((PROJECT / folder).rglob("*.py")))
