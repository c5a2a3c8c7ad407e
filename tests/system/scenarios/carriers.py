"""Scenario 41: the demo's list called to its end through each adapter, against a fake of its provider, with its vices."""

from __future__ import annotations

import os
import platform

from tests.system.carriers.cast import ROWS
from tests.system.carriers.fake import provider
from tests.system.carriers.kinds import KINDS, Kind, table
from tests.system.carriers.run import dial, verdict
from tests.system.carriers.table import TABLE
from tests.system.frame import Row, Scenario, Task, title
from tests.system.stage import Layout, stage

WORKERS = 2
FEWEST = 20


async def run(task: Task) -> list[Row]:
    return [await through(task, KINDS[name], task.scaled(ROWS, FEWEST)) for name in KINDS if task.wants(name)]


async def through(task: Task, kind: Kind, rows: int) -> Row:
    async with (
        provider(kind.name, task.seed) as fake,
        stage(Layout(workers=WORKERS, cap=kind.cap, trunk=table(kind, fake.url)), task) as on,
    ):
        found = await verdict(await dial(on, kind, fake, rows))
    notes = f"{found.notes}; {platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    return Row(SCENARIO.number, kind.name, (title(SCENARIO, kind.name), *found.cells, notes), found.passed)


SCENARIO = Scenario(
    41,
    "the demo's list through every adapter",
    does=f"all {ROWS} rows imported and called to the end against a fake of the adapter's provider, with its vices",
    passes="the laws; 0 duplicates, lost, over the cap, wrong outcomes; 0 forged callbacks believed; results kept",
    run=run,
    cases=tuple((name,) for name in KINDS),
    beside={kind.name: kind.minutes for kind in KINDS.values()},
    word="carriers",
    table=TABLE,
)
