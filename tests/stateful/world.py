"""A small world that stands still between two steps: a team with two campaigns over the same people, processes that can be
killed, a carrier with its books, and what was promised to those who said no.

Everything real but time: the flows, Postgres, Valkey, HTTP to the carrier. `judge` reads the promises; nothing here decides.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg

from adapters.base import Hook
from adapters.simulated import translate
from adapters.simulated.carrier.calls import payload
from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.script import Event, Fate
from adapters.simulated.carrier.server import Carrier
from dialer.flows.place import Trunk
from dialer.store import claims
from dialer.store.database import Database, Pool
from scheduler.frequency import FrequencyCap
from scheduler.planner import plan
from tests.stateful.promises import Promises
from tests.support.carrier import API_KEY, SIGNING_SECRET
from tests.support.engine import TRUNK, settings_for
from tests.support.line import Line, Mishap, Stop, script
from tests.support.process import Process
from tests.support.standstill import BEGIN_AGAIN, CarrierTimer, Moment

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""A Monday: 13:00 in Berlin, 07:00 in New York."""
ZONES = ("Europe/Berlin", "America/New_York")
PEOPLE, NUMBERS = 6, 2
TWO_PHONES = (2, 4)
"""Who has a second number, which rings in New York; the first rings in Berlin."""
TRUNK_CAP, TEAM_CAP, NUMBER_CAP = 4, 4, 3
FREQUENCIES: list[list[FrequencyCap]] = [
    [],
    [FrequencyCap(2, 1, "number", "attempts", "")],
    [FrequencyCap(1, 1, "person", "attempts", ""), FrequencyCap(4, 3, "number", "attempts", "")],
    [FrequencyCap(1, 2, "person", "conversations", ""), FrequencyCap(3, 1, "person", "attempts", "")],
]
"""How often the team lets anybody be called, in stories of an hour or two."""

HAPPENED: tuple[Event, ...] = ("ringing", "answered", "ended", "result")

_EMPTY = """
truncate teams, api_keys, companies, contacts, assistants, phone_numbers, campaigns, campaign_contacts, call_attempts,
  call_events, suppressions, import_batches, import_rejects, audit, history, scopes, campaign_tallies, lanes, custom_fields,
  receipts, storms cascade
"""
_TEAM = """
with team as (insert into teams (name, max_concurrent_calls, default_region) values ('t', $1, 'DE') returning id),
speaker as (insert into assistants (team_id, name, adapter) select id, 'Ada', $2 from team returning id, team_id),
ids as (insert into phone_numbers (team_id, phone_number, assistant_id, adapter, max_concurrent_calls)
  select team_id, '+4930123450' || n, id, $2, $3 from speaker, generate_series(1, $4) n returning id)
select speaker.team_id as team, speaker.id as assistant, array_agg(ids.id) as numbers from speaker, ids group by 1, 2
"""
_CAMPAIGN = """
insert into campaigns (team_id, assistant_id, name, status, from_number_ids, call_window_start, call_window_end,
  max_concurrent_calls, max_attempts_per_contact, retry_delay_minutes, settings)
values ($1, $2, 'c', 'draft', $3, $4, $5, $6, 3, 0, '{"use_secondary_phone": true}') returning id
"""
_PERSON = """
insert into contacts (team_id, first_name, last_name, phone, timezone, place_set_id, place_source)
  values ($1, 'Ada', 'Byron', $2, $3, (select id from place_sets where zones = array[$3]), 'contact') returning id
"""
_PERSON_OF_TWO = """
insert into contacts (team_id, first_name, last_name, phone, phone_secondary, place_set_id, second_place_set_id, place_source)
  values ($1, 'Ada', 'Byron', $2, $3, (select id from place_sets where zones = array['Europe/Berlin']),
    (select id from place_sets where zones = array['America/New_York']), 'number') returning id
"""


@dataclass
class Dial:
    """A job that is under way in a process: before its transmission, or (`sent`) after it, with the answer unread."""

    attempt: str
    process: Process
    job: asyncio.Task[None]
    sent: bool = False


@dataclass
class World:
    pool: Pool
    moment: Moment
    carrier: Carrier
    line: Line
    processes: list[Process]
    engine: Any
    redis: Any
    team: str = ""
    assistant: str = ""
    numbers: list[str] = field(default_factory=list)
    campaigns: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    dials: dict[str, Dial] = field(default_factory=dict)
    stops: dict[str, Stop] = field(default_factory=dict)
    promises: Promises = field(default_factory=Promises)
    asks: dict[str, str] = field(default_factory=dict)
    """What was asked for in calls: attempt → when to call back, as its result will tell."""
    opted_out: set[str] = field(default_factory=set)
    """The attempts in which somebody said that they do not want to be called again, as its result will tell."""

    # ── beginnings ──

    def begin(self) -> Process:
        trunks = {TRUNK: Trunk(self.line, None, "")}  # no callbacks by themselves: `tell` brings them, as often as it likes
        settings = settings_for("postgresql://u:p@unused/d", "redis://unused", self.carrier.url)
        return Process(settings, Database(self.pool, self.engine), self.redis, self.moment, trunks)

    async def furnish(self) -> None:
        """The team, its campaigns (running), and people who are enrolled in both but for the last."""
        async with self.pool.acquire() as on, on.transaction():
            await on.execute(_EMPTY)
            await on.execute(BEGIN_AGAIN)
            for zone in ZONES:
                await on.execute("insert into place_sets (zones) values (array[$1::text]) on conflict do nothing", zone)
            made = await on.fetchrow(_TEAM, TEAM_CAP, TRUNK, NUMBER_CAP, NUMBERS)
            self.team, self.assistant, self.numbers = made["team"], made["assistant"], made["numbers"]
            for start, end, cap in (("09:00", "17:00", 3), ("00:00", "24:00", 2)):
                own = (self.team, self.assistant, self.numbers, start, end, cap)
                campaign = await on.fetchval(_CAMPAIGN, *own)
                self.campaigns.append(campaign)
                self.promises.windows[campaign], self.promises.caps[campaign] = [(start, end)], [cap]
            for n in range(PEOPLE):
                zone = ZONES[n % 2]
                number = f"+49301000000{n}"
                if n in TWO_PHONES:  # where each number says
                    second = f"+1212555010{n}"
                    person = await on.fetchval(_PERSON_OF_TWO, self.team, number, second)
                    self.promises.seconds[person] = second
                else:
                    person = await on.fetchval(_PERSON, self.team, number, zone)
                    self.promises.zones[person] = zone
                self.people.append(person)
                self.promises.numbers[person] = number
            for campaign in self.campaigns:
                enrolled = self.people if campaign == self.campaigns[0] else self.people[:-1]
                await on.execute(
                    """insert into campaign_contacts (campaign_id, team_id, contact_id, status, to_number, place_set_id,
                         next_attempt_at, created_at)
                       select $1, team_id, id, 'pending', phone, place_set_id, $3, $3 from contacts where id = any($2)""",
                    campaign, enrolled, self.moment.now(),
                )  # fmt: skip
                self.promises.enrolled |= {(campaign, each) for each in enrolled}
            await on.execute("update campaigns set status = 'running', started_at = $1", self.moment.now())
        await claims.declare_trunks(self.pool, {TRUNK: TRUNK_CAP})

    # ── steps of the engine ──

    async def tick(self, process: Process, dies: str = "") -> bool:
        """One round of a scheduler over everything. True when it died."""

        async def work() -> None:
            await process.book.release(plan(await process.book.snapshot(None)))

        return await self.do(process, work(), dies)

    async def tick_together(self, processes: Sequence[Process]) -> None:
        """A round of each, all planned before the first of them releases."""
        plans = [(process, plan(await process.book.snapshot(None))) for process in processes]
        for process, made in plans:
            await process.book.release(made)

    async def do(self, process: Process, work: Coroutine[Any, Any, Any], dies: str = "") -> bool:
        """Do `work`, or die at the gate `dies` if it comes there; a dead process is followed by a new one. True when it died."""
        if not dies:
            await work
            await process.still()
            return False
        if not await process.die_at(dies, work):
            return False
        self._bury(process)
        return True

    async def kill(self, process: Process) -> None:
        await process.kill()
        self._bury(process)

    def _bury(self, dead: Process) -> None:
        self.processes[self.processes.index(dead)] = self.begin()
        self.dials = {attempt: dial for attempt, dial in self.dials.items() if dial.process is not dead}
        self.promises.forget(dead)

    async def take(self, process: Process, attempts: Sequence[str], *, times: int = 1, dies: str = "") -> list[str]:
        """Take up the dial jobs of these attempts together, each so many times; those that now stand before the transmission."""
        rows = await self.pool.fetch("select id, campaign_id from call_attempts where id = any($1)", list(attempts))
        stopped = process.gates.close(dies) if dies else asyncio.get_running_loop().create_future()
        stops = {row["id"]: self.line.before.setdefault(row["id"], Stop()) for row in rows}
        jobs = [
            (row["id"], process.start(process.placer.place(row["id"], row["campaign_id"], TRUNK)))
            for row in rows
            for _ in range(times)
        ]
        while not stopped.done() and (going := [(id, job) for id, job in jobs if not job.done() and not stops[id].here.done()]):
            await asyncio.wait(
                {stopped, *(f for id, job in going for f in (job, stops[id].here))}, return_when=asyncio.FIRST_COMPLETED
            )
        process.gates.open_all()
        if stopped.done():
            await self.kill(process)
            return []
        await process.still()
        for id, job in jobs:
            self.line.before.pop(id, None)
            if job.done():
                job.result()
            else:
                self.dials[id] = Dial(id, process, job)
                self.line.after[id] = Stop()
                self.stops[id] = stops[id]
        return [id for id, job in jobs if not job.done()]

    async def transmit(self, attempt: str, mishap: Mishap, fate: Fate, talk: float) -> None:
        """Let one that stands before its transmission go on, up to where the carrier's answer is read."""
        dial = self.dials[attempt]
        self.carrier.script = script(fate, mishap, talk)
        self.line.mishaps[attempt] = mishap
        after = self.line.after[attempt]
        self.stops.pop(attempt).go.set_result(None)
        await asyncio.wait({after.here, dial.job}, return_when=asyncio.FIRST_COMPLETED)
        assert after.here.done(), dial.job
        dial.sent = True
        self.stops[attempt] = after

    async def finish(self, attempt: str, dies: str = "") -> bool:
        """Let one that was transmitted write down what came of it. True when it died on the way."""
        dial = self.dials.pop(attempt)
        self.stops.pop(attempt).go.set_result(None)

        async def end() -> None:
            await dial.job

        return await self.do(dial.process, end(), dies)

    # ── the carrier's side ──

    def entries(self) -> list[Entry]:
        return list(self.carrier.journal.entries.values())

    @staticmethod
    def happened(entry: Entry) -> list[Event]:
        times = {"ringing": entry.ringing, "answered": entry.answered, "ended": entry.ended, "result": entry.resulted}
        return [event for event in HAPPENED if times[event] is not None]

    async def tell(self, process: Process, told: Sequence[tuple[Entry, Event]], *, together: bool, dies: str = "") -> bool:
        """Callbacks, each signed and read as the door does it: one after the other, or all at once. True when it died."""

        async def one(entry: Entry, event: Event) -> None:
            at = self.moment.now()
            said = payload(entry, event)
            if event == "result" and entry.attempt in self.asks:
                said["data"] = {**said.get("data", {}), "callback_at": self.asks[entry.attempt]}
            if event == "result" and entry.attempt in self.opted_out:
                said["data"] = {**said.get("data", {}), "do_not_call": True}
            body = json.dumps(said).encode()
            stamp = f"{at.timestamp():.3f}"
            headers = {translate.TIMESTAMP: stamp, translate.SIGNATURE: translate.sign(SIGNING_SECRET, stamp, body)}
            events, reply = self.line.receive(Hook("POST", "http://unused", headers, body, at))
            assert reply.status == 204 and events
            await process.follower.follow(TRUNK, events)

        async def all_of_them() -> None:
            if together:
                await asyncio.gather(*(one(*each) for each in told))
            else:
                for each in told:
                    await one(*each)

        return await self.do(process, all_of_them(), dies)

    async def wait(self, seconds: float) -> None:
        """Time passes: calls go on at the carrier, fences are waited out and answered."""
        await self.moment.pass_by(self.pool, seconds)
        for process in self.processes:
            await process.still()
        await self.promises.answer(self.moment.monotonic())

    async def attempt(self, id: str) -> asyncpg.Record:
        return await self.pool.fetchrow("select * from call_attempts where id = $1", id)


def written(caps: Sequence[FrequencyCap]) -> list[dict[str, Any]]:
    """As people write them."""
    return [{"calls": cap.calls, "hours": cap.hours, "per": cap.per, "counts": cap.counts} for cap in caps]


@asynccontextmanager
async def world(database: Database, redis: Any, caps: Sequence[FrequencyCap] = ()) -> AsyncIterator[World]:
    """`caps`: the frequency caps that the team begins with."""
    async with AsyncExitStack() as stack:
        moment = Moment(START)
        await moment.pass_by(database.pool, 0)
        carrier = await stack.enter_async_context(
            Carrier(api_key=API_KEY, signing_secret=SIGNING_SECRET, timer=CarrierTimer(moment))
        )
        line = await stack.enter_async_context(Line(carrier, moment))
        made = World(database.pool, moment, carrier, line, [], database.engine, redis)
        await redis.flushdb()
        await made.furnish()
        await made.pool.execute("update teams set frequency_caps = $1", written(caps))
        made.promises.frequencies = [caps]
        made.processes = [made.begin(), made.begin()]
        try:
            yield made
        finally:
            for process in made.processes:
                await process.kill()
