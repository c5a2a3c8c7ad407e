"""Scenario 9: the disk of the ledger is full."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from dialer.flows import teams
from scheduler.clock import SystemClock
from tests.support.ledger import Seed
from tests.system.disk import CannotMount, fill, make_room
from tests.system.frame import Row, Scenario, Task, cannot
from tests.system.scenarios.postgres_restarts import ready
from tests.system.stage import Layout, Stage
from tests.system.trial import CAP, PER_SECOND, Fault, steady, trial

DISK = 384 * 1024**2
SECONDS = 30.0
SPILL_SECONDS = 5.0
"""What is left of started pages and of the write-ahead log is used up in so many seconds after the disk is full."""
REFILL_SECONDS = 0.02
"""How often what an aborted statement gave back is taken away again: in half a second a claim or two finds room in it."""
REST_SECONDS = 12.0
RECOVER_SECONDS = 30.0
ROWS = 5_000
FILE = ("firstName,lastName,phone\n" + "".join(f"Full,Disk {n},+4989{1_000_000 + n}\n" for n in range(ROWS))).encode()
IMPORTED = "select count(*) from contacts where team_id = $1 and first_name = 'Full'"


@dataclass
class Told:
    """What the API answered while the disk was full."""

    refused: int = 0
    other: set[str] = field(default_factory=set)
    """Answers that are not 503 with Retry-After."""
    imported: int = 0
    """Rows of the file that are to be seen afterwards."""
    dialled: list[float] = field(default_factory=list)


async def ask(on: Stage, campaign: Seed, told: Told) -> None:
    """Fill the disk, and import a file of contacts again and again."""
    key, _ = await teams.create_key(on.database, team_id=campaign.team, name="chaos", now=SystemClock().now(), actor="test")
    await _full(on)
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}, timeout=timeout) as http:
        while True:
            form = aiohttp.FormData({"teamId": campaign.team})
            form.add_field("file", FILE, filename="contacts.csv", content_type="text/csv")
            async with http.post(f"{on.api_url}/api/crm/contacts/import", data=form) as answer:
                if answer.status == 503 and "Retry-After" in answer.headers:
                    told.refused += 1
                else:
                    told.other.add(f"{answer.status}{' without Retry-After' * (answer.status == 503)}")
            await asyncio.sleep(0.5)


async def _full(on: Stage) -> None:
    await asyncio.to_thread(fill, on.disk)


async def run(task: Task) -> list[Row]:
    seconds = max(10.0, SECONDS * task.scale)
    told = Told()

    async def harm(on: Stage, campaign: Seed) -> Sequence[Fault]:
        began = time.time()
        asking = asyncio.create_task(ask(on, campaign, told))
        try:
            while time.time() < began + seconds:
                await asyncio.sleep(REFILL_SECONDS)
                await _full(on)
                if asking.done():
                    asking.result()
        finally:
            asking.cancel()
            await asyncio.wait({asking})
        full = (began + SPILL_SECONDS, time.time())
        await asyncio.to_thread(make_room, on.disk)
        over = time.time()
        await ready(on)
        await asyncio.sleep(REST_SECONDS)
        told.imported = await on.pool.fetchval(IMPORTED, campaign.team)
        told.dialled = [entry.accepted for entry in on.entries() if full[0] < entry.accepted < full[1]]
        return [Fault(began, over)]

    layout = Layout(cap=CAP, script=steady(), disk=DISK)
    try:
        made = await trial(task, layout, round((SPILL_SECONDS + REST_SECONDS) * PER_SECOND), harm)
    except CannotMount as fault:
        return [cannot(SCENARIO, f"no file system of its own for the ledger: {fault}")]
    notes = (
        f"{len(told.dialled)} calls while it was full; {told.refused} imports refused with 503 and Retry-After"
        + f", but {', '.join(sorted(told.other))}" * bool(told.other)
        + f"; {told.imported} of a file's {ROWS} rows to be seen"
    )
    passed = not told.dialled and not told.other and told.refused > 0 and told.imported in (0, ROWS)
    return [made.row(SCENARIO, "", within=RECOVER_SECONDS, notes=notes, passed=passed)]


SCENARIO = Scenario(
    9,
    "disk of Postgres full",
    does=f"its data lie on a disk of {DISK // 1024**2} MB that is filled to the last byte for {SECONDS:.0f} s, imports meanwhile",
    passes=f"the laws; 0 calls while it is full; the API answers 503 with Retry-After, no import is half there; "
    f"dialling again ≤ {RECOVER_SECONDS:.0f} s after there is room",
    run=run,
    beside={"": 1},
)
