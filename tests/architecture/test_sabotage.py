"""The list of guards goes with the code: each stands where it says, and so does each test that would notice its absence."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.architecture.sources import PROJECT
from tests.system.guards import Guard, guards

GUARDS = guards()
MADE = re.compile(r"^create (?:or replace )?(?:function (\w+)|(?:unique )?(?:table|index|trigger|policy)\b)", re.MULTILINE)
REPLACED = re.compile(r"^create or replace function (\w+)", re.MULTILINE)


@cache
def names(file: str) -> frozenset[str]:
    """The tests of a file, those of classes as `Class::test`."""
    tree = ast.parse((PROJECT / file).read_text(encoding="utf-8"))
    found = {f"{each.name}::{part.name}" for each in tree.body if isinstance(each, ast.ClassDef) for part in functions(each)}
    return frozenset(found | {each.name for each in functions(tree)})


def functions(tree: ast.Module | ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_and_its_tests_are_where_the_list_says(guard: Guard) -> None:
    source = (PROJECT / guard.file).read_text(encoding="utf-8")
    without = guard.removed(source)
    assert without != source
    if guard.file.endswith(".py"):
        ast.parse(without)  # what is red for its syntax shows nothing
    assert guard.tests
    for node in guard.tests:
        file, _, test = node.partition("::")
        name, _, case = test.rstrip("]").partition("[")
        assert name in names(file), node
        assert case.partition("-")[0] in (PROJECT / file).read_text(encoding="utf-8"), node


@pytest.mark.parametrize(
    "guard", [g for g in GUARDS if g.file.endswith(".sql") and "/migrations/" in g.file], ids=lambda g: g.name
)
def test_a_guard_in_the_schema_is_in_the_newest_text_of_its_function(guard: Guard) -> None:
    """One that a later migration has written anew guards nothing, and to take it away shows nothing."""
    file = PROJECT / guard.file
    source = file.read_text(encoding="utf-8")
    before = MADE.findall(source[: source.index(guard.text)])
    function = before[-1] if before else ""
    later = [each for each in sorted(file.parent.glob("*.sql")) if each.name > file.name]
    anew = [each.name for each in later if function in REPLACED.findall(each.read_text(encoding="utf-8"))]
    assert not (function and anew), f"{function} is written anew in {anew}; say so in the list"


def test_no_guard_is_in_the_list_twice_and_there_are_enough() -> None:
    assert len({guard.name for guard in GUARDS}) == len({(guard.file, guard.instead, guard.text) for guard in GUARDS})
    assert len({guard.name for guard in GUARDS}) == len(GUARDS) >= 24
    assert {guard.law for guard in GUARDS} >= {f"I{n}" for n in range(1, 9)}
