"""`dialer adapter list` and `check`: an adapter that comes in a distribution of its own, as a stranger would install it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters import checking
from adapters.conformance import CASES

PROJECT = Path(__file__).parents[3]
PACKAGE = """
from contextlib import asynccontextmanager

from adapters.base import AdapterSpec
from adapters.conformance import Act
from adapters.errors import PlaceError
from adapters.simulated import SPEC as SIMULATED
from adapters.simulated.adapter import SimulatedAdapter
from adapters.simulated.carrier import harness as simulated

PIGEON = AdapterSpec("pigeon", SIMULATED.build, SIMULATED.options)
HASTY = AdapterSpec("hasty", SIMULATED.build, SIMULATED.options)
SHY = AdapterSpec("shy", SIMULATED.build, SIMULATED.options)


class Hasty(SimulatedAdapter):
    async def place(self, call):
        try:
            return await super().place(call)
        except PlaceError:
            return await super().place(call)


def make(url, timeout):
    return Hasty("hasty", base_url=url, api_key=simulated.API_KEY, signing_secret=simulated.SIGNING_SECRET, timeout=timeout)


@asynccontextmanager
async def pigeon():
    async with simulated.harness() as harness:
        harness.acts -= {Act.MACHINE}
        harness.exemptions = {Act.MACHINE: "pigeons hear no beep"}
        yield harness


@asynccontextmanager
async def hasty():
    async with simulated.harness(make) as harness:
        harness.acts -= {Act.THROTTLE}
        yield harness
"""
ANNOUNCES = """
[dialer.adapters]
pigeon = strangers:PIGEON
hasty = strangers:HASTY
shy = strangers:SHY

[dialer.adapter_harnesses]
pigeon = strangers:pigeon
hasty = strangers:hasty
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine on which the distribution is installed."""
    (tmp_path / "strangers.py").write_text(PACKAGE)
    about = tmp_path / "strangers_adapters-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers-adapters\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(ANNOUNCES)
    return {**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{tmp_path}", "DIALER_ADAPTERS__ROOF__KIND": "pigeon"}


def adapter(installed: dict[str, str], *arguments: str, code: int = 0) -> tuple[Any, str]:
    """The JSON that is printed, and what stands beside it."""
    command = [sys.executable, "-m", "dialer", "adapter", *arguments, "--json"]
    ended = subprocess.run(command, env=installed, capture_output=True, text=True, check=False, cwd="/")
    assert ended.returncode == code, ended.stderr
    return json.loads(ended.stdout or "null"), ended.stderr


def test_a_strangers_adapter_is_listed_and_keeps_the_laws(installed: dict[str, str]) -> None:
    rows = {row["kind"]: row for row in adapter(installed, "list")[0]}
    assert rows["pigeon"] == {"kind": "pigeon", "from": "strangers-adapters 1.2", "can_be_checked": True, "trunks": ["roof"]}
    assert rows["simulated"]["from"] == "built in"
    assert not rows["twilio"]["can_be_checked"] and not rows["shy"]["can_be_checked"]

    told, _ = adapter(installed, "check", "pigeon")
    verdicts = {each["case"]: each["verdict"] for each in told["cases"]}
    assert told["ok"] and verdicts.pop("judges_machine") == "exempt" and len(verdicts) == len(CASES) - 1
    assert set(verdicts.values()) == {"pass"}
    assert next(each["detail"] for each in told["cases"] if each["verdict"] == "exempt") == "pigeons hear no beep"


def test_who_places_twice_or_leaves_a_law_out_without_a_reason_is_named(
    installed: dict[str, str],
) -> None:
    cases = [part for name in ("places_one_call", "tells_a_refusal", "tells_a_throttle") for part in ("--case", name)]
    told, said = adapter(installed, "check", "hasty", *cases, code=1)
    assert [each["verdict"] for each in told["cases"]] == ["pass", "broken", "broken"]
    refusal, throttle = told["cases"][1:]
    assert refusal["law"] == "A definite no is Rejected with a fault, and not repeated." and "repeated" in refusal["detail"]
    assert "throttle and does not say why" in throttle["detail"]
    assert "'hasty' breaks 2 of 3 laws: tells_a_refusal, tells_a_throttle" in said


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("simulated", ""),
        ("twilio", "test_conformance.py -k twilio"),
        ("carrier-pigeon", "there is no adapter 'carrier-pigeon'"),
    ],
)
def test_whoever_has_no_harness_is_told_where_there_is_one(kind: str, said: str) -> None:
    if not said:
        assert callable(checking.harness_of(kind))
        return
    with pytest.raises(ValueError, match=said):
        checking.harness_of(kind)


def test_an_adapter_without_a_harness_says_how_to_announce_one(installed: dict[str, str]) -> None:
    _, said = adapter(installed, "check", "shy", code=1)
    assert "no harness is announced for the adapter 'shy'" in said and "dialer.adapter_harnesses" in said
