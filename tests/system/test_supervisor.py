"""The process tree: a killed role returns, the pauses grow, SIGTERM drains in order, kill -9 of the parent leaves no orphan."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.supervisor import FIRST_PAUSE, LONGEST_PAUSE, SETTLED, RoleProcess, Supervisor, next_pause

PROJECT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("supervised.py")

ROLE = ["sh", "-c", "trap 'echo $SEEN drained; exit 0' TERM; echo $SEEN up; while :; do sleep 0.05; done"]
SLOW_ROLE = ["sh", "-c", "trap 'sleep 0.4; echo $SEEN drained; exit 0' TERM; echo $SEEN up; while :; do sleep 0.05; done"]
DEAF_ROLE = ["sh", "-c", "trap '' TERM; echo $SEEN up; while :; do sleep 0.05; done"]
BROKEN_ROLE = ["sh", "-c", "exit 7"]


class Tree:
    """A supervisor process and what it and its roles have said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def read_until(self, said: Callable[[str], bool]) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if said(line.strip()):
                return line.strip()
        pytest.fail(f"it ended without saying so: {self.lines}")

    def read_all(self) -> list[str]:
        assert self.process.stdout is not None
        self.lines += [line.strip() for line in self.process.stdout]
        self.process.wait(10)
        return self.lines

    def roles(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


@contextmanager
def supervising(grace: float = 5.0, /, **roles: list[str]) -> Iterator[Tree]:
    """A tree whose roles all run; killed at the end if it is still there."""
    command = [sys.executable, str(PROGRAM), json.dumps(roles), str(grace)]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        tree = Tree(process)
        guard = threading.Timer(20, process.kill)  # a tree that hangs must end a reader that waits for it
        guard.start()
        try:
            waited = {name for name, argv in roles.items() if argv is not BROKEN_ROLE}
            while waited:
                waited.discard(tree.read_until(lambda line: line.endswith(" up")).split()[0])
            yield tree
        finally:
            guard.cancel()
            process.kill()


def gone(processes: list[psutil.Process], seconds: float) -> bool:
    _, left = psutil.wait_procs(processes, timeout=seconds)
    return not [process for process in left if process.status() != psutil.STATUS_ZOMBIE]


def test_a_killed_role_returns_alone() -> None:
    with supervising(scheduler=ROLE, worker=ROLE) as tree:
        before = tree.roles()
        victim = next(role for role in before if role.environ()["SEEN"] == "worker")
        began = time.monotonic()
        victim.kill()
        said = tree.read_until(lambda line: "ended" in line)
        assert said.startswith("worker ended with SIGKILL after ") and said.endswith("; starting again in 0.2 s")
        tree.read_until(lambda line: line == "worker up")
        assert time.monotonic() - began < 2
        after = tree.roles()
        assert len(after) == 2 and len({role.pid for role in before} & {role.pid for role in after}) == 1


def test_sigterm_drains_in_order() -> None:
    with supervising(scheduler=SLOW_ROLE, worker=SLOW_ROLE, api=ROLE) as tree:
        roles = tree.roles()
        tree.process.terminate()
        said = [line for line in tree.read_all() if "drained" in line or "asked" in line or "ended" in line]
        assert said == [
            f"{role} {what}"
            for role in ("scheduler", "worker", "api")
            for what in ("is asked to end", "drained", "ended with exit code 0")
        ]
        assert tree.process.returncode == 0
        assert gone(roles, 0)


def test_a_deaf_role_is_killed_but_keeps_no_other_from_draining() -> None:
    with supervising(0.6, scheduler=DEAF_ROLE, worker=ROLE) as tree:
        roles = tree.roles()
        tree.process.send_signal(signal.SIGINT)
        said = tree.read_all()
        assert said.index("worker drained") < said.index("scheduler did not end in time and was killed")
        assert gone(roles, 0)


def test_a_second_signal_does_not_wait() -> None:
    with supervising(60, scheduler=DEAF_ROLE) as tree:
        tree.process.terminate()
        tree.read_until(lambda line: "asked to end" in line)
        tree.process.terminate()
        assert tree.read_all()[-1] == "scheduler did not end in time and was killed"


def test_kill_of_the_supervisor_leaves_no_orphan() -> None:
    with supervising(scheduler=ROLE, worker=ROLE) as tree:
        roles = tree.roles()
        roles[0].kill()
        tree.read_until(lambda line: line.endswith(" up"))  # a restarted role is tethered too
        roles = tree.roles()
        assert len(roles) == 2
        tree.process.kill()
        tree.process.wait(5)
        assert gone(roles, 5)


async def test_the_pauses_of_a_role_that_keeps_ending_grow() -> None:
    moments: list[float] = []
    said: list[str] = []
    enough = asyncio.Event()

    def on_event(event: str) -> None:
        said.append(event)
        if "started" in event:
            moments.append(time.monotonic())
            if len(moments) == 4:
                enough.set()

    supervisor = Supervisor([RoleProcess("worker", tuple(BROKEN_ROLE))], on_event=on_event)
    run = asyncio.ensure_future(supervisor.run(signals=()))
    await asyncio.wait_for(enough.wait(), 10)
    supervisor.request_stop()
    await asyncio.wait_for(run, 10)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert [gap >= least for gap, least in zip(gaps, (0.2, 0.4, 0.8), strict=True)] == [True, True, True], gaps
    ends = [event.rpartition("again in ")[2] for event in said if "exit code 7" in event and "again" in event]
    assert ends[:3] == ["0.2 s", "0.4 s", "0.8 s"]


async def test_inside_another_program() -> None:
    """As the demo does: beside other tasks, with a check that may fail, killing a role, and cancelled in the end."""
    pokes = 0
    said: list[str] = []

    def poke() -> None:
        nonlocal pokes
        pokes += 1
        if pokes == 1:
            raise ValueError("Postgres is away")

    supervisor = Supervisor([RoleProcess("worker", ("sleep", "60"))], on_event=said.append, poke=poke)
    assert supervisor.pid("worker") is None
    with pytest.raises(KeyError):
        supervisor.pid("nobody")
    run = asyncio.ensure_future(supervisor.run(signals=()))
    await until(lambda: supervisor.pid("worker") is not None and pokes >= 1)
    first = supervisor.pid("worker")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: supervisor.pid("worker") not in (None, first) and pokes >= 2)
    assert "check failed: Postgres is away" in said
    second = supervisor.pid("worker")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert second is not None and not psutil.pid_exists(second)


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Give the loop to others until `holds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


def test_a_command_that_does_not_exist_is_told() -> None:
    said: list[str] = []

    async def run() -> None:
        supervisor = Supervisor([RoleProcess("worker", ("/no/such/program",))], on_event=said.append)
        task = asyncio.ensure_future(supervisor.run(signals=()))
        await until(lambda: any("exit code 127" in event for event in said))
        supervisor.request_stop()
        await task

    asyncio.run(run())


@given(st.lists(st.floats(0, SETTLED, exclude_max=True), min_size=1, max_size=30))
def test_pauses_never_shrink_nor_pass_the_longest_while_a_role_dies_young(lives: list[float]) -> None:
    pause = 0.0
    for position, lived in enumerate(lives):
        following = next_pause(pause, lived)
        assert following == min(FIRST_PAUSE * 2**position, LONGEST_PAUSE)
        pause = following


@given(st.floats(0, LONGEST_PAUSE), st.floats(SETTLED, 1e9))
def test_a_long_life_forgives_all(previous: float, lived: float) -> None:
    assert next_pause(previous, lived) == FIRST_PAUSE
