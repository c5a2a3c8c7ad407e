"""Scenario 1: kill -9 of whoever passes a fail point, again and again, point after point.

Three points are not passed by dialling alone: to K10 the carrier has to leave placements open, to K11 somebody has to import, and
to K12 a worker has to be asked to end.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import TypeAlias

from adapters.failpoints import POINTS as WHERE
from adapters.simulated.carrier.script import Faults, Script, Span
from tests.support.ledger import Seed
from tests.system.frame import Row, Scenario, Task, row
from tests.system.judge import judge
from tests.system.scenarios.uploads import Uploads
from tests.system.stage import Layout, Stage, brief, stage

DIALS = 10_000
KILLS = 100
CONTACTS = 0.9
"""Contacts for each dial that is wanted: some are called again."""
SPARE = 1.15
"""How many more kills are aimed at than are needed."""
RECOVERY_SECONDS = 15.0
UNCLEAR_SECONDS = 60.0
LOOK_SECONDS = 0.5
IMPORTS_SECONDS = 300.0
"""For the imports that are wanting when everybody is called."""


Finish: TypeAlias = Callable[[], Awaitable[str]]
"""Ends what goes on beside the dialling; what is wrong with it, in words."""


@asynccontextmanager
async def only_dialling(on: Stage, aim: Aim) -> AsyncIterator[Finish]:
    async def finish() -> str:
        return ""

    yield finish


@asynccontextmanager
async def importing(on: Stage, aim: Aim) -> AsyncIterator[Finish]:
    """Imports one after another, until the API has died often enough and nothing is left to dial."""
    over = False
    uploads = Uploads(on, enough=lambda: over and aim.wanting <= 0)
    async with asyncio.TaskGroup() as group:
        posting = group.create_task(uploads.run())

        async def finish() -> str:
            nonlocal over
            over = True
            async with asyncio.timeout(IMPORTS_SECONDS):
                await posting
            return await uploads.faults()

        yield finish
        posting.cancel()


@asynccontextmanager
async def asking_to_end(on: Stage, aim: Aim) -> AsyncIterator[Finish]:
    """SIGTERM to one worker after the other, spread over the dials."""

    async def ask() -> None:
        names = cycle(name for name in on.crew.roles if name.startswith("worker"))
        step = aim.dials / (aim.kills * SPARE)
        asked = 0
        while aim.wanting > 0:
            if aim.dialled >= asked * step:
                asked += on.crew.signal(next(names), signal.SIGTERM)
            await asyncio.sleep(LOOK_SECONDS / 2)

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask())

        async def finish() -> str:
            return ""

        yield finish
        asking.cancel()


@dataclass(frozen=True, slots=True)
class Point:
    """A fail point, whose roles pass it, and how often they do for one dial. `meanwhile` goes on beside the dialling; `ends`: its
    roles may end by themselves, for they are asked to; `surest`: how likely a death at a passing is at the most, where what is
    begun anew after each has to be through some day; `longer`: so many times the usual dials, where what is passed seldom would
    else be met by one death after the other, each of which begins the recovery anew."""

    name: str
    roles: tuple[str, ...]
    passings: float
    script: Script = field(default_factory=brief)
    meanwhile: Callable[[Stage, Aim], AbstractAsyncContextManager[Finish]] = only_dialling
    ends: bool = False
    surest: float = 1.0
    longer: float = 1.0


SILENT = brief(
    ring=Span(0.1, 0.3), patience=Span(0.3, 0.6), talk=Span(0.3, 0.6), faults=Faults(error_before=0.06, error_after=0.02)
)
"""Some placements stay open; slow enough that there are as many rounds of look-ups as deaths in them are wanted, and more."""
POINTS = (
    Point("K1", ("worker",), 1),
    Point("K2", ("worker",), 1),
    Point("K3", ("worker",), 1),
    Point("K4", ("worker",), 1),
    Point("K5", ("worker",), 1),
    Point("K6", ("api",), 3.3),
    Point("K7", ("api",), 3.3),
    Point("K8", ("api",), 0.3),
    Point("K9", ("scheduler",), 0.5),
    Point("K10", ("worker",), 0.1, script=SILENT, surest=0.3, longer=3.0),
    Point("K11", ("api",), 0.02, meanwhile=importing, surest=0.7),
    Point("K12", ("worker",), 0.01, meanwhile=asking_to_end, ends=True),
)
TOGETHER = (("K1", "K6", "K9"), ("K2", "K7"), ("K3", "K8"), ("K4",), ("K5",), ("K10",), ("K11",), ("K12",))
"""Of one run: points of different roles, whose deaths do not get in each other's way."""


@dataclass
class Aim:
    """Spreads the kills at one point over the dials: who starts later is armed by what is still wanting."""

    point: Point
    dials: int
    kills: int
    seed: int
    done: Callable[[], int] = lambda: 0
    dialled: int = 0
    _starts: int = field(default=0)

    @property
    def wanting(self) -> int:
        """Kills that are still aimed at."""
        return round(self.kills * SPARE) - self.done()

    def charge(self, role: str) -> str:
        self._starts += 1
        wanting = self.wanting
        if not role.startswith(self.point.roles) or wanting <= 0:
            return ""
        left = max(self.dials - self.dialled, self.dials // 20) * self.point.passings
        return f"{self.point.name}=kill:{min(self.point.surest, wanting / left):.6f},seed={self.seed}{self._starts}"

    @asynccontextmanager
    async def at(self, on: Stage) -> AsyncIterator[None]:
        """Keep count of the dials."""

        async def count() -> None:
            while True:
                self.dialled = await on.dialled()
                await asyncio.sleep(LOOK_SECONDS)

        self.done = lambda: on.crew.struck("kill")[self.point.name]
        counting = asyncio.create_task(count())
        try:
            yield
        finally:
            counting.cancel()


async def at_points(points: Sequence[Point], task: Task) -> list[Row]:
    """One run in which processes die at these points, each of another role; all but one pass by dialling alone."""
    dials = task.scaled(round(DIALS * max(point.longer for point in points)), 150)
    kills = task.scaled(KILLS, 3)
    aims = [Aim(point, dials, kills, task.seed) for point in points]
    lead = next((point for point in points if point.meanwhile is not only_dialling), points[0])
    layout = Layout(failpoints=lambda role: next(filter(None, (aim.charge(role) for aim in aims)), ""), script=lead.script)
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(stage(layout, task))
        for aim in aims:
            await stack.enter_async_context(aim.at(on))
        finish = await stack.enter_async_context(lead.meanwhile(on, aims[points.index(lead)]))
        campaign = await on.campaign(round(dials * CONTACTS))
        quiet = await on.quiet(campaign, within=120 + dials / 20)
        trouble = await finish() if quiet else "it did not come to rest"
        return await _rows(points, on, campaign, dials, kills, trouble)


async def _rows(points: Sequence[Point], on: Stage, campaign: Seed, dials: int, kills: int, trouble: str) -> list[Row]:
    deaths = on.crew.kills
    found = await judge(on, campaign, kills=[death.at for death in deaths])
    ends = any(point.ends for point in points)
    by_itself = [death for death in on.crew.deaths if death not in deaths and not (ends and death.code == 0)]
    together = " and ".join(point.name for point in points)
    notes = [f"{together} in one run of {len(deaths)} kills"] * (len(points) > 1)
    notes += [trouble, f"{found.dials / max(found.seconds, 1):.0f} dials/s", f"unclear for {found.unclear_seconds:.1f} s at most"]
    notes += [f"{death.role} ended by itself with {death.code}" for death in by_itself]
    passed = (
        found.lawful
        and not trouble
        and not by_itself
        and found.dials >= dials
        and found.unclear_seconds <= UNCLEAR_SECONDS
        and (found.p95 or 0.0) <= RECOVERY_SECONDS
    )
    struck = on.crew.struck("kill")
    said = "; ".join(filter(None, notes))
    return [
        row(SCENARIO, p.name, found, kills=struck[p.name], passed=passed and struck[p.name] >= kills, notes=said) for p in points
    ]


async def run(task: Task) -> list[Row]:
    rows = []
    for together in TOGETHER:
        points = [point for point in POINTS if point.name in together and task.wants(point.name)]
        for point in points:
            task.say(f"{point.name}: {WHERE[point.name]} …")
        rows += await at_points(points, task) if points else []
    return rows


SCENARIO = Scenario(
    1,
    "kill -9 at a fail point",
    does=f"4 workers, cap 50, {DIALS:,} dials and {KILLS} kills at each point",
    passes="0 duplicates, 0 lost, never over the cap, unclear calls settled ≤ 60 s, 0 slots leaked, p95 recovery ≤ 15 s",
    run=run,
    cases=TOGETHER,
    beside={"K1": 5, "K2": 3, "K3": 3, "K4": 1.5, "K5": 1.5, "K10": 10, "K11": 6, "K12": 2},
)
