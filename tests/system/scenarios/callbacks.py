"""Scenarios 19, 20 and 22: what the carrier tells comes several times, in another order, late, too early, or never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.script import Faults, Span
from adapters.simulated.carrier.verdict import of_campaign
from dialer.store import recount
from tests.support.ledger import Seed
from tests.system.agreement import freed_early, misjudged, not_ended_once, told_beside_the_next, without_result
from tests.system.frame import Row, Scenario, Task, row
from tests.system.judge import holdings, judge
from tests.system.stage import Layout, Stage, brief, stage

COPIES = 3
LATE_SECONDS = 12.0
ANSWER_SECONDS = 0.5
"""From the acceptance of a call to the answer that names it: longer than the call itself."""
MANY_CONTACTS = 300
MANGLED = brief(
    latency=Span(ANSWER_SECONDS, ANSWER_SECONDS),
    repeats=COPIES - 1,
    faults=Faults(
        callback_repeated=1, repeat_seconds=1, callback_reordered=0.4, callback_late=0.4,
        late_seconds=LATE_SECONDS,
    ),
)  # fmt: skip

WAVE = 120
LIMIT_MINUTES, RING_SECONDS = 1, 5
RESULT_SECONDS = 60.0
"""After the end of the campaign; so long may a result be in coming."""
FREED_SECONDS = 60.0 * LIMIT_MINUTES + 60.0
UNTOLD = brief(
    answer=0.6,
    talk=Span(0.5, 90, mean=12),
    ring=Span(0.1, 0.5),
    result_after=Span(0.05, 4),
    faults=Faults(callback_lost=1),
)

RETRIED = 100
TARDY = brief(
    answer=0.0,
    voicemail=0.25,
    busy=0.15,
    declined=0.25,
    ring=Span(2, 3),
    patience=Span(3, 5),
    talk=Span(2, 3),
    result_after=Span(1, 4),
    repeats=COPIES - 1,
    faults=Faults(
        callback_repeated=1, repeat_seconds=2, callback_late=0.2, late_seconds=2 * RING_SECONDS,
    ),
)  # fmt: skip


class Recount:
    """The semaphores against the live attempts, twice a second: `wrong` is how often they disagreed."""

    def __init__(self) -> None:
        self.wrong = 0

    @asynccontextmanager
    async def over(self, on: Stage) -> AsyncIterator[None]:
        looking = asyncio.create_task(self._look(on))
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait({looking})
        if not looking.cancelled():
            looking.result()

    async def _look(self, on: Stage) -> None:
        while True:
            self.wrong += bool(await recount.scopes(on.pool))
            await asyncio.sleep(0.5)


async def delivered(on: Stage, copies: int) -> str | None:
    """Wait until every callback was taken, `copies` of each; what is wrong when one was not."""
    events = ("ringing", "answered", "ended", "resulted")
    wanted = copies * sum(getattr(entry, event) is not None for entry in on.entries() for event in events)
    for _ in range(240):
        books = (await on.books())["callbacks"]
        if books["delivered"] >= wanted or books["given_up"]:
            break
        await asyncio.sleep(0.25)
    lost = wanted - books["delivered"]
    return f"{lost} callbacks were not taken" if lost else None


async def agree(on: Stage, campaign: Seed, entries: Sequence[Entry]) -> list[str]:
    """What the ledger has otherwise than the journal; nothing, it is to be hoped."""
    held = await holdings(on, campaign)
    astray = await on.pool.fetchval(
        """select count(*) from call_events e join unnest($1::text[], $2::text[]) as j(call, attempt)
             on j.call = split_part(e.event_key, ':', 1) where e.attempt_id <> j.attempt""",
        [entry.id for entry in entries], [entry.attempt for entry in entries],
    )  # fmt: skip
    counts = {
        "calls have another outcome than in the journal": len(misjudged(held, entries)),
        "slots were free before their call was over": freed_early(held),
        "attempts did not end exactly once": await not_ended_once(on, campaign),
        "facts went to another attempt": astray,
        "results are missing": await without_result(on, entries),
    }
    return [f"{count} {what}" for what, count in counts.items() if count]


async def mangled(task: Task) -> list[Row]:
    recounts = Recount()
    async with stage(Layout(cap=100, script=MANGLED), task) as on:
        async with recounts.over(on):
            campaign = await on.campaign(task.scaled(MANY_CONTACTS, 40))
            quiet = await on.quiet(campaign, within=120)
            lost = await delivered(on, COPIES)
        found = await judge(on, campaign)
        entries = of_campaign(on.entries(), campaign.campaign)
        wrong = await agree(on, campaign, entries)
        early = await _before_the_answer(on, entries)
        notes = [
            f"each callback ×{COPIES}, 40 % held back until after the next, 40 % of the others {LATE_SECONDS:g} s late (60 times "
            "as long as a call: what counts is that the call, its slot and the people after it are long past)",
            f"{early} facts came before the carrier's answer to the request",
            "all 120 orders of five: tests/stateful/test_told_anyhow.py",
        ]
        wrong += [f"{recounts.wrong} recounts disagreed"] * bool(recounts.wrong) + ["it did not come to rest"] * (not quiet)
        wrong += [lost] if lost else []
        passed = found.lawful and not wrong and early > 0
        return [row(HARMED, "", found, kills=0, passed=passed, notes="; ".join(notes + wrong))]


async def _before_the_answer(on: Stage, entries: Sequence[Entry]) -> int:
    """Facts that were in the ledger before the carrier had answered that it takes the call."""
    count: int = await on.pool.fetchval(
        """select count(*) from call_events e join unnest($1::text[], $2::float8[]) as j(attempt, at)
             on j.attempt = e.attempt_id where e.received_at < to_timestamp(j.at)""",
        [entry.attempt for entry in entries], [entry.accepted + ANSWER_SECONDS for entry in entries],
    )  # fmt: skip
    return count


async def untold(task: Task) -> list[Row]:
    layout = Layout(cap=2 * WAVE, script=UNTOLD)
    settings: dict[str, object] = {"max_call_duration_minutes": LIMIT_MINUTES, "ring_timeout_seconds": RING_SECONDS}
    async with stage(layout, task) as on:
        campaign = await on.campaign(task.scaled(WAVE, 40), max_attempts=2, settings=settings)
        quiet = await on.quiet(campaign, within=FREED_SECONDS + 60)
        entries = of_campaign(on.entries(), campaign.campaign)
        answered = sum(entry.answered is not None for entry in entries)
        fetched = await _fetched(on, entries)
        found = await judge(on, campaign)
        held = await holdings(on, campaign)
        slots = [each.freed - each.accepted for each in held if each.freed and each.accepted]
        overtime = [each.freed - each.over for each in held if each.freed and each.over]
        wrong = await agree(on, campaign, entries) + ["it did not come to rest"] * (not quiet)
        told = await on.pool.fetchval("select count(*) from call_events")
        notes = [
            f"calls of up to {LIMIT_MINUTES} min",
            f"slots free {max(slots, default=0):.0f} s after the call was placed at most, "
            f"{max(overtime, default=0):.0f} s after its end",
            f"the results of {answered} answered calls fetched {fetched:.0f} s after they were there at most",
        ]
        passed = found.lawful and not wrong and answered > 0 and max(slots, default=0) <= FREED_SECONDS and told > 0
        return [row(LOST, "", found, kills=0, passed=passed, notes="; ".join(notes + wrong))]


async def _fetched(on: Stage, entries: Sequence[Entry]) -> float:
    """Wait until the ledger has every result; the longest that one took, in seconds from when the carrier had it."""
    for _ in range(round(RESULT_SECONDS / 0.5)):
        if not await without_result(on, entries):
            break
        await asyncio.sleep(0.5)
    took: float = await on.pool.fetchval(
        """select coalesce(max(extract(epoch from e.received_at - to_timestamp(j.at))), 0)::float8
           from call_events e join unnest($1::text[], $2::float8[]) as j(attempt, at) on j.attempt = e.attempt_id
           where e.phase = 'result'""",
        [entry.attempt for entry in entries if entry.resulted], [entry.resulted for entry in entries if entry.resulted],
    )  # fmt: skip
    return took


async def tardy(task: Task) -> list[Row]:
    settings: dict[str, object] = {"ring_timeout_seconds": RING_SECONDS, "retry_on_voicemail": True}
    async with stage(Layout(cap=60, script=TARDY), task) as on:
        campaign = await on.campaign(task.scaled(RETRIED, 40), settings=settings)
        quiet = await on.quiet(campaign, within=150)
        lost = await delivered(on, COPIES)
        found = await judge(on, campaign)
        entries = of_campaign(on.entries(), campaign.campaign)
        wrong = await agree(on, campaign, entries) + ["it did not come to rest"] * (not quiet) + ([lost] if lost else [])
        late = told_beside_the_next(entries, TARDY)
        notes = f"{late} callbacks of a call came while the next one to that number was up"
        passed = found.lawful and not wrong and late > 0
        return [row(LATE, "", found, kills=0, passed=passed, notes="; ".join([notes, *wrong]))]


HARMED = Scenario(
    19,
    "callbacks repeated, reordered, late, too early",
    does=f"every callback ×{COPIES}, after the next, {LATE_SECONDS:g} s late, and before the carrier has answered the request",
    passes="the laws; every outcome and result as the journal has it; each slot given back once, by history and by recount",
    run=mangled,
    beside={"": 1},
)
LOST = Scenario(
    20,
    "callbacks lost",
    does=f"no callback ever comes; calls of up to {LIMIT_MINUTES} min",
    passes=f"the laws; every outcome and result as the journal has it; slots free ≤ {FREED_SECONDS:.0f} s after the placement",
    run=untold,
    beside={"": 2},
)
LATE = Scenario(
    22,
    "callbacks of a call while the next one is up",
    does="people are called again at once, and what is told of the call before comes again, or only then",
    passes="the laws; each fact with its own attempt; outcomes as the journal has them; no slot free before its call is over",
    run=tardy,
    beside={"": 1},
)
