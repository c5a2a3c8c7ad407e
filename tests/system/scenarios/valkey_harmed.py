"""Scenario 5: Valkey dies, is restarted, stays away, stands still, and has no memory left."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from dialer.queue import close, connect
from tests.support.ledger import Seed
from tests.system.frame import Row, Scenario, Task
from tests.system.stage import Layout, Stage
from tests.system.trial import CAP, PER_SECOND, Fault, steady, trial, while_it_lasts

RESUME_SECONDS = 10.0
REST_SECONDS = 6.0
"""Between two faults, and after the last."""
REPEATED = 3
AWAY_SECONDS = 60.0
STILL_SECONDS = 10.0
FULL_SECONDS = 20.0


async def _ended(on: Stage, how: signal.Signals) -> Fault:
    """Killed or told to end, and revived by whoever looks after it."""
    server = on.stores.server("valkey")
    assert server is not None
    began = time.time()
    server.send_signal(how)
    await asyncio.to_thread(server.wait, 10)
    await answers(on)
    return Fault(began, time.time())


async def _away(on: Stage, seconds: float) -> Fault:
    server = on.stores.server("valkey")
    assert server is not None
    on.stores.revive(False)
    began = time.time()
    server.kill()
    await asyncio.sleep(seconds)
    on.stores.revive(True)
    await answers(on)
    return Fault(began, time.time())


async def _still(on: Stage, seconds: float) -> Fault:
    """What DEBUG SLEEP does, from outside: the embedded server allows no DEBUG."""
    server = on.stores.server("valkey")
    assert server is not None
    return await while_it_lasts(seconds, server.suspend, server.resume)


async def _full(on: Stage, seconds: float) -> Fault:
    valkey = connect(on.stores.redis_url)
    try:
        began = time.time()
        await valkey.config_set("maxmemory", "1")
        await asyncio.sleep(seconds)
        await valkey.config_set("maxmemory", "0")
        return Fault(began, time.time())
    finally:
        await close(valkey)


async def answers(on: Stage) -> None:
    """Wait until Valkey does. Raises TimeoutError."""
    valkey = connect(on.stores.redis_url)
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    await valkey.ping()
                    return
                except Exception:
                    await asyncio.sleep(0.05)
    finally:
        await close(valkey)


Blow = Callable[[Stage], Awaitable[Fault]]


def cases(task: Task) -> Mapping[str, tuple[int, float, Blow]]:
    """Each with how often it comes and how long it lasts."""
    away, still, full = (max(3.0, seconds * task.scale) for seconds in (AWAY_SECONDS, STILL_SECONDS, FULL_SECONDS))
    return {
        "kill -9": (REPEATED, 0.5, lambda on: _ended(on, signal.SIGKILL)),
        "restart": (REPEATED, 0.5, lambda on: _ended(on, signal.SIGTERM)),
        "away": (1, away, lambda on: _away(on, away)),
        "still": (1, still, lambda on: _still(on, still)),
        "out of memory": (1, full, lambda on: _full(on, full)),
    }


async def at_case(task: Task, case: str, times: int, lasts: float, blow: Blow) -> Row:
    async def harm(on: Stage, campaign: Seed) -> Sequence[Fault]:
        faults = []
        for _ in range(times):
            faults.append(await blow(on))
            await asyncio.sleep(REST_SECONDS)
        return faults

    contacts = round(times * (REST_SECONDS + lasts) * PER_SECOND)
    made = await trial(task, Layout(cap=CAP, script=steady()), contacts, harm)
    notes = f"lasted {max(fault.over - fault.began for fault in made.faults):.1f} s"
    return made.row(SCENARIO, case, within=RESUME_SECONDS, notes=notes)


async def run(task: Task) -> list[Row]:
    rows = []
    for case, (times, lasts, blow) in cases(task).items():
        if task.wants(case):
            task.say(f"Valkey {case} …")
            rows.append(await at_case(task, case, times, lasts, blow))
    return rows


SCENARIO = Scenario(
    5,
    "Valkey harmed",
    does=f"kill -9, restart, {AWAY_SECONDS:.0f} s away, {STILL_SECONDS:.0f} s stopped, {FULL_SECONDS:.0f} s out of memory",
    passes=f"the laws; dialling again ≤ {RESUME_SECONDS:.0f} s after it is over; no role ends by itself",
    run=run,
    cases=tuple((case,) for case in cases(Task())),
    beside=dict.fromkeys(cases(Task()), 1),
)
