"""Scenario 17: numbers are forbidden while their calls are about to start, in every way in which the API takes a "no".

Two campaigns of one team call the same people. Many clients at once forbid those who are near their dial: next in line, just
claimed, in a call, or waiting for a retry.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from random import Random

import aiohttp

from adapters.simulated.carrier.verdict import dialled_twice
from tests.support.api import fresh_team
from tests.support.engine import TRUNK
from tests.support.ledger import Seed
from tests.system.answered import Said, after, beside, slow_workers, waits
from tests.system.client import Answer, Client, client
from tests.system.frame import Row, Scenario, Task, counted, row
from tests.system.judge import judge, together
from tests.system.stage import Layout, Stage, brief, stage
from tests.system.trial import warm

NOES, SPARE = 10_000, 2_000
CAP = 40
SHARED = 0.4
"""The share of the people whom the second campaign calls too; its retries wait for a minute."""
WRITERS = 64
FILE_ROWS = 40
WAYS: Mapping[str, float] = {"flag": 0.12, "list": 0.08, "file": 0.80}
"""Shares of the numbers."""
SPELLINGS = ("+1415{}", "1415{}", "415{}", "+1 415 {}", " 1 415 {} ", "(415) {}", "1-415-{}", "+1 (415) {}")
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 10.0
LINGER_SECONDS = 5.0
NEAR = """
with ours as not materialized (select * from campaign_contacts where campaign_id = any($1))
select seen, contact_id as contact, to_number as number from (
  (select 'claimed' as seen, contact_id, to_number from ours where status = 'queued' limit 30)
  union all
  (select 'in a call', contact_id, to_number from ours where status = 'calling' limit 20)
  union all
  (select 'waiting for a retry', contact_id, to_number from ours where status = 'pending' and attempts > 0 limit 30)
  union all
  select 'next in line', head.contact_id, head.to_number from lanes l cross join lateral (
    select contact_id, to_number from campaign_contacts t
    where t.campaign_id = l.campaign_id and t.place_set_id = l.place_set_id and t.priority = l.priority and t.waiting
    order by t.next_attempt_at, t.id limit 150) head
  where l.campaign_id = any($1)) near
"""
TURNS = """
select t.id, t.to_number as number, extract(epoch from h.at)::float8 as at, h.after
from campaign_contacts t join history h on h.entity = 'contact' and h.entity_id = t.id
where t.campaign_id = any($1) order by t.id, h.id
"""


@dataclass(frozen=True, slots=True)
class Person:
    seen: str
    """Where this contact stood when it was chosen."""
    contact: str
    number: str


@dataclass
class Noes:
    """The writers, and what they were told. `said` is by number."""

    on: Stage
    client: Client
    campaigns: Sequence[str]
    most: int
    rng: Random
    said: dict[str, Said] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    refused: list[Answer] = field(default_factory=list)
    _chosen: set[str] = field(default_factory=set)
    _near: deque[Person] = field(default_factory=deque)
    _looked: float = 0.0
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(self._write())

    async def _write(self) -> None:
        while True:
            way = self._way()
            people = await self._next(FILE_ROWS if way == "file" else 1)
            if not people:
                return
            answer = await getattr(self, f"_{way}")(people)
            if not answer.good:
                self.refused.append(answer)
                continue
            self.ways[way] += len(people)
            for person in people:
                self.said[person.number] = Said(answer.sent, answer.answered)
                self.seen[person.seen] += 1

    def _way(self) -> str:
        """Drawn so that the numbers come to `WAYS`, though a file holds many."""
        weights = [share / (FILE_ROWS if way == "file" else 1) for way, share in WAYS.items()]
        return self.rng.choices(list(WAYS), weights)[0]

    async def _flag(self, people: Sequence[Person]) -> Answer:
        return await self.client.send("PATCH", f"/contacts/{people[0].contact}", {"doNotCall": True})

    async def _list(self, people: Sequence[Person]) -> Answer:
        body = {"teamId": self.client.team, "phoneNumber": self._spelled(people[0].number)}
        return await self.client.send("POST", "/suppressions", body)

    async def _file(self, people: Sequence[Person]) -> Answer:
        form = aiohttp.FormData({"teamId": self.client.team})
        text = "\n".join(["phone_number", *(self._spelled(person.number) for person in people)])
        form.add_field("file", text.encode(), filename="no.csv", content_type="text/csv")
        return await self.client.send("POST", "/suppressions/import", form)

    def _spelled(self, number: str) -> str:
        return self.rng.choice(SPELLINGS).format(number.removeprefix("+1415"))

    async def _next(self, most: int) -> list[Person]:
        """Some who are near their dial now; nobody when it is enough, or when nobody was near for a while."""
        found: list[Person] = []
        begun = time.monotonic()
        async with self._looking:
            while len(found) < most and len(self._chosen) < self.most:
                if not self._near or time.monotonic() > self._looked + LOOK_SECONDS:
                    await self._look()
                if not self._near:
                    if found or time.monotonic() > begun + PATIENCE_SECONDS:
                        break
                    await asyncio.sleep(LOOK_SECONDS)
                    continue
                person = self._near.popleft()
                if person.number not in self._chosen:
                    self._chosen.add(person.number)
                    found.append(person)
        return found

    async def _look(self) -> None:
        near = [Person(*r) for r in await self.on.pool.fetch(NEAR, list(self.campaigns))]
        fresh = [person for person in near if person.number not in self._chosen]
        self.rng.shuffle(fresh)
        self._near = deque(fresh)
        self._looked = time.monotonic()


async def people(one: Client, count: int) -> None:
    """Contacts with numbers of San Francisco, the first of them tagged as those whom both campaigns call."""
    rows = (f"Given,Name {n},+1415{2_000_000 + n},{'both' if n < SHARED * count else 'one'}\n" for n in range(count))
    form = aiohttp.FormData({"teamId": one.team})
    file = f"firstName,lastName,phone,tags\n{''.join(rows)}".encode()
    form.add_field("file", file, filename="people.csv", content_type="text/csv")
    told = await one.post("/contacts/import", form)
    assert told["imported"] == count, told


async def campaigns(one: Client) -> list[Seed]:
    """The two campaigns, which run."""
    assistant = (await one.post("/assistants", {"teamId": one.team, "name": "Ada", "adapter": TRUNK}))["assistant"]["id"]
    number = {"teamId": one.team, "phoneNumber": "+14155550100", "assistantId": assistant, "adapter": TRUNK}
    caller_id = (await one.post("/phone-numbers", number))["phone_number"]["id"]
    common = {"teamId": one.team, "assistantId": assistant, "fromNumberIds": [caller_id], "maxConcurrentCalls": CAP}
    common |= {"callWindowStart": "00:00", "callWindowEnd": "24:00"}
    made = []
    for own, tags in (
        ({"name": "All", "maxAttemptsPerContact": 3, "retryDelayMinutes": 0}, []),
        ({"name": "Some again", "maxAttemptsPerContact": 2, "retryDelayMinutes": 1}, ["both"]),
    ):
        id = (await one.post("/campaigns", common | own))["campaign"]["id"]
        await one.post(f"/campaigns/{id}/contacts", {"audience": {"mode": "all_eligible", "tags": tags}})
        made.append(Seed(one.team, assistant, (caller_id,), id))
    for each in made:
        await one.post(f"/campaigns/{each.campaign}/run", {})
    return made


async def run(task: Task) -> list[Row]:
    noes, spare = task.scaled(NOES), task.scaled(SPARE)
    calls = brief(send=("answered", "ended"))
    async with stage(Layout(schedulers=2, cap=CAP, script=calls, failpoints=slow_workers), task) as on:
        team, key = await fresh_team(on.database, "Team")
        async with client(on, team, key) as one:
            await people(one, noes + spare)
            both = await campaigns(one)
            await warm(on)
            writers = Noes(on, one, [each.campaign for each in both], noes, task.rng("noes"))
            begun = time.time()
            await writers.run()
            task.say(f"{len(writers.said)} numbers forbidden in {time.time() - begun:.0f} s")
            troubles = [] if all([await on.quiet(each, within=240) for each in both]) else ["it did not come to rest"]
        return [await verdict(on, both, writers, troubles)]


async def verdict(on: Stage, both: Sequence[Seed], writers: Noes, troubles: list[str]) -> Row:
    entries = on.entries()
    found = together([await judge(on, each) for each in both])
    found = replace(found, duplicates=max(found.duplicates, dialled_twice(entries)))
    late = after(entries, writers.said)
    meanwhile = beside(entries, writers.said)
    pending = await _pending(on, both, writers.said)
    lingered = [seconds for seconds in pending if seconds > LINGER_SECONDS]
    taken_back = await on.pool.fetchval(
        "select count(*) from call_attempts where state = 'recalled' and reason in ('do_not_call', 'suppressed')"
    )
    troubles += [f"{death.role} ended by itself with {death.code}" for death in on.crew.deaths]
    refused = Counter(answer.status for answer in writers.refused)
    troubles += [f"{n} answers of {status}" for status, n in refused.items()]
    notes = [
        f"{len(late)} calls after the answer of {len(writers.said)} ({counted(writers.ways)}; {counted(writers.seen)})",
        f"{len(meanwhile)} between request and answer, {taken_back} taken back",
        f"{len(pending)} pending after the answer, {max(pending, default=0.0):.1f} s at most",
        *troubles,
    ]
    passed = found.lawful and not (late or lingered or troubles) and bool(writers.said)
    return row(SCENARIO, "", found, kills=0, passed=passed, notes="; ".join(notes))


async def _pending(on: Stage, both: Sequence[Seed], said: Mapping[str, Said]) -> list[float]:
    """For how long each enrolment of a forbidden number was pending after the answer, if at all."""
    rows = await on.pool.fetch(TURNS, [each.campaign for each in both])
    seconds = []
    now = time.time()
    for (_, number), turns in groupby(rows, key=lambda r: (r["id"], r["number"])):
        if number in said:
            seconds.append(waits([(r["at"], r["after"]) for r in turns], said[number].answered, now))
    return [each for each in seconds if each > 0]


SCENARIO = Scenario(
    17,
    "do not call between enqueue and dial",
    does=f"{NOES} people who are next in line, claimed, in a call or waiting for a retry are forbidden, by flag, list and file, "
    "in every spelling, while two campaigns call them",
    passes=f"the laws; no call to a number after the answer of its no; no entry of it pending {LINGER_SECONDS:g} s later",
    run=run,
)
