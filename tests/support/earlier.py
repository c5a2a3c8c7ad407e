"""The version before the last change of the schema, taken out of the project's history, to be run beside this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SCHEMA = "dialer/store/migrations/versions"


class NoHistory(Exception):
    """The project's history is not here (no git, an export, a shallow clone)."""


def earlier(directory: Path) -> Path:
    """Put that version's code into `directory`, and return it. Raises NoHistory."""
    # One that was only mended since (a migration is, until its release) would hardly differ.
    added = _git("log", "-1", "--diff-filter=A", "--format=%H", "--", SCHEMA).decode().strip()
    if not added:
        raise NoHistory("no commit that adds to the schema")
    packed = _git("archive", f"{added}^", "dialer", "scheduler", "adapters")
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-x", "-C", str(directory)], input=packed, check=True)
    found = subprocess.run(
        [sys.executable, "-c", "import dialer; print(dialer.__file__)"],
        env={**os.environ, **running(directory)}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert found.startswith(str(directory)), f"another version would run: {found}"
    return directory


def running(code: Path) -> Mapping[str, str]:
    """The environment in which Python takes the code of this directory, wherever it is started."""
    return {"PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"}


def _git(*arguments: str) -> bytes:
    try:
        return subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as fault:
        raise NoHistory(f"git {arguments[0]} is not possible here: {type(fault).__name__}") from None
