"""Scenario 4: Valkey is emptied again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dialer.queue import close, connect
from tests.support.ledger import Seed
from tests.system.frame import Row, Scenario, Task
from tests.system.stage import Layout, Stage
from tests.system.trial import Fault, at_once, trial

DIALS = 10_000
CONTACTS = 9_100
"""Some are called again."""
EVERY_SECONDS = 10.0
PAUSE_SECONDS = 5.0


async def run(task: Task) -> list[Row]:
    dials = task.scaled(DIALS, 300)
    every = max(2.0, EVERY_SECONDS * task.scale)

    async def flush(on: Stage, campaign: Seed) -> Sequence[Fault]:
        valkey = connect(on.stores.redis_url)
        faults = []
        try:
            while await on.dialled() < 0.95 * dials:
                faults.append(await at_once(valkey.flushall()))
                await asyncio.sleep(every)
        finally:
            await close(valkey)
        return faults

    made = await trial(task, Layout(), task.scaled(CONTACTS, 300), flush)
    notes = f"{made.found.dials / max(made.found.seconds, 1):.0f} dials/s"
    return [made.row(SCENARIO, "", within=PAUSE_SECONDS, notes=notes, passed=made.found.dials >= dials * 0.98)]


SCENARIO = Scenario(
    4,
    "Valkey flushed every 10 s",
    does=f"4 workers, cap 50, {DIALS:,} dials, FLUSHALL every {EVERY_SECONDS:.0f} s",
    passes=f"the laws; after no flush is nobody dialled for more than {PAUSE_SECONDS:.0f} s",
    run=run,
)
