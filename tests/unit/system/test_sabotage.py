"""Who takes guards away believes only a test that says itself what is not so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.guards import Guard
from tests.system.scenarios.sabotage import Ran, run_tests, taken_away, verdict

RULE = "def allowed(age: int) -> bool:\n    return age >= 18\n"
TESTS = """
import pytest
from rule import allowed

@pytest.mark.parametrize("age", [17, 18])
def test_nobody_below_eighteen(age):
    assert allowed(age) == (age >= 18)

def test_it_raises():
    with pytest.raises(ValueError):
        allowed(int("17" if allowed(17) else "x"))

def test_that_breaks_off():
    assert 1 / (not allowed(17))

class TestAll:
    def test_eighteen(self):
        assert allowed(18)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "rule.py").write_text(RULE)
    (tmp_path / "test_rule.py").write_text(TESTS)
    return tmp_path


def guard(*tests: str, text: str = "age >= 18") -> Guard:
    return Guard("age", "I0", "children", "rule.py", text, "True", tests)


async def test_a_test_is_red_that_asserts_what_is_not_so_and_nothing_else_is(tree: Path) -> None:
    tests = ["test_nobody_below_eighteen", "test_it_raises", "test_that_breaks_off", "TestAll::test_eighteen"]
    found = await taken_away(tree, guard(*(f"test_rule.py::{test}" for test in tests)))
    assert found.fault == "test_that_breaks_off: ZeroDivisionError: division by zero"
    assert (tree / "rule.py").read_text() == RULE
    (tree / "rule.py").write_text(RULE.replace("age >= 18", "True"))
    ran = await run_tests(tree, ["test_rule.py::test_nobody_below_eighteen", "test_rule.py::test_it_raises"], 30)
    below = "test_rule.test_nobody_below_eighteen"
    assert (set(ran.red), ran.fault) == ({below, f"{below}[17]", "test_rule.test_it_raises"}, "")


def test_every_test_of_a_guard_has_to_turn_red_in_one_case_at_least() -> None:
    ran = Ran(frozenset({"a.test_b.Class.test_x", "a.test_b.Class.test_x[1]"}), "", 1.0)
    here = "a/test_b.py::Class::"
    assert verdict(guard(here + "test_x", here + "test_x[1]"), ran).fault == ""
    assert verdict(guard(here + "test_x[2]"), ran).fault == "test_x[2] stayed green"
    assert verdict(guard(here + "test_x", here + "test_y", here + "test_z"), ran).fault == "test_y, test_z stayed green"
    assert verdict(guard(here + "test_x"), replace(ran, fault="out of time")).fault == "out of time"


@pytest.mark.parametrize(("text", "found"), [("age", 2), ("years", 0)])
async def test_a_guard_whose_text_is_not_there_once_shows_nothing(tree: Path, text: str, found: int) -> None:
    assert f"stands {found} times" in (await taken_away(tree, guard("test_rule.py", text=text))).fault
    assert (tree / "rule.py").read_text() == RULE


async def test_tests_that_are_not_there_or_hang_show_nothing(tree: Path) -> None:
    assert "pytest ended with 4" in (await run_tests(tree, ["test_rule.py::test_that_is_gone"], 30)).fault
    (tree / "test_rule.py").write_text("import time\ndef test_for_ever():\n    time.sleep(600)\n")
    ran = await run_tests(tree, ["test_rule.py"], 1)
    assert ran.fault == "out of time" and ran.seconds < 30
