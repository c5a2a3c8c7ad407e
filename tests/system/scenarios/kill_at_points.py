"""Scenario 1: kill -9 of whoever passes a fail point, again and again, point after point."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from adapters.failpoints import POINTS
from tests.support.ledger import Seed
from tests.system.frame import Row, Scenario, Task, row
from tests.system.judge import judge
from tests.system.stage import Layout, Stage, stage

DIALS = 10_000
KILLS = 100
CONTACTS = 0.9
"""Contacts for each dial that is wanted: some are called again."""
SPARE = 1.15
"""How many more kills are aimed at than are needed."""
RECOVERY_SECONDS = 15.0
UNCLEAR_SECONDS = 60.0
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Point:
    """A fail point, whose roles pass it, and how often they do for one dial."""

    name: str
    roles: tuple[str, ...]
    passings: float


CASES = (
    Point("K1", ("worker",), 1),
    Point("K2", ("worker",), 1),
    Point("K3", ("worker",), 1),
    Point("K4", ("worker",), 1),
    Point("K5", ("worker",), 1),
    Point("K6", ("api",), 3.3),
    Point("K7", ("api",), 3.3),
    Point("K8", ("api",), 0.3),
    Point("K9", ("scheduler",), 0.5),
)


@dataclass
class Aim:
    """Spreads the kills over the dials: who starts later is armed by what is still wanting."""

    point: Point
    dials: int
    kills: int
    seed: int
    done: Callable[[], int] = lambda: 0
    dialled: int = 0
    _starts: int = field(default=0)

    def charge(self, role: str) -> str:
        self._starts += 1
        wanting = round(self.kills * SPARE) - self.done()
        if not role.startswith(self.point.roles) or wanting <= 0:
            return ""
        left = max(self.dials - self.dialled, self.dials // 20) * self.point.passings
        return f"{self.point.name}=kill:{min(1.0, wanting / left):.6f},seed={self.seed}{self._starts}"

    @asynccontextmanager
    async def at(self, on: Stage) -> AsyncIterator[None]:
        """Keep count of the dials."""

        async def count() -> None:
            while True:
                self.dialled = await on.dialled()
                await asyncio.sleep(LOOK_SECONDS)

        self.done = lambda: len(on.crew.kills)
        counting = asyncio.create_task(count())
        try:
            yield
        finally:
            counting.cancel()


async def at_point(point: Point, task: Task) -> Row:
    dials, kills = task.scaled(DIALS, 150), task.scaled(KILLS, 3)
    aim = Aim(point, dials, kills, task.seed)
    async with stage(Layout(failpoints=aim.charge), task) as on, aim.at(on):
        campaign = await on.campaign(round(dials * CONTACTS))
        quiet = await on.quiet(campaign, within=120 + dials / 20)
        return await _row(point, on, campaign, dials, kills, "" if quiet else "it did not come to rest")


async def _row(point: Point, on: Stage, campaign: Seed, dials: int, kills: int, trouble: str) -> Row:
    deaths = on.crew.kills
    found = await judge(on, campaign, kills=[death.at for death in deaths])
    by_itself = [death for death in on.crew.deaths if death not in deaths]
    notes = [trouble, f"{found.dials / max(found.seconds, 1):.0f} dials/s", f"unclear for {found.unclear_seconds:.1f} s at most"]
    notes += [f"{death.role} ended by itself with {death.code}" for death in by_itself]
    passed = (
        found.lawful
        and not trouble
        and not by_itself
        and found.dials >= dials
        and len(deaths) >= kills
        and found.unclear_seconds <= UNCLEAR_SECONDS
        and (found.p95 or 0.0) <= RECOVERY_SECONDS
    )
    return row(SCENARIO, point.name, found, kills=len(deaths), passed=passed, notes="; ".join(filter(None, notes)))


async def run(task: Task) -> list[Row]:
    rows = []
    for point in CASES:
        if task.wants(point.name):
            task.say(f"{point.name}: {POINTS[point.name]} …")
            rows.append(await at_point(point, task))
    return rows


SCENARIO = Scenario(
    1,
    "kill -9 at a fail point",
    does=f"4 workers, cap 50, {DIALS:,} dials and {KILLS} kills at each point",
    passes="0 duplicates, 0 lost, never over the cap, unclear calls settled ≤ 60 s, 0 slots leaked, p95 recovery ≤ 15 s",
    run=run,
)
