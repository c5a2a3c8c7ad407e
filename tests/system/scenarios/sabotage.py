"""Scenario 38: each guard of the list (`tests/system/guards`) taken away by itself, in a copy of the tree.

First the tests of all guards run in the copy as it is and have to be green. Then, for one guard after the other, its text is
replaced and its tests run again: each has to turn red by an assertion of its own. A test that cannot even begin, breaks off with
another fault or runs out of time shows nothing, and neither does a guard whose text is not found any more.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from tests.system.frame import Row, Scenario, Task, told
from tests.system.guards import Guard, guards

PROJECT = Path(__file__).resolve().parents[3]
RECORD = PROJECT / "tests/system/SABOTAGE.md"
AT_ONCE = 2
"""Copies, each with one guard less at a time."""
PATIENCE_SECONDS = 120.0
"""For the tests of one guard; for those of all as they are, four times as long."""
NEWLINE = "\n"
RED = ("AssertionError", "assert ", "Failed: DID NOT RAISE")
"""How the message of a test begins that asserts what is not so."""

HEAD = """# What happens without

`make chaos ARGS="38"` takes one guard after the other away, in a copy of the tree, and runs the tests that should notice. Each
of them turned red by an assertion, or the last column says what happened instead. `tests/system/guards` holds the list.

| guard | law | without it | in | tests that notice | |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of tests. `red`: those that failed by assertion, as reports name them, with their case and without it; `fault`:
    what else went wrong, "" = nothing."""

    red: frozenset[str]
    fault: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    guard: Guard
    fault: str
    """Why nobody is known to notice; "" = each of its tests did."""
    seconds: float

    @property
    def line(self) -> str:
        tests = "<br>".join(each.rpartition("/")[2] for each in self.guard.tests)
        said = f"noticed, {self.seconds:.0f} s" if not self.fault else f"NOT NOTICED: {self.fault}"
        cells = (self.guard.name, self.guard.law, self.guard.protects, self.guard.file, tests, said)
        return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def copy_to(place: Path) -> Path:
    """The tree as it is now, without what is not kept."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=PROJECT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (PROJECT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, place / name)
    return place


async def run_tests(tree: Path, tests: Sequence[str], patience: float, *more: str) -> Ran:
    """Run these tests of a copy, with this interpreter and the code of the copy."""
    report, said_to = tree / "report.xml", tree / "report.txt"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *more, *tests]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    began = time.monotonic()
    with said_to.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tree, env=environment, start_new_session=True, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        async with asyncio.timeout(patience):
            await process.wait()
    except TimeoutError:
        return Ran(frozenset(), "out of time", time.monotonic() - began)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    red, faults = set(), []
    for case in ElementTree.parse(report).iter("testcase") if report.exists() else ():
        name = f"{case.get('classname')}.{case.get('name')}"
        for broken in (each for each in case if each.tag in ("failure", "error", "skipped")):
            said = broken.get("message", "")
            if broken.tag == "failure" and said.startswith(RED):
                red |= {name, name.partition("[")[0]}
            else:
                faults.append(f"{case.get('name')}: {said.partition(NEWLINE)[0][:120]}")
    if process.returncode not in (0, 1) and not faults:
        last = said_to.read_text(errors="replace").strip().rpartition(NEWLINE)[2]
        faults.append(f"pytest ended with {process.returncode}: {last}")
    return Ran(frozenset(red), "; ".join(faults), time.monotonic() - began)


def dotted(node: str) -> str:
    """As reports name a test: "tests/unit/test_x.py::Class::test" → "tests.unit.test_x.Class.test"."""
    file, _, test = node.partition("::")
    name, bracket, case = test.partition("[")
    return f"{file.removesuffix('.py').replace('/', '.')}.{name.replace('::', '.')}{bracket}{case}"


def verdict(guard: Guard, ran: Ran) -> Verdict:
    """Each test of the guard has to turn red; of one with cases, at least one case."""
    green = [each.rpartition("::")[2] for each in guard.tests if dotted(each) not in ran.red]
    return Verdict(guard, ran.fault or (f"{', '.join(green)} stayed green" if green else ""), ran.seconds)


async def taken_away(tree: Path, guard: Guard) -> Verdict:
    """The verdict on one guard; the copy is whole again afterwards."""
    path = tree / guard.file
    whole = path.read_bytes()
    try:
        path.write_text(guard.removed(whole.decode()), encoding="utf-8")
        return verdict(guard, await run_tests(tree, guard.tests, PATIENCE_SECONDS))
    except LookupError as fault:
        return Verdict(guard, str(fault), 0)
    finally:
        path.write_bytes(whole)


async def run(task: Task) -> list[Row]:
    wanted = [guard for guard in guards() if task.wants(guard.name)]
    wanted = wanted[: task.scaled(len(wanted))]
    whole = len(wanted) == len(guards())
    began = time.monotonic()
    with TemporaryDirectory(prefix="dialer-sabotage-") as place:
        trees = [copy_to(Path(place) / str(n)) for n in range(AT_ONCE)]
        every = sorted({test for guard in wanted for test in guard.tests})
        task.say(f"{len(wanted)} guards; {len(every)} tests as they are …")
        sound = await run_tests(trees[0], every, 4 * PATIENCE_SECONDS, "-n", str(AT_ONCE), "--dist", "worksteal")
        if sound.fault or sound.red:
            why = sound.fault or ", ".join(sorted(sound.red))
            return [told(SCENARIO, "", f"tests are red with every guard in its place: {why}", passed=False, kept=whole)]
        left = list(reversed(wanted))
        verdicts = []

        async def work(tree: Path) -> None:
            while left:
                verdicts.append(await taken_away(tree, left.pop()))
                task.say(verdicts[-1].line)

        async with asyncio.TaskGroup() as group:
            for tree in trees:
                group.create_task(work(tree))
    verdicts.sort(key=lambda verdict: wanted.index(verdict.guard))
    if whole:
        RECORD.write_text(HEAD + "".join(f"{verdict.line}\n" for verdict in verdicts), encoding="utf-8")
    unnoticed = [verdict.guard.name for verdict in verdicts if verdict.fault]
    notes = f"{len(verdicts)} guards taken away, {len(verdicts) - len(unnoticed)} noticed, by {len(every)} tests"
    notes += f", in {time.monotonic() - began:.0f} s" + f"; not noticed: {', '.join(unnoticed)}" * bool(unnoticed)
    return [told(SCENARIO, "", notes, passed=bool(verdicts) and not unnoticed, kept=whole)]


SCENARIO = Scenario(
    38,
    "sabotage",
    does="takes each guard of the code away by itself, in a copy of the tree, and runs the tests that should notice",
    passes="with every guard in its place all are green; without one each of its tests turns red, by an assertion",
    run=run,
)
