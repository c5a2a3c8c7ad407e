"""The table of the chaos runs, and the file it is kept in: a run of some scenarios replaces their rows only."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.system.frame import Row, Table

RESULTS = Path(__file__).parent / "RESULTS.md"
COUNTS = ("dials", "kills", "duplicates", "lost", "over the cap", "outside window")
COLUMNS = ("scenario", *COUNTS, "p95 recovery", "worst recovery", "notes", "run", "")
HEAD = """# Broken on purpose

`make chaos` runs real processes on real stores, harms them, and asks the simulated carrier's journal and the database what became
of it (`tests/system/frame.py` says how). `make chaos ARGS="1 4"` runs some scenarios anew and replaces their rows.

- duplicates: calls of one attempt twice, of one person at once, after an attempt was taken back though the carrier had its call,
  and of people who had been reached already
- lost: contacts that are neither done nor waiting when everything is quiet
- over the cap: the carrier's most live calls at once of the campaign, beyond its cap
- recovery: from a kill until every slot whose call was not up had its next dial; p95 over the kills

"""

CHAOS = Table(RESULTS, COLUMNS, HEAD)
WHOLE = "The last run of everything"


def line(row: Row, run: str) -> str:
    cells = (*row.cells, run, "pass" if row.passed else "fail")
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def heading(table: Table = CHAOS) -> str:
    return f"| {' | '.join(table.columns)} |\n|{'---|' * len(table.columns)}"


def run_of(arguments: Sequence[str], seed: int) -> str:
    """The command, the seed and the commit, for a row."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    asked = f' ARGS="{" ".join(arguments)}"' if arguments else ""
    return f"`make chaos{asked}`, seed {seed}, {commit or 'no commit'}"


def merge(rows: Iterable[Row], run: str, path: Path | None = None, table: Table = CHAOS) -> None:
    """Replace the rows of these cases in the table's file (or another), and sort."""
    path = path or table.path
    kept: dict[tuple[int, int, str], str] = {}
    told = ""
    for old in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        if found := re.match(r"\| (\d+) ?([^:]*):", old):
            kept[_order(int(found[1]), found[2])] = old
        elif old.startswith(WHOLE):
            told = f"\n{old}\n"
    kept |= {_order(row.number, row.case): line(row, run) for row in rows}
    lines = "\n".join(kept[key] for key in sorted(kept))
    path.write_text(f"{table.head}{heading(table)}\n{lines}\n{told}", encoding="utf-8")


def whole(sentence: str, run: str, path: Path = RESULTS) -> None:
    """Replace what the file tells of the last run of everything."""
    kept = [old for old in path.read_text(encoding="utf-8").splitlines() if old and not old.startswith(WHOLE)]
    table = next(index for index, old in enumerate(kept) if old.startswith("| scenario"))
    rows = "\n".join(kept[table:])
    path.write_text(f"{HEAD}{rows}\n\n{WHOLE} ({run}): {sentence}\n", encoding="utf-8")


def _order(number: int, case: str) -> tuple[int, int, str]:
    digits = re.search(r"\d+", case)
    return number, int(digits[0]) if digits else 0, case
