"""Scenario 8: the roles' database sessions are ended, five a second, while somebody uses the API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import aiohttp
import asyncpg
import psutil

from dialer.flows import teams
from scheduler.clock import SystemClock
from tests.support.ledger import Seed
from tests.system.frame import Row, Scenario, Task
from tests.system.stage import Layout, Stage
from tests.system.trial import CAP, PER_SECOND, Fault, steady, trial

SECONDS = 60.0
EACH_SECOND = 5
SERVER_ERRORS = 0.01
"""Share of answers."""
RESUME_SECONDS = 10.0


@dataclass
class Client:
    """Reads through the API, a request every 20 ms, and asks again once when the answer was a 5xx."""

    answers: int = 0
    errors: int = 0
    again: int = 0
    """Errors that stayed at the second try."""
    others: set[int] = field(default_factory=set)
    """What else than 200 and 5xx was answered; nothing should have been."""

    async def read(self, on: Stage, campaign: Seed) -> None:
        key, _ = await teams.create_key(on.database, team_id=campaign.team, name="chaos", now=SystemClock().now(), actor="test")
        headers = {"Authorization": f"Bearer {key}"}
        own = f"/api/crm/campaigns/{campaign.campaign}"
        paths = (own, f"{own}/contacts", f"/api/crm/contacts?teamId={campaign.team}")
        async with aiohttp.ClientSession(headers=headers) as http:
            while True:
                for path in paths:
                    self.answers += 1
                    if await self._fails(http, on, path):
                        self.errors += 1
                        self.again += await self._fails(http, on, path)
                    await asyncio.sleep(0.02)

    async def _fails(self, http: aiohttp.ClientSession, on: Stage, path: str) -> bool:
        async with http.get(f"{on.api_url}{path}") as answer:
            await answer.read()
            if answer.status != 200 and answer.status < 500:
                self.others.add(answer.status)
            return answer.status >= 500


async def end_one(judge: asyncpg.Connection[asyncpg.Record], rng: Random) -> bool:
    """End a random session of the roles: not ours, which are known by our own ports."""
    ours = [each.laddr.port for each in psutil.Process().net_connections("tcp") if each.laddr]
    pids = await judge.fetch(
        "select pid from pg_stat_activity where application_name = 'dialer' and client_port <> all($1::int[]) order by pid", ours
    )
    return bool(pids) and await judge.fetchval("select pg_terminate_backend($1)", rng.choice(pids)["pid"])


async def run(task: Task) -> list[Row]:
    seconds = max(8.0, SECONDS * task.scale)
    rng = task.rng("sessions")
    client = Client()

    async def harm(on: Stage, campaign: Seed) -> Sequence[Fault]:
        judge = await asyncpg.connect(on.stores.database_url)
        reading = asyncio.create_task(client.read(on, campaign))
        faults = []
        try:
            for _ in range(round(seconds * EACH_SECOND)):
                if await end_one(judge, rng):
                    faults.append(Fault(time.time(), time.time()))
                await asyncio.sleep(1 / EACH_SECOND)
                if reading.done():
                    reading.result()
        finally:
            reading.cancel()
            await asyncio.wait({reading})
            await judge.close()
        return faults

    made = await trial(task, Layout(cap=CAP, script=steady()), round(seconds * PER_SECOND), harm)
    share = client.errors / max(client.answers, 1)
    notes = f"{client.answers} requests, {client.errors} × 5xx, {client.again} again at the second try"
    notes += f", others than 200: {sorted(client.others)}" * bool(client.others)
    passed = share <= SERVER_ERRORS and not client.again and not client.others
    return [made.row(SCENARIO, "", within=RESUME_SECONDS, notes=notes, passed=passed)]


SCENARIO = Scenario(
    8,
    "database sessions ended",
    does=f"pg_terminate_backend of a random session of the roles, {EACH_SECOND} a second for {SECONDS:.0f} s",
    passes=f"the laws; the API answers ≤ {SERVER_ERRORS:.0%} with 5xx, none twice; pauses ≤ {RESUME_SECONDS:.0f} s; no role ends",
    run=run,
)
