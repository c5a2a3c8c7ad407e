"""Fail points: what arms them is judged strictly, what they do is done by real processes, and unarmed they do nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters import failpoints
from adapters.failpoints import POINTS, VARIABLE, arm, failpoint, failpoint_during, parse

PROJECT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def harmless() -> Iterator[None]:
    yield
    arm("")


def test_points_are_read_with_action_chance_and_seconds() -> None:
    charges = parse("K1=kill:0.01, K9=stop:1,K5=block:0.5:35,seed=7")
    assert {point: (c.action, c.chance, c.seconds) for point, c in charges.items()} == {
        "K1": ("kill", 0.01, 0.0),
        "K9": ("stop", 1.0, 0.0),
        "K5": ("block", 0.5, 35.0),
    }
    assert parse("") == {} == parse(" , ")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("K1", "'K1'"),
        ("K1=kill", "'K1=kill'"),
        ("K1=explode:1", "'K1=explode:1'"),
        ("K1=block:1", "'K1=block:1'"),
        ("K13=kill:1", "K13 which there is not"),
        ("K1=kill:1,K1=stop:1", "K1 twice"),
        ("K1=kill:0", "chance 0"),
        ("K1=kill:1.5", "chance 1.5"),
        ("K1=kill:1.5.0", "'1.5.0'"),
        ("seed=3", "a seed and no fail point"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_remedy(text: str, named: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse(text)
    problem, _, remedy = str(refused.value).partition("; ")
    assert named in problem and remedy
    with pytest.raises(ValueError):
        arm(text)


def test_a_point_draws_the_same_from_the_same_seed() -> None:
    def draws(text: str) -> list[bool]:
        charge = parse(text)["K3"]
        return [charge.strikes() for _ in range(200)]

    assert draws("K3=kill:0.3,seed=5") == draws("K1=kill:1,K3=kill:0.3,seed=5") != draws("K3=kill:0.3,seed=6")
    assert 30 < sum(draws("K3=kill:0.3")) < 90


async def test_unarmed_no_point_does_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(seconds: float) -> None:
        raise AssertionError("a point struck")

    monkeypatch.setattr(failpoints, "_ACTIONS", dict.fromkeys(("kill", "stop", "block"), never))
    for point in POINTS:
        failpoint(point)
        assert await failpoint_during(point, asyncio.sleep(0, "done")) == "done"
    arm("K1=kill:1")
    with pytest.raises(AssertionError):
        failpoint("K1")
    failpoint("K2")


def child(code: str) -> subprocess.Popen[bytes]:
    program = f"import asyncio\nfrom adapters.failpoints import *\n{code}\nprint('went on', flush=True)"
    return subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE)


def test_kill_ends_the_process_there() -> None:
    with child("arm('K4=kill:1'); failpoint('K4')") as process:
        assert process.wait(20) == -signal.SIGKILL
        assert process.stdout is not None and process.stdout.read() == b""


def test_stop_lets_it_go_on_when_it_is_told_to() -> None:
    with child("arm('K1=stop:1'); failpoint('K1')") as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        assert process.stdout is not None and process.stdout.read() == b"went on\n"


def test_block_holds_the_event_loop_for_so_long() -> None:
    arm("K5=block:1:0.2")
    began = time.monotonic()
    failpoint("K5")
    assert time.monotonic() - began >= 0.2


def test_a_point_that_lasts_strikes_while_it_lasts() -> None:
    with child("arm('K9=kill:1'); asyncio.run(failpoint_during('K9', asyncio.sleep(20)))") as process:
        assert process.wait(20) == -signal.SIGKILL


def test_a_role_with_a_bad_fail_point_says_so_and_does_not_start(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "HOME": str(tmp_path), VARIABLE: "K99=kill:1"}
    ended = subprocess.run(
        [sys.executable, "-m", "dialer", "worker"], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 3
    assert f"environment variable {VARIABLE} names K99 which there is not; write each of K1" in ended.stderr
