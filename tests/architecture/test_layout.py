"""The house stands where it should: our packages are ours, and the root holds only what belongs there."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, PROJECT, python_files

ROOT = {
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "adapters",
    "config.example.toml",
    "deploy",
    "dialer",
    "pyproject.toml",
    "requirements.lock",
    "scheduler",
    "tests",
}
# Not part of the project, and not kept: an operator's own configuration, what tools write.
PASSING = {"config.toml", "dist", "var"}
LONGEST_FILE = 400


@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_are_ours(package: str) -> None:
    """Strangers' distributions install top-level packages of these names; none may stand in for ours."""
    found = import_module(package).__file__
    assert found is not None
    assert Path(found).resolve() == PROJECT / package / "__init__.py"


def test_the_root_holds_only_what_belongs_there() -> None:
    found = {path.name for path in PROJECT.iterdir() if not path.name.startswith(".")}
    assert found - ROOT - PASSING == set()


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    lengths = {path: (PROJECT / path).read_text().count("\n") for path in python_files(*PACKAGES, "tests")}
    assert {str(path): length for path, length in lengths.items() if length > LONGEST_FILE} == {}
