"""The table of the chaos runs keeps the rows of those that did not run."""

from __future__ import annotations

from pathlib import Path

from tests.system.frame import Found, Row, Scenario, Task, cannot, row
from tests.system.results import COLUMNS, WHOLE, merge, whole


async def nothing(task: Task) -> list[Row]:
    return []


def scenario(number: int) -> Scenario:
    return Scenario(number, f"thing {number}", "does", "passes", nothing)


def found(**changes: object) -> Found:
    sound = {
        "dials": 100, "duplicates": 0, "lost": 0, "over_cap": 0, "outside_window": 0, "leaked": 0, "unresolved": 0,
        "unclear_seconds": 1.0, "seconds": 5.0, "broken": (), "recoveries": (1.0, 2.0, 3.0),
    }  # fmt: skip
    return Found(**{**sound, **changes})  # type: ignore[arg-type]


def table(path: Path) -> list[list[str]]:
    lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_a_run_replaces_its_own_rows_and_sorts(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    first, second = scenario(1), scenario(20)
    merge([row(second, "", found(), kills=3, passed=True)], "run 1", path)
    merge([row(first, case, found(), kills=1, passed=True) for case in ("K10", "K2")], "run 2", path)
    merge([row(first, "K2", found(dials=7), kills=1, passed=False, notes="a | b")], "run 3", path)
    rows = table(path)
    assert [(cells[0], cells[1], cells[-2], cells[-1]) for cells in rows] == [
        ("1 K2: thing 1", "7", "run 3", "fail"),
        ("1 K10: thing 1", "100", "run 2", "pass"),
        ("20: thing 20", "100", "run 1", "pass"),
    ]
    assert {len(cells) for cells in rows} == {len(COLUMNS)}
    assert rows[0][7:10] == ["3.0 s", "3.0 s", "a / b"]


def test_what_the_last_run_of_everything_came_to_stays_below_the_rows_of_later_ones(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    one = [row(scenario(1), "", found(), kills=0, passed=True)]
    merge(one, "run 1", path)
    whole("0 of 1 rows passed in 7 min.", "run 1", path)
    whole("1 of 1 rows passed in 9 min.", "run 2", path)
    merge(one, "run 3", path)
    lines = path.read_text().splitlines()
    assert [line for line in lines if line.startswith(WHOLE)] == lines[-1:] == [f"{WHOLE} (run 2): 1 of 1 rows passed in 9 min."]
    assert [cells[-2] for cells in table(path)] == ["run 3"] and lines.count("# Broken on purpose") == 1


def test_what_cannot_be_produced_here_is_a_row_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    merge([cannot(scenario(9), "no file system with a limit")], "run", path)
    [cells] = table(path)
    assert cells[0] == "9: thing 9" and cells[9] == "cannot be produced here: no file system with a limit" and cells[-1] == "fail"
    assert len(cells) == len(COLUMNS)


def test_one_broken_law_is_enough() -> None:
    assert found().lawful
    for bad in ("duplicates", "lost", "over_cap", "outside_window", "leaked", "unresolved"):
        assert not found(**{bad: 1}).lawful
    assert not found(broken=("a slot leaked",)).lawful and not found(dials=0).lawful
