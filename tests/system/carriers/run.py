"""One adapter's run: the list called to the end of the campaign, and what journal and ledger say of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.verdict import of_campaign
from tests.system.agreement import not_ended_once
from tests.system.carriers.cast import Cast, cast
from tests.system.carriers.fake import Books, Orders, Provider
from tests.system.carriers.kinds import Kind
from tests.system.carriers.verdict import enrolled, forsaken, lacking, unasked, waiting, wrong
from tests.system.frame import counted
from tests.system.judge import holdings, judge
from tests.system.stage import Stage

PATIENCE_SECONDS = 1200.0
"""Until the campaign is completed."""
RESULT_SECONDS = 60.0
"""After the end of the campaign; so long may a result be in coming."""
ENOUGH = 100
"""Calls after which each vice must have occurred."""


DONE = """
select c.status = 'completed' or ($2 and not exists (
    select from campaign_contacts t where t.campaign_id = c.id and t.status in ('pending', 'queued', 'calling')
      and (t.reason is distinct from 'perhaps_invalid' or t.next_attempt_at < now() + interval '23 hours')))
from campaigns c where c.id = $1"""
"""Whether the campaign is over, but for numbers that wait a day because their provider is not certain ($2)."""


@dataclass(frozen=True, slots=True)
class Ran:
    """`on` has the journal of this fake."""

    on: Stage
    kind: Kind
    made: Cast
    books: Books
    seconds: float
    quiet: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """`cells` are those of the table's counts."""

    cells: tuple[str, ...]
    notes: str
    passed: bool


async def dial(on: Stage, kind: Kind, fake: Provider, rows: int) -> Ran:
    """The list's first `rows` rows, to the end."""
    on = replace(on, book=f"{kind.name}.jsonl")
    made = await cast(on, kind, rows)
    await fake.play(Orders(f"{on.api_url}/hooks/{kind.name}", str(on.journal), made.seed.campaign))
    began = time.monotonic()
    await made.run(on)
    quiet = await on.until(DONE, made.seed.campaign, kind.doubts, within=PATIENCE_SECONDS)
    seconds = time.monotonic() - began
    if kind.results:
        there = """select not exists (select from call_attempts where campaign_id = $1 and outcome in ('human', 'answered')
                     and result->>'summary' is null)"""
        await on.until(there, made.seed.campaign, within=RESULT_SECONDS)
    return Ran(on, kind, made, await fake.finish(), seconds, quiet)


async def verdict(ran: Ran) -> Verdict:
    on, kind, books, seed = ran.on, ran.kind, ran.books, ran.made.seed
    found = await judge(on, seed)
    entries = of_campaign(on.entries(), seed.campaign)
    people = await enrolled(on, seed)
    astray = wrong(kind, await holdings(on, seed), entries)
    counts = {
        "calls to those who said no": unasked(people, entries),
        "forged callbacks believed": books.believed,
        "attempts that did not end exactly once": await not_ended_once(on, seed),
        "calls outside the window": found.outside_window,
        "slots leaked": found.leaked,
    }
    troubles = [f"{count} {what}" for what, count in counts.items() if count]
    troubles += [f"{count} true callbacks were answered {status}" for status, count in books.refused.items()]
    troubles += [f"{count} results without {name}" for name, count in (await lacking(on, kind, entries)).items()]
    troubles += [f"{death.role} ended by itself with {death.code}" for death in on.crew.deaths]
    troubles += ["it did not come to rest"] * (not ran.quiet)
    troubles += [*_unplayed(kind, books, entries), *found.broken]
    bad = (
        found.duplicates + books.asked_twice,
        abs(found.lost - waiting(kind, people, entries)) + forsaken(kind, people, entries),
        found.over_cap,
        astray.total(),
    )
    cells = (
        sum(each.callable for each in people),
        len(entries),
        len(entries) - len({entry.to for entry in entries}),
        sum(books.lost.values()),
        *((books.repeated, books.forged) if kind.calls_back else ("–", "–")),
        *bad,
        f"{ran.seconds:.0f}",
    )
    ends = counted(Counter(entry.reason or "" for entry in entries))
    notes = [ends, f"unclear for {found.unclear_seconds:.0f} s at most", counted(astray), *troubles]
    passed = bool(entries) and not any(bad) and not troubles
    return Verdict(tuple(map(str, cells)), "; ".join(filter(None, notes)), passed)


def _unplayed(kind: Kind, books: Books, entries: Sequence[Entry]) -> list[str]:
    """Vices that did not occur though there were calls enough."""
    wanted = {"answer lost": sum(books.lost.values())}
    if kind.calls_back:
        wanted |= {"callback repeated": books.repeated, "callback in reverse": books.backwards, "forged callback": books.forged}
    return [f"no {what}" for what, count in wanted.items() if not count and len(entries) >= ENOUGH]
