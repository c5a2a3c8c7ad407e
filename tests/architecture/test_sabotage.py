"""The list of guards goes with the code: each stands where it says, and so does each test that would notice its absence."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.architecture.sources import PROJECT
from tests.system.guards import Guard, guards

GUARDS = guards()


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


def test_no_guard_is_in_the_list_twice_and_there_are_enough() -> None:
    assert len({guard.name for guard in GUARDS}) == len({(guard.file, guard.instead, guard.text) for guard in GUARDS})
    assert len({guard.name for guard in GUARDS}) == len(GUARDS) >= 24
    assert {guard.law for guard in GUARDS} >= {f"I{n}" for n in range(1, 9)}
