"""The image holds what the roles need and nothing else. No container engine is asked: the files are read."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.unit.deploy.artefacts import DEPLOY, PROJECT, VERSION

PACKAGES = ("adapters", "dialer", "scheduler")


@cache
def instructions() -> tuple[tuple[str, str], ...]:
    """The Dockerfile as (instruction, arguments), comments and line breaks taken out."""
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return tuple((word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line))


def arguments(word: str) -> list[str]:
    return [rest for each, rest in instructions() if each == word]


def copied() -> set[str]:
    return {rest.split()[0] for rest in arguments("COPY") if not rest.startswith("--from")}


def test_it_is_built_on_a_named_version_of_python() -> None:
    assert arguments("FROM") == ["python:3.12-slim AS build", "python:3.12-slim"]


def test_only_what_the_lock_names_is_installed() -> None:
    [install] = [rest for rest in arguments("RUN") if " install " in rest]
    assert {"--require-hashes", "--no-deps", "/runtime.lock"} <= set(install.split())


def test_what_is_copied_exists_and_is_let_through() -> None:
    let_through = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied() == {*PACKAGES, "deploy/runtime.lock"} == let_through
    assert all((PROJECT / path).exists() for path in copied())


def test_it_runs_as_nobody_in_particular_and_writes_no_bytecode() -> None:
    assert arguments("USER") == ["10001:10001"]
    [environment] = arguments("ENV")
    assert {"PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp"} <= set(environment.split())
    assert arguments("ENTRYPOINT") == ['["dialer"]']
    assert arguments("HEALTHCHECK") == ["NONE"]


def test_it_says_which_version_it_is() -> None:
    [label] = arguments("LABEL")
    assert f'org.opencontainers.image.version="{VERSION}"' in label


def test_the_command_calls_the_function_that_pyproject_names() -> None:
    [shim] = [rest for rest in arguments("RUN") if "bin/dialer" in rest]
    assert "'#!/opt/dialer/bin/python' 'from dialer.cli import main' 'main()'" in shim
    assert 'dialer = "dialer.cli:main"' in (PROJECT / "pyproject.toml").read_text()


def _plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_everything_the_roles_import_is_in_the_lock() -> None:
    """The embedded servers are left out: a container gets its stores by URL."""
    locked = {_plain(name) for name in re.findall(r"(?m)^([\w.-]+)==", (DEPLOY / "runtime.lock").read_text())}
    files = [path for package in PACKAGES for path in (PROJECT / package).rglob("*.py") if "embedded" not in path.parts]
    strangers = {name for path in files for name in _imported(path)} - set(sys.stdlib_module_names) - set(PACKAGES)
    assert "asyncpg" in strangers
    distributions = packages_distributions()
    assert {name for name in strangers if not locked & {_plain(each) for each in distributions.get(name, [])}} == set()
