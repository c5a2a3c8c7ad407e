"""Scenario 30: at one moment the windows of ten thousand campaigns open, and millions of contacts are due.

What may be dialled is bounded by the trunk's calls per second, which are fewer than two cores can place: all campaigns have more
slots free than that, so a turn through all of them takes minutes. "Starved for two ticks" can therefore not mean "not called for
two ticks". `tests.system.turns` says what it means, and how the ledger's history shows it: nobody is passed over in more than two
of the rounds in which somebody was served, and while anybody waits, the next round is not further off than what the rate needs to
have room again and two ticks. The burst lasts until the carrier has had a call of every campaign, and a while longer, so that
second calls are judged too; a campaign that it has not had one of after `TURNS` turns at the full rate was forgotten.

The rounds are those of which the scheduler's log tells. Those over one campaign whose call ended are many and short, so the worst
is told as well. Memory is what the system says is resident.

Most of the contacts are not called in the time: at the end everything is paused, and those who wait are not lost.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.script import Span
from adapters.simulated.carrier.verdict import dialled_twice, peak
from dialer.store.database import Database
from scheduler.pacing import Burst
from tests.benchmarks.resting import free_port
from tests.support.laws import laws_hold, nothing_left
from tests.system.crowd import OPEN, gather, pause_all, run_all
from tests.system.frame import Found, Row, Scenario, Task, cannot, row
from tests.system.gauges import Memory, percentile, rounds
from tests.system.judge import broken_law
from tests.system.scenarios.valkey_fails_over import fastest
from tests.system.stage import Layout, NoRoom, Stage, brief, stage
from tests.system.turns import Waits, turns_of, waits

CONTACTS = 2_000_000
CAMPAIGNS = 10_000
BYTES = 1_600
"""Of the ledger's files for each contact, with what building their indexes needs meanwhile."""
RATE = 100
"""Calls per second that the trunk allows."""
SECONDS, LEAST_SECONDS = 60.0, 30.0
"""From the opening to the end, at least: of the full run, and of any."""
TURNS = 3
"""In how many turns through all campaigns, at the full rate, each has had a call: a round that reads ten thousand campaigns takes
its time, in which the rate is not used."""
AFTER_SECONDS = 15.0
"""How long it goes on when each has."""
AHEAD = timedelta(seconds=8)
SETTLED_SECONDS = 20
"""After the opening: what everybody who works needs by then is there."""
TICK_SECONDS, TICKS = 1.0, 2
TICK_P99 = 1.0
PAUSE_SECONDS = Burst.of(RATE).seconds + TICKS * TICK_SECONDS
GROWTH = 0.05
"""Of the resident memory of a role, from the middle of the burst to its end; that is noise."""
LAW_SECONDS, LAW_CONTACTS = 120.0, 10_000
"""How long a law may take: so many seconds, or one for so many contacts, for some look at each of them."""


async def failures(port: int) -> float:
    """How many rounds of its loops failed, by the scheduler's own figures."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        text = await answer.text()
    return sum(float(n) for n in re.findall(r"^dialer_failures_total\S* (\S+)$", text, re.MULTILINE))


async def judge(on: Stage, entries: Sequence[Entry], opens: float, closes: float, law_seconds: float) -> Found:
    """`tests.system.judge` for many campaigns at once: most of their contacts are still waiting, and are not lost."""
    async with await Database.open(on.stores.database_url, pool_size=1, statement_timeout=law_seconds) as database:
        pool = database.pool
        broken = [await broken_law(lambda: laws_hold(pool)), await broken_law(lambda: nothing_left(pool))]
        attempts = {r["id"]: r for r in await pool.fetch("select id, state, outcome, placing_at from call_attempts")}
        lost = await pool.fetchval("select coalesce(sum(n), 0) from campaign_tallies where status in ('queued', 'calling')")
        caps = {r["id"]: r["cap"] for r in await pool.fetch("select id, max_concurrent_calls as cap from campaigns")}
        leaked = await pool.fetchval("select coalesce(sum(active), 0) from scopes where key like 'campaign:%'")
        unclear = await pool.fetchval(
            """select coalesce(max(extract(epoch from coalesce(ringing_at, answered_at, ended_at) - placing_at)), 0)::float8
               from call_attempts where placing_at is not null"""
        )
    if strangers := sum(entry.attempt not in attempts or attempts[entry.attempt]["placing_at"] is None for entry in entries):
        broken.append(f"{strangers} calls without an attempt")
    of: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        of[entry.campaign].append(entry)
    states = [attempts[entry.attempt] for entry in entries if entry.attempt in attempts]
    starts = [entry.accepted for entry in entries]
    return Found(
        dials=len(entries),
        duplicates=dialled_twice(entries) + sum(each["state"] == "recalled" for each in states),
        lost=lost,
        over_cap=sum(max(0, peak(calls) - caps[campaign]) for campaign, calls in of.items()),
        outside_window=sum(not opens <= start < closes for start in starts),
        leaked=leaked,
        unresolved=sum(each["outcome"] == "unknown" for each in states),
        unclear_seconds=unclear,
        broken=tuple(filter(None, broken)),
        seconds=max(starts) - min(starts) if starts else 0.0,
        recoveries=(),
    )


@dataclass(frozen=True, slots=True)
class Herd:
    """What was made, and what was seen of the burst. Times are seconds since 1970."""

    people: int
    campaigns: int
    made: str
    opens: float
    ended: float
    memory: Memory
    rounds: Sequence[float]
    """The seconds that each took, in order."""
    fair: Waits
    entries: Sequence[Entry]
    troubles: Sequence[str]

    @property
    def firsts(self) -> Mapping[str, float]:
        """How long after the opening the carrier had the first call of each campaign."""
        return {each.campaign: each.accepted - self.opens for each in sorted(self.entries, key=lambda each: -each.accepted)}

    @property
    def fastest(self) -> int:
        return fastest(sorted(entry.accepted for entry in self.entries))

    @property
    def passed(self) -> bool:
        return (
            not self.troubles
            and percentile(self.rounds, 0.99) <= TICK_P99
            and self.fastest <= RATE
            and len(self.firsts) == self.campaigns
            and self.fair.rounds <= TICKS
            and self.fair.pause <= PAUSE_SECONDS
            and max(self.memory.growth().values()) <= GROWTH
        )

    def told(self) -> str:
        p50, p99, worst = (percentile(self.rounds, share) for share in (0.5, 0.99, 1.0))
        seconds, fair = self.ended - self.opens, self.fair
        notes = (
            f"{self.people:,} contacts of {self.campaigns:,} campaigns, {self.made}",
            f"burst of {seconds:.0f} s; {len(self.rounds)} rounds: p50 {p50:.3f} s, p99 {p99:.3f} s, worst {worst:.3f} s",
            f"{self.fastest} calls in the fastest second of {RATE} allowed, {len(self.entries) / seconds:.0f} on average",
            f"{len(self.firsts):,} campaigns called, each within {max(self.firsts.values(), default=0.0):.0f} s",
            f"{fair.campaigns} passed over in {fair.rounds} of {fair.served} rounds at most, for {fair.seconds:.1f} s",
            f"no pause above {fair.pause:.1f} s",
            f"memory: {self.memory.told()}",
        )
        return "; ".join((*notes, *self.troubles))


async def burst(on: Stage, memory: Memory, campaigns: int, least: float, most: float) -> None:
    """From now on until each campaign has been called and a while has gone by: `least` to `most` seconds."""
    called = "select count(distinct campaign_id) from call_attempts where placing_at is not null"
    began = time.monotonic()
    until, all_called = began + most, False
    while (now := time.monotonic()) < until:
        memory.look(on)
        if not all_called and await on.pool.fetchval(called) == campaigns:
            until, all_called = min(until, max(began + least, now + AFTER_SECONDS)), True
        await asyncio.sleep(1)


async def fairness(on: Stage, opens: float, until: float) -> Waits:
    caps = await on.pool.fetch("select id, max_concurrent_calls as cap from campaigns")
    due = await on.pool.fetch("select campaign_id as id, sum(n)::int as n from campaign_tallies group by 1")
    return waits(await turns_of(on.pool), {r["id"]: r["cap"] for r in caps}, {r["id"]: r["n"] for r in due}, opens, until)


async def make(on: Stage, task: Task, campaigns: int, contacts: int, law_seconds: float) -> tuple[int, str]:
    """How many people there are, and how they came to be."""
    began = time.monotonic()
    people = await gather(on.stores.database_url, campaigns=campaigns, contacts=contacts)
    size = await on.pool.fetchval("select pg_database_size(current_database())")
    made = f"{size / 1e9:.1f} GB made in {time.monotonic() - began:.0f} s"
    task.say(f"{people:,} contacts, {made} …")
    async with await Database.open(on.stores.database_url, pool_size=1, statement_timeout=law_seconds) as database:
        await laws_hold(database.pool)
    task.say("the laws hold …")
    return people, made


async def run(task: Task) -> list[Row]:
    contacts, campaigns = task.contacts or task.scaled(CONTACTS), task.scaled(CAMPAIGNS)
    case = "" if task.contacts is None else f"{contacts:,} contacts"
    kept = task.contacts is None or contacts > CONTACTS
    law_seconds = max(LAW_SECONDS, contacts / LAW_CONTACTS)
    least, port = max(LEAST_SECONDS, SECONDS * task.scale), free_port()
    script = brief(seed=task.seed, ring=Span(0.3, 0.8), patience=Span(1.0, 2.0), talk=Span(1.0, 3.0))
    config = f"calls_per_second = {RATE}\n[scheduler]\ntick_seconds = {TICK_SECONDS}\nhealth_port = {port}"
    try:
        async with stage(Layout(schedulers=0, workers=0, script=script, config=config, room=contacts * BYTES), task) as on:
            url = on.stores.database_url
            people, made = await make(on, task, campaigns, contacts, law_seconds)
            on.start("scheduler-1", "scheduler", DIALER_LOGGING__LEVEL="debug")
            for name in ("worker-1", "worker-2"):
                on.start(name, "worker")
            opening = (datetime.now(UTC) + AHEAD).replace(microsecond=0)
            opens = opening.timestamp()
            await run_all(url, opening)
            await asyncio.sleep(opens - time.time())
            memory = Memory(SETTLED_SECONDS)
            await burst(on, memory, campaigns, least, max(least, TURNS * campaigns / RATE))
            ended, failed = time.time(), await failures(port)
            await pause_all(url)
            quiet = await on.until("select not exists (select from call_attempts where ended_at is null)", within=60)
            task.say("it is over, and judged …")
            entries = on.entries()
            found = await judge(on, entries, opens, (opening + OPEN).timestamp(), law_seconds)
            fair = await fairness(on, opens, ended)
            took = rounds(on.crew.words("scheduler-1", sys.maxsize), opens, ended)
            troubles = [f"{death.role} ended by itself with {death.code}" for death in on.crew.deaths]
    except NoRoom as fault:
        return [cannot(SCENARIO, str(fault), case, kept=kept)]
    troubles += ["it did not come to rest"] * (not quiet) + [f"{failed:.0f} rounds failed"] * bool(failed)
    seen = Herd(people, campaigns, made, opens, ended, memory, took, fair, entries, troubles)
    return [row(SCENARIO, case, found, kills=0, passed=found.lawful and seen.passed, notes=seen.told(), kept=kept)]


SCENARIO = Scenario(
    30,
    "the herd at eight o'clock",
    does=f"the windows of {CAMPAIGNS:,} campaigns with {CONTACTS:,} contacts (or --contacts N) open at one moment; a trunk of "
    f"{RATE} calls/s, until each campaign was called",
    passes=f"the laws; p99 of the scheduler's rounds ≤ {TICK_P99:g} s; memory flat (≤ {GROWTH:.0%}); the rate kept; every "
    f"campaign called, none passed over in more than {TICKS} rounds, no pause above {PAUSE_SECONDS:.1f} s",
    run=run,
    sized=True,
)
