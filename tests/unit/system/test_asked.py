"""How many contacts a chaos run is asked for, and where so many find room."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from types import SimpleNamespace

import psutil
import pytest

from tests.support import memory
from tests.system.__main__ import main
from tests.system.frame import Scenario, Task
from tests.system.parts import parts_of, run
from tests.system.stage import Layout, NoRoom, stage

GB = 1024**3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("30 4 --contacts 5", "--contacts is not for 4; name scenario 30"),
        ("--contacts 5", "name scenario 30"),
        ("30 --contacts 0", "--contacts is 0; name 1 or more"),
        ("30 --contacts many", "invalid int value"),
    ],
)
def test_a_number_of_contacts_is_for_those_who_can_be_asked(
    arguments: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["chaos", *arguments.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2 and words in capsys.readouterr().err


def test_it_reaches_the_scenario_whatever_the_scale() -> None:
    assert [(part.scale, part.contacts) for part in parts_of({30: []}, 1, 0.5, 7)] == [(0.5, 7)]


async def test_one_that_breaks_off_leaves_the_row_of_the_usual_number_alone() -> None:
    async def broken(task: Task) -> list[object]:
        raise OSError("no")

    scenario = Scenario(30, "it", "does", "passes", broken)  # type: ignore[arg-type]
    assert [row.kept for asked in (None, 7) for row in await run(scenario, Task(contacts=asked))] == [True, False]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, float], None]:
    """So many GB free in the file system in memory, and in memory."""

    def have(files: float, free: float) -> None:
        monkeypatch.setattr(os, "access", lambda path, mode: True)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=files * GB))
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free * GB))

    return have


def test_files_lie_in_memory_where_as_much_again_stays_free(machine: Callable[[float, float], None]) -> None:
    machine(24, 22)
    assert memory.quickest() == memory.quickest(10 * GB) == "/dev/shm"
    assert memory.quickest(11 * GB) is None
    machine(12, 64)
    assert memory.quickest(7 * GB) == "/dev/shm" and memory.quickest(8 * GB) is None


async def test_a_stage_too_large_for_its_disk_says_what_it_needs() -> None:
    with pytest.raises(NoRoom, match=r"1000000000 GB are needed in /\S+, \d+ are free: name a TMPDIR"):
        async with stage(Layout(room=10**18), Task()):
            pass
