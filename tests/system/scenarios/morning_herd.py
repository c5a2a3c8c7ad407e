"""Scenario 30: at one moment the windows of ten thousand campaigns open, and millions of contacts are due.

What may be dialled is bounded by the trunk's calls per second: a round through all campaigns takes minutes. So "starved for two
ticks" cannot mean "not called for two ticks". What the planner promises is that among campaigns without a call the one that
waited longest comes next (`scheduler.pacing`), hence in turn, large ones and small ones alike. A campaign is behind while another
one has had two calls more than it, though it has contacts due and a free slot; nobody may be behind for longer than two ticks.

Most of the contacts are not called in the time: at the end everything is paused, and those who wait are not lost.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median

import aiohttp
import psutil

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.script import Span
from adapters.simulated.carrier.verdict import dialled_twice, peak
from dialer.store.database import Database
from tests.benchmarks.resting import free_port
from tests.support.laws import laws_hold, nothing_left
from tests.system.crowd import OPEN, gather, pause_all, run_all
from tests.system.frame import Found, Row, Scenario, Task, row
from tests.system.judge import broken_law
from tests.system.scenarios.valkey_fails_over import fastest
from tests.system.stage import Layout, Stage, brief, stage

CONTACTS = 2_000_000
CAMPAIGNS = 10_000
RATE = 50
"""Calls per second that the trunk allows."""
SECONDS = 60.0
"""From the opening to the end."""
AHEAD = timedelta(seconds=8)
SETTLED_SECONDS = 20.0
"""After the opening: what everybody who works needs by then is there."""
TICK_SECONDS, TICKS = 1.0, 2
TICK_P99 = 1.0
GROWTH = 0.05
"""Of the resident memory of a role, from `SETTLED_SECONDS` on; that is noise."""
LAW_SECONDS = 120.0


def behind(starts: Iterable[tuple[float, str]], campaigns: Iterable[str], until: float) -> float:
    """The longest time for which some campaign had had two calls fewer than some other, in seconds. `starts`: when which one had
    a call. All of them always have somebody who is due, and none as many calls at once as it may have."""
    had: Counter[str] = Counter()
    short: dict[int, dict[str, None]] = defaultdict(dict)
    short[0] = dict.fromkeys(campaigns)
    since: dict[str, float] = {}
    most = 0
    stretches: list[float] = []
    for at, campaign in sorted(starts):
        stretches.append(at - since.pop(campaign, at))
        short[had[campaign]].pop(campaign, None)
        had[campaign] += 1
        short[had[campaign]][campaign] = None
        if had[campaign] <= most - 2:
            since[campaign] = at
        if had[campaign] > most:
            most = had[campaign]
            since |= dict.fromkeys(short[most - 2], at) if most >= 2 else {}
    return max(stretches + [until - at for at in since.values()], default=0.0)


def share_within(buckets: Mapping[float, float], most: float) -> float:
    """The share of what a histogram counted that lies at or below one of its bounds."""
    return buckets[most] / (max(buckets.values()) or 1.0)


@dataclass(slots=True)
class Memory:
    """Resident bytes of each role, look by look."""

    seen: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def look(self, on: Stage) -> None:
        for name, role in on.crew.roles.items():
            if role.pid is not None and name.partition("-")[0] in ("scheduler", "worker"):
                self.seen[name].append(psutil.Process(role.pid).memory_info().rss)

    def growth(self) -> dict[str, float]:
        """The share by which each role grew from the first third of the looks to the last."""
        return {name: growth(seen) for name, seen in self.seen.items()}


def growth(seen: Sequence[int]) -> float:
    third = max(1, len(seen) // 3)
    return median(seen[-third:]) / median(seen[:third]) - 1


async def figures(port: int) -> dict[str, float]:
    """The scheduler's own figures: name with labels → value."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        text = await answer.text()
    return {name: float(value) for name, value in re.findall(r"^(dialer_\S+) (\S+)$", text, re.MULTILINE)}


def rounds(before: Mapping[str, float], after: Mapping[str, float]) -> dict[float, float]:
    """How many rounds of the scheduler took so many seconds or less, between two looks."""
    name = re.compile(r'dialer_round_seconds_bucket\{le="(.+)"\}')
    return {float(found[1]): n - before.get(key, 0.0) for key, n in after.items() if (found := name.fullmatch(key))}


async def judge(on: Stage, entries: Sequence[Entry], opens: float, closes: float) -> Found:
    """`tests.system.judge` for many campaigns at once: most of their contacts are still waiting, and are not lost."""
    async with await Database.open(on.stores.database_url, pool_size=1, statement_timeout=LAW_SECONDS) as database:
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


async def run(task: Task) -> list[Row]:
    contacts, campaigns = task.scaled(CONTACTS), task.scaled(CAMPAIGNS)
    seconds, port = max(30.0, SECONDS * task.scale), free_port()
    script = brief(seed=task.seed, ring=Span(0.3, 0.8), patience=Span(1.0, 2.0), talk=Span(1.0, 3.0))
    config = f"calls_per_second = {RATE}\n[scheduler]\nhealth_port = {port}"
    async with stage(Layout(schedulers=0, workers=0, script=script, config=config), task) as on:
        url = on.stores.database_url
        began = time.monotonic()
        people = await gather(url, campaigns=campaigns, contacts=contacts)
        made = time.monotonic() - began
        async with await Database.open(url, pool_size=1, statement_timeout=LAW_SECONDS) as database:
            await laws_hold(database.pool)
        task.say(f"{people:,} contacts made in {made:.0f} s …")
        for name in ("scheduler-1", "worker-1", "worker-2"):
            on.start(name, name.partition("-")[0])
        opens = (datetime.now(UTC) + AHEAD).replace(microsecond=0)
        await run_all(url, opens)
        await asyncio.sleep(opens.timestamp() - time.time())
        before = await figures(port)
        await asyncio.sleep(SETTLED_SECONDS)
        memory = Memory()
        while time.time() < opens.timestamp() + seconds:
            memory.look(on)
            await asyncio.sleep(1)
        after = await figures(port)
        ended = time.time()
        await pause_all(url)
        quiet = await on.until("select not exists (select from call_attempts where ended_at is null)", within=60)
        entries = on.entries()
        found = await judge(on, entries, opens.timestamp(), (opens + OPEN).timestamp())
        deaths = [f"{death.role} ended by itself with {death.code}" for death in on.crew.deaths]
    ids = [f"camp_{k:06}" for k in range(campaigns)]
    took = rounds(before, after)
    within = share_within(took, TICK_P99)
    grown = memory.growth()
    most = fastest(sorted(entry.accepted for entry in entries))
    starved = behind(((entry.accepted, entry.campaign) for entry in entries), ids, ended)
    failures = sum(n for key, n in after.items() if key.startswith("dialer_failures_total"))
    troubles = [*deaths, *["it did not come to rest"] * (not quiet), *[f"{failures:.0f} rounds failed"] * bool(failures)]
    notes = (
        f"{people:,} contacts of {campaigns:,} campaigns, made in {made:.0f} s; {max(took.values()):.0f} rounds of the "
        f"scheduler, {within:.1%} of them within {TICK_P99:g} s; {most} calls in the fastest second of {RATE} allowed, "
        f"{found.dials / seconds:.0f} on average; {len({entry.campaign for entry in entries}):,} campaigns were called, "
        f"none behind for more than {starved:.1f} s; memory grew by {max(grown.values()):.1%} at most "
        f"({', '.join(f'{name} {memory.seen[name][-1] / 1e6:.0f} MB, {grown[name]:+.1%}' for name in sorted(grown))})"
    )
    passed = (
        found.lawful
        and not troubles
        and within >= 0.99
        and most <= RATE
        and starved <= TICKS * TICK_SECONDS
        and max(grown.values()) <= GROWTH
    )
    return [row(SCENARIO, "", found, kills=0, passed=passed, notes="; ".join((notes, *troubles)))]


SCENARIO = Scenario(
    30,
    "the herd at eight o'clock",
    does=f"the windows of {CAMPAIGNS:,} campaigns with {CONTACTS:,} contacts open at one moment; a trunk of {RATE} calls/s for "
    f"{SECONDS:.0f} s",
    passes=f"the laws; 99 % of the scheduler's rounds ≤ {TICK_P99:g} s; memory flat (≤ {GROWTH:.0%}); the rate kept; no campaign "
    f"behind the others for more than {TICKS} ticks",
    run=run,
)
