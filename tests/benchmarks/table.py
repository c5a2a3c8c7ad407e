"""How a measurement is told: target, measured, pass or fail."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    target: str
    measured: str
    passed: bool


def at_most(what: str, limit: float, measured: float | None, unit: str = "") -> Row:
    shown = "not measurable" if measured is None else f"{measured:.4g}{unit}"
    return Row(what, f"≤ {limit:g}{unit}", shown, measured is not None and measured <= limit)


def at_least(what: str, limit: float, measured: float | None, unit: str = "") -> Row:
    shown = "not measurable" if measured is None else f"{measured:.4g}{unit}"
    return Row(what, f"≥ {limit:g}{unit}", shown, measured is not None and measured >= limit)


def exactly(what: str, wanted: object, measured: object) -> Row:
    return Row(what, str(wanted), str(measured), wanted == measured)


def markdown(rows: Sequence[Row]) -> str:
    lines = ["| what | target | measured | |", "|---|---|---|---|"]
    lines += [f"| {r.what} | {r.target} | {r.measured} | {'pass' if r.passed else 'fail'} |" for r in rows]
    return "\n".join(lines)


def write(command: str, rows: Sequence[Row]) -> None:
    """Make RESULTS.md anew."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    machine = f"{platform.machine()}, {_cores()} cores, Python {platform.python_version()}"
    RESULTS.write_text(f"# Measured\n\n`{command}` at {commit} on {machine}.\n\n{markdown(rows)}\n", encoding="utf-8")


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0))
