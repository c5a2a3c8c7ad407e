"""Scenario 18: campaigns are paused, resumed, cancelled, put away and given other caps at random while they call.

Several clients act on the same campaigns at once. Whatever may have been the order of two requests that were under way together,
what was answered before the next was sent has to hold.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from adapters.simulated.carrier.script import Span
from adapters.simulated.carrier.verdict import of_campaign
from dialer.flows import teams
from tests.support.ledger import Seed
from tests.system.answered import Cap, Said, broken, rises, silences, slow_workers, still_up, sure
from tests.system.client import Answer, Client, client
from tests.system.frame import Found, Row, Scenario, Task, counted, row
from tests.system.judge import judge, together
from tests.system.stage import Layout, Stage, brief, stage
from tests.system.trial import warm

OPERATIONS = 1_000
CAMPAIGNS, CONTACTS, CAP = 8, 200, 12
CLIENTS = 14
HANG_UP_SECONDS = 5.0
SLOW = 0.1
"""The share of dials before which a worker stands still."""
CALLS = brief(ring=Span(0.3, 1.0), patience=Span(2.0, 4.0), talk=Span(3.0, 8.0))
"""Long enough that what is not hung up is still up when it has to be over."""
WEIGHTS: Mapping[str, float] = {
    "pause": 14, "pause and hang up": 8, "edit to paused": 8, "resume": 18, "run": 8, "edit to running": 8, "cap": 28,
    "cancel": 1.5, "cancel and hang up": 1.5, "edit to cancelled": 1, "delete": 4,
}  # fmt: skip
HANG_UP = {"inFlight": "hangUp"}
FROM_THE_START = Said(-math.inf, 0.0)


@dataclass
class Operated:
    """A campaign and what was answered with success of it."""

    seed: Seed
    client: Client
    pauses: list[Said] = field(default_factory=list)
    ends: list[Said] = field(default_factory=list)
    """Cancelled or put away: for good."""
    hung_up: list[Said] = field(default_factory=list)
    starts: list[Said] = field(default_factory=list)
    caps: list[Cap] = field(default_factory=lambda: [Cap(CAP, FROM_THE_START)])

    async def do(self, what: str, cap: int = CAP) -> Answer:
        answer = await self._send(what, cap)
        if answer.good:
            self._note(what, Said(answer.sent, answer.answered), cap)
        return answer

    async def _send(self, what: str, cap: int) -> Answer:
        path = f"/campaigns/{self.seed.campaign}"
        match what.split():
            case ["edit", "to", status]:
                return await self.client.send("PATCH", path, {"status": status})
            case ["cap"]:
                return await self.client.send("PATCH", path, {"maxConcurrentCalls": cap})
            case ["delete"]:
                return await self.client.send("DELETE", path)
            case [verb, *rest]:
                body: dict[str, Any] = HANG_UP if rest else {}
                return await self.client.send("POST", f"{path}/{verb}", body)
        raise ValueError(what)

    def _note(self, what: str, said: Said, cap: int) -> None:
        match what:
            case "pause" | "pause and hang up" | "edit to paused":
                self.pauses.append(said)
            case "cancel" | "cancel and hang up" | "edit to cancelled" | "delete":
                self.ends.append(said)
            case "resume" | "run" | "edit to running":
                self.starts.append(said)
            case "cap":
                self.caps.append(Cap(cap, said))
        if what.endswith("hang up"):
            self.hung_up.append(said)


@dataclass
class Operators:
    """The clients. `going` are the campaigns they act on; one that was put away is followed by a new one."""

    on: Stage
    doors: AsyncExitStack
    most: int
    rng: Random
    all: list[Operated] = field(default_factory=list)
    going: list[Operated] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    begun: int = 0

    async def open(self) -> None:
        """One more campaign, which runs."""
        seed = await self.on.campaign(CONTACTS, prefix=f"+49{4000 + len(self.all)}")
        key, _ = await teams.create_key(
            self.on.database, team_id=seed.team, name="test", scopes=["*"], now=datetime.now(UTC), actor="test"
        )
        made = Operated(seed, await self.doors.enter_async_context(client(self.on, seed.team, key)))
        self.all.append(made)
        self.going.append(made)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._operate())

    async def _operate(self) -> None:
        while self.begun < self.most:
            self.begun += 1
            campaign = self.rng.choice(self.going)
            what = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            answer = await campaign.do(what, self.rng.randint(1, CAP))
            self.done[what] += answer.good
            self.conflicts += answer.status in (404, 409)
            self.wrong[f"{answer.status} to {what}"] += not answer.good and answer.status not in (404, 409)
            if answer.status == 404 or (what == "delete" and answer.good):
                await self._replace(campaign)

    async def _replace(self, campaign: Operated) -> None:
        if campaign in self.going:
            self.going.remove(campaign)
            await self.open()

    async def settle(self) -> None:
        """All that may still call does, with the whole cap."""
        for each in self.all:
            if not each.ends:
                await each.do("cap")
                await each.do("resume")


async def run(task: Task) -> list[Row]:
    layout = Layout(schedulers=2, cap=CAP, script=CALLS, failpoints=lambda role: slow_workers(role, SLOW))
    async with AsyncExitStack() as doors, stage(layout, task) as on:
        clients = Operators(on, doors, task.scaled(OPERATIONS), task.rng("operations"))
        for _ in range(CAMPAIGNS):
            await clients.open()
        await warm(on)
        await clients.run()
        await on.put_script(brief())
        at_rest = await _rest(clients)
        return [await verdict(clients, at_rest)]


async def _rest(clients: Operators) -> bool:
    await clients.settle()
    quiet = [await clients.on.quiet(each.seed, within=180) for each in clients.all if not each.ends]
    nothing_live = "select not exists (select from call_attempts where ended_at is null)"
    return all(quiet) and await clients.on.until(nothing_live, within=60)


async def verdict(clients: Operators, at_rest: bool) -> Row:
    on = clients.on
    found = together([await _judge(on, each) for each in clients.all])
    late, risen, up, uncalled, judged = 0, 0, 0, 0, 0
    books = on.entries()
    for each in clients.all:
        entries = of_campaign(books, each.seed.campaign)
        spans = [*silences(each.pauses, each.starts), *((end.answered, math.inf) for end in each.ends)]
        certain = [*sure(each.pauses, each.starts), *each.ends]
        judged += len(certain)
        late += len(broken(entries, spans))
        risen += len(rises(entries, each.caps))
        up += len(still_up(entries, [said for said in each.hung_up if said in certain], HANG_UP_SECONDS))
        if not each.ends:
            called = list({entry.to for entry in entries})
            missed = "select count(*) from campaign_contacts where campaign_id = $1 and to_number <> all($2)"
            uncalled += await on.pool.fetchval(missed, each.seed.campaign, called)
    wrong = +clients.wrong
    troubles = [f"{n} answers of {what}" for what, n in wrong.items()] + ["it did not come to rest"] * (not at_rest)
    troubles += [f"{death.role} ended by itself with {death.code}" for death in on.crew.deaths]
    notes = [
        f"{clients.begun} operations on {len(clients.all)} campaigns ({counted(clients.done)}; {clients.conflicts} conflicts)",
        f"{late} calls after {judged} sure stops, {risen} above a cap that was set",
        f"{up} up {HANG_UP_SECONDS:g} s after a hang-up",
        f"{uncalled} never called of campaigns that went on",
        *troubles,
    ]
    passed = found.lawful and not (late or risen or up or uncalled or troubles) and judged > 0
    found = replace(found, over_cap=found.over_cap + risen)
    return row(SCENARIO, "", found, kills=0, passed=passed, notes="; ".join(notes))


async def _judge(on: Stage, campaign: Operated) -> Found:
    """Whoever waits in a campaign that was ended is not lost."""
    found = await judge(on, campaign.seed)
    if not campaign.ends:
        return found
    waiting = "select count(*) from campaign_contacts where campaign_id = $1 and status = 'pending'"
    return replace(found, lost=found.lost - await on.pool.fetchval(waiting, campaign.seed.campaign))


SCENARIO = Scenario(
    18,
    "paused, resumed, cancelled, deleted, cap lowered in flight",
    does=f"{OPERATIONS} random operations by {CLIENTS} clients at once on {CAMPAIGNS} campaigns that call",
    passes="the laws; no call from the answer of a pause to its resume, none after a cancel or delete; none at or above a cap "
    f"that was answered; nothing up {HANG_UP_SECONDS:g} s after a hang-up was asked for; everybody called where it went on",
    run=run,
)
