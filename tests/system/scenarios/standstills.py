"""Scenarios 2 and 3: processes that do not run for up to a minute and then go on where they were.

Stopped (SIGSTOP, SIGCONT) in the middle of a placement, a worker must not dial late when it goes on. Blocked (its event loop runs
something that does not yield), it must have said so.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from adapters.simulated.carrier.script import Span
from tests.system.crew import Role
from tests.system.frame import Row, Scenario, Task, row
from tests.system.judge import judge, late
from tests.system.stage import Layout, Stage, brief, stage

WORKERS = 8
AT_ONCE = 6
"""Workers that stand still together at the most."""
STOPS, STOP_DIALS = 20, 5000
UNHURRIED = brief(ring=Span(0.3, 0.6), patience=Span(1.0, 1.5), talk=Span(0.6, 1.4))
"""Calls of about a second: the dialling has to last for as long as so many stops do."""
SHORTEST, LONGEST = 10.0, 60.0
POINTS = ("K1", "K2", "K3", "K4")
SPARE = 1.6
"""How many more strikes are aimed at: a process that stands still passes no further point."""

BLOCK_DIALS, BLOCK_SECONDS = 1500, 35.0
RECOVERY_SECONDS = 15.0
TOLD = "the event loop has stood still"
UNCLEAR_SECONDS = 60.0


@dataclass
class Stops:
    """Lets stopped workers go on after a while."""

    rng: Random
    span: tuple[float, float]
    on: Stage | None = None
    at: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    _standing: int = 0

    def stopped(self, role: Role) -> None:
        assert self.on is not None
        self._standing += 1
        pause = self.rng.uniform(*self.span) if self._standing <= AT_ONCE else 0.0
        if pause:
            self.at.append(time.time())
            self.seconds.append(pause)
        asyncio.get_running_loop().call_later(pause, self._go_on, self.on, role)

    def _go_on(self, on: Stage, role: Role) -> None:
        self._standing -= 1
        on.crew.signal(role.name, signal.SIGCONT)


async def run_stops(task: Task) -> list[Row]:
    dials, wanted = task.scaled(STOP_DIALS, 600), task.scaled(STOPS, 6)
    span = (SHORTEST, LONGEST) if task.scale >= 1 else (3.0, max(8.0, LONGEST * task.scale))
    chance = min(1.0, SPARE * wanted / dials / len(POINTS))
    charge = ",".join([*(f"{point}=stop:{chance:.5f}" for point in POINTS), ""])
    stops = Stops(task.rng("stops"), span)
    seeds = iter(range(1, 10_000))

    def armed(role: str) -> str:
        return f"{charge}seed={task.seed}{next(seeds)}" if role.startswith("worker") else ""

    async with stage(Layout(workers=WORKERS, failpoints=armed, script=UNHURRIED), task) as on:
        stops.on, on.crew.on_stopped = on, stops.stopped
        campaign = await on.campaign(dials)
        quiet = await on.quiet(campaign, within=120 + dials / 20)
        found = await judge(on, campaign, kills=stops.at)
        tardy = await late(on, campaign)
        struck = on.crew.struck("stop")
        notes = [f"{point} {struck[point]}" for point in POINTS]
        notes += [f"stopped for {min(stops.seconds, default=0):.0f}–{max(stops.seconds, default=0):.0f} s", f"{tardy} late dials"]
        notes += [f"unclear for {found.unclear_seconds:.1f} s at most", *_ended(on)] + ["it did not come to rest"] * (not quiet)
        passed = (
            quiet
            and found.lawful
            and not tardy
            and not on.crew.deaths
            and len(stops.at) >= wanted
            and min(struck[point] for point in POINTS) > 0
            and found.unclear_seconds <= UNCLEAR_SECONDS
            and (found.p95 or 0.0) <= RECOVERY_SECONDS
        )
        return [row(STOP, "", found, kills=len(stops.at), passed=passed, notes=", ".join(notes))]


def _ended(on: Stage) -> list[str]:
    return [f"{death.role} ended by itself with {death.code}" for death in on.crew.deaths]


@dataclass(frozen=True, slots=True)
class Case:
    """Processes of a role whose event loop is blocked, not all of them where there are others; `passings`: how often one of them
    passes one of the points for one dial; `bound`: how long a slot may lie idle."""

    role: str
    processes: Sequence[str]
    points: Sequence[str]
    passings: float
    bound: Callable[[float], float]
    """Of the seconds of one block."""


CASES = (
    Case("worker", ("worker-1", "worker-2"), ("K1", "K4", "K5"), 0.3, lambda block: RECOVERY_SECONDS),
    Case("scheduler", ("scheduler-1",), ("K9",), 0.15, lambda block: RECOVERY_SECONDS),
    Case("api", ("api",), ("K7",), 3.3, lambda block: block + RECOVERY_SECONDS),  # there is one, and nobody else hears callbacks
)
CERTAIN = 10
"""How often a process that is to be blocked passes a point at which it would be, if it were not blocked there once only."""


async def blocked(case: Case, task: Task) -> Row:
    dials, wanted = task.scaled(BLOCK_DIALS, 500), len(case.processes)
    seconds = BLOCK_SECONDS if task.scale >= 1 else max(5.0, BLOCK_SECONDS * task.scale)
    chance = min(1.0, CERTAIN / dials / case.passings)
    seeds = iter(range(1, 10_000))

    def armed(role: str) -> str:
        if role not in case.processes:
            return ""
        return ",".join([*(f"{p}=block:{chance:.5f}:{seconds:g}" for p in case.points), f"seed={task.seed}{next(seeds)}"])

    async with stage(Layout(schedulers=2, failpoints=armed, script=UNHURRIED), task) as on:
        campaign = await on.campaign(dials)
        quiet = await on.quiet(campaign, within=120 + dials / 20 + 3 * len(case.points) * seconds)
        blocks = _moments(on, r"fail point K\d+: block")
        await _all_told(on, len(blocks), within=seconds)
        found = await judge(on, campaign, kills=blocks)
        tardy = await late(on, campaign)
        while_still = len(_moments(on, TOLD))
        notes = [f"{seconds:g} s each", f"told of {while_still} while they lasted", f"{tardy} late dials", *_ended(on)]
        passed = (
            quiet
            and found.lawful
            and not tardy
            and not on.crew.deaths
            and len(blocks) >= wanted
            and while_still >= len(blocks)
            and (found.p95 or 0.0) <= case.bound(seconds)
        )
        return row(BLOCK, case.role, found, kills=len(blocks), passed=passed, notes=", ".join(notes))


async def _all_told(on: Stage, blocks: int, *, within: float) -> None:
    """The last one may still go on when the campaign is at rest."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while len(_moments(on, TOLD)) < blocks:  # noqa: ASYNC110 - a log rings no bell
                await asyncio.sleep(0.2)


def _moments(on: Stage, what: str) -> list[float]:
    """When roles logged it, seconds since 1970."""
    said = "\n".join(on.crew.words(name, sys.maxsize) for name in on.crew.roles)
    return sorted(datetime.fromisoformat(at).timestamp() for at in re.findall(rf"^(\S+) .*{what}", said, re.MULTILINE))


async def run_blocks(task: Task) -> list[Row]:
    return [await blocked(case, task) for case in CASES if task.wants(case.role)]


STOP = Scenario(
    2,
    "SIGSTOP, then SIGCONT, in the middle of a placement",
    does=f"{WORKERS} workers, cap 50, {STOP_DIALS:,} dials; {STOPS} times one is stopped at K1–K4 for {SHORTEST:g}–{LONGEST:g} s",
    passes="as scenario 1, and 0 late dials: a worker that goes on sends nothing that is past its fence",
    run=run_stops,
    beside={"": 3},
)
BLOCK = Scenario(
    3,
    "an event loop blocked for 35 s",
    does=f"{BLOCK_DIALS:,} contacts; the loops of two workers (of 4), a scheduler (of 2), the API (of 1) are blocked",
    passes="as scenario 1 (the API: 35 s more), 0 late dials, each block told of while it lasts",
    run=run_blocks,
    cases=tuple((case.role,) for case in CASES),
    beside={case.role: 2 for case in CASES},
)
