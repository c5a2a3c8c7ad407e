"""Scenarios 7 and 12: Postgres is restarted fast or at once, and killed."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence

import asyncpg

from tests.support.ledger import Seed
from tests.system.frame import Row, Scenario, Task
from tests.system.stage import Layout, Stage
from tests.system.trial import CAP, PER_SECOND, Fault, steady, trial

TIMES = 4
EVERY_SECONDS = 30.0
KILLS = 6
KILL_EVERY_SECONDS = 10.0
RESUME_SECONDS = 10.0
WAYS: Mapping[str, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


async def end(on: Stage, how: signal.Signals) -> Fault:
    """Send the postmaster this signal and wait until its successor lets us in."""
    server = on.stores.server("postgres")
    assert server is not None
    began = time.time()
    server.send_signal(how)
    await asyncio.to_thread(server.wait, 60)
    await ready(on)
    return Fault(began, time.time())


async def ready(on: Stage) -> None:
    """Wait until Postgres takes a connection and a statement. Raises TimeoutError."""
    async with asyncio.timeout(60):
        while True:
            try:
                connection = await asyncpg.connect(on.stores.database_url, timeout=2)
                await connection.execute("select 1")
                await connection.close()
                return
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await asyncio.sleep(0.05)


async def _trial(task: Task, scenario: Scenario, case: str, how: signal.Signals, times: int, every: float) -> Row:
    async def harm(on: Stage, campaign: Seed) -> Sequence[Fault]:
        faults = []
        for _ in range(times):
            faults.append(await end(on, how))
            await asyncio.sleep(every)
        return faults

    made = await trial(task, Layout(cap=CAP, script=steady()), round(times * every * PER_SECOND), harm)
    notes = f"away for {max(fault.over - fault.began for fault in made.faults):.1f} s at most"
    return made.row(scenario, case, within=RESUME_SECONDS, notes=notes)


async def restart(task: Task) -> list[Row]:
    times, every = task.scaled(TIMES // 2, 1), max(6.0, EVERY_SECONDS * task.scale)
    rows = []
    for case, how in WAYS.items():
        if task.wants(case):
            task.say(f"Postgres restarts, {case} …")
            rows.append(await _trial(task, RESTARTS, case, how, times, every))
    return rows


async def kill(task: Task) -> list[Row]:
    times, every = task.scaled(KILLS, 2), max(5.0, KILL_EVERY_SECONDS * task.scale)
    return [await _trial(task, KILLED, "", signal.SIGKILL, times, every)]


_PASSES = f"the laws (so no call without an intent); dialling again ≤ {RESUME_SECONDS:.0f} s after it is ready; no role ends"

RESTARTS = Scenario(
    7,
    "Postgres restarted",
    does=f"every {EVERY_SECONDS:.0f} s, {TIMES // 2} times fast (sessions are ended, checkpoint) and immediate (as a crash)",
    passes=_PASSES,
    run=restart,
    beside={"": 2},
)
KILLED = Scenario(
    12,
    "Postgres killed",
    does=f"kill -9 of the postmaster, {KILLS} times, every {KILL_EVERY_SECONDS:.0f} s; commits are synchronous",
    passes=_PASSES,
    run=kill,
    beside={"": 1},
)
