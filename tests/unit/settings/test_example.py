"""`config.example.toml` tells the whole truth: every key, with its default."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from dialer.settings import Settings, Trunk, load
from dialer.settings.model import DEFAULT_TRUNKS

EXAMPLE = Path(__file__).resolve().parents[3] / "config.example.toml"
TEXT = EXAMPLE.read_text()
# The same file with the keys that are unset by default set.
COMPLETE = re.sub(r"^# (?=[a-z_]+ = )", "", TEXT, flags=re.MULTILINE)
ENVIRON = {"HOME": "/home/ann"}


def sections() -> dict[str, type[BaseModel]]:
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def test_as_it_stands_it_is_the_defaults() -> None:
    example, default = load(EXAMPLE, ENVIRON), load(None, {**ENVIRON, "DIALER_CONFIG": "/dev/null"})
    assert example == default
    assert example.adapters["simulated"].options == default.adapters["simulated"].options


def test_every_written_value_is_the_default() -> None:
    given = tomllib.loads(TEXT)
    for section, model in sections().items():
        for key, value in given[section].items():
            assert value == model.model_fields[key].default, f"{section}.{key}"


def test_every_setting_appears_and_no_other() -> None:
    complete: dict[str, Any] = tomllib.loads(COMPLETE)
    assert {name: set(complete[name]) for name in sections()} == {
        name: set(model.model_fields) for name, model in sections().items()
    }
    assert set(complete) == set(sections()) | {"adapters"}
    own = set(Trunk.model_fields) - {"options"}
    assert set(complete["adapters"]["simulated"]) == own | set(DEFAULT_TRUNKS["simulated"])


def test_a_key_that_is_commented_out_is_unset_by_default() -> None:
    given, complete = tomllib.loads(TEXT), tomllib.loads(COMPLETE)
    for section, model in sections().items():
        for key in set(complete[section]) - set(given[section]):
            assert model.model_fields[key].default is None or (section, key) == ("embedded", "data_dir")


def test_with_everything_set_it_loads_too(tmp_path: Path) -> None:
    path = tmp_path / "complete.toml"
    path.write_text(COMPLETE)
    settings = load(path, ENVIRON)
    assert settings.embedded.data_dir == Path("/home/ann/.local/state/dialer")
    assert settings.database.url is not None and settings.http.public_url == "https://dialer.example.com"


@pytest.mark.parametrize("line", [line for line in COMPLETE.splitlines() if re.match(r"[a-z_]+ = ", line)])
def test_every_line_says_why(line: str) -> None:
    _, found, why = line.partition("  # ") if "  # " in line else line.partition(" # ")
    assert found and len(why.split()) >= 4
