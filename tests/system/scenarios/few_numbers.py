"""Scenario 40: few numbers, many people at each, all of them in twenty campaigns, and frequency caps over all of these.

Whoever claims or places sees at most its own campaign's contact; what the caps count is calls of all of them. Four schedulers and
eight workers reach for the same numbers at the same moment. The caps are raised in the middle: then those whom they held back are
called again, as often as the new ones let, and no further."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.verdict import dialled_twice, of_campaign, peak
from scheduler.frequency import FrequencyCap
from tests.support.crossed import crossed
from tests.support.laws import books_agree, laws_hold, nothing_left, too_often
from tests.system.frame import Found, Row, Scenario, Task, row
from tests.system.judge import broken_law
from tests.system.stage import Layout, Stage, brief, stage

NUMBERS, PEOPLE, CAMPAIGNS = 200, 5, 20
FIRST = (FrequencyCap(3, 24, "number", "attempts", "team"), FrequencyCap(1, 24, "person", "attempts", "team"))
THEN = (FrequencyCap(5, 24, "number", "attempts", "team"), FrequencyCap(2, 24, "person", "attempts", "team"))
REST = """
select not exists (select from call_attempts where ended_at is null)
  and not exists (select from campaign_contacts where waiting and next_attempt_at < now() + interval '1 hour')
"""
"""Everybody who is left waits for tomorrow."""


async def raise_caps(on: Stage, team: str) -> None:
    """By the command line, as an operator does."""
    caps = [text for cap in THEN for text in ("--cap", f"{cap.calls}/{cap.hours}h/{cap.per}")]
    command = (sys.executable, "-m", "dialer", "team", "caps", team, *caps, "--json")
    done = await asyncio.create_subprocess_exec(*command, env={**os.environ, **on.env}, stdout=asyncio.subprocess.PIPE)
    said, _ = await done.communicate()
    assert len(json.loads(said)["frequency_caps"]) == len(THEN), said


async def judge(on: Stage, campaigns: Sequence[str], entries: Sequence[Entry]) -> Found:
    """As `tests.system.judge`, for campaigns whose contacts wait for tomorrow and are not lost."""
    broken = [
        await broken_law(law)
        for law in (
            lambda: laws_hold(on.pool),
            lambda: nothing_left(on.pool),
            lambda: books_agree(on.pool, entries),
        )
    ]
    starts = [entry.accepted for entry in entries]
    return Found(
        dials=len(entries),
        duplicates=dialled_twice(entries),
        lost=await on.pool.fetchval("select count(*) from campaign_contacts where status in ('queued', 'calling')"),
        over_cap=sum(max(0, peak(of_campaign(entries, each)) - on.layout.cap) for each in campaigns),
        outside_window=0,
        leaked=await on.pool.fetchval("select coalesce(sum(active), 0) from scopes"),
        unresolved=await on.pool.fetchval("select count(*) from call_attempts where outcome = 'unknown'"),
        unclear_seconds=0.0,
        broken=tuple(filter(None, broken)),
        seconds=max(starts) - min(starts) if starts else 0.0,
        recoveries=(),
    )


async def run(task: Task) -> list[Row]:
    numbers = task.scaled(NUMBERS, least=5)
    layout = Layout(schedulers=4, workers=8, cap=20, script=brief(seed=task.seed, invalid=0.0))
    async with stage(layout, task) as on:
        caps: list[object] = [{"calls": cap.calls, "hours": cap.hours, "per": cap.per} for cap in FIRST]
        first, campaigns = await crossed(
            on.pool, numbers=numbers, people=PEOPLE, campaigns=CAMPAIGNS, concurrency=layout.cap, caps=caps
        )
        quiet = [await on.until(REST, within=300)]
        before = on.entries()
        task.say(f"{len(before)} calls to {numbers} numbers …")
        await raise_caps(on, first.team)
        quiet.append(await on.until(REST, within=300))
        entries = on.entries()
        found = await judge(on, campaigns, entries)
        refused = await on.pool.fetchval(
            "select count(*) from call_attempts where state = 'recalled' and reason = 'frequency_cap'"
        )
        claimed = await on.pool.fetchval("select count(*) from call_attempts")
        troubles = [f"{death.role} ended by itself with {death.code}" for death in on.crew.deaths]
    troubles += ["it did not come to rest"] * (not all(quiet))
    over = [attempt for cap in FIRST for attempt in too_often(before, cap)]
    over += [attempt for cap in THEN for attempt in too_often(entries, cap)]
    calls = [sorted(set(Counter(entry.to for entry in each).values())) for each in (before, entries)]
    people = [max(Counter(entry.labels["contact"] for entry in each).values(), default=0) for each in (before, entries)]
    full = calls == [[FIRST[0].calls], [THEN[0].calls]]
    notes = (
        f"{numbers} numbers of {PEOPLE} people each, in {CAMPAIGNS} campaigns; allowed {FIRST[0].calls} calls to a number and "
        f"{FIRST[1].calls} to a person, then {THEN[0].calls} and {THEN[1].calls}: {len(over)} beyond; made to each number "
        f"{' and then '.join('/'.join(map(str, each)) for each in calls)}, to a person {people[0]} and then {people[1]} at most; "
        f"{claimed} claims, {refused} of them refused at the dial"
    )
    passed = found.lawful and not over and not troubles and full
    return [row(SCENARIO, "", found, kills=0, passed=passed, notes="; ".join((notes, *troubles)))]


SCENARIO = Scenario(
    40,
    "few numbers, many who call them",
    does=f"4 schedulers and 8 workers call {NUMBERS} numbers, at each of which are {PEOPLE} people, for {CAMPAIGNS} campaigns; "
    "the team's frequency caps are raised in the middle",
    passes="the laws; no call beyond a cap by the carrier's journal; and each number called as often as the caps let",
    run=run,
)
