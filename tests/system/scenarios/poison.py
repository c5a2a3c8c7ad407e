"""Scenario 28: one contact in a hundred is poison. Each is given up after few tries with a reason, and the others do not notice.

The same campaign is dialled twice, without and with it. Half of the poison are names of more than a megabyte: the carrier refuses
such an order for its size, and one of the workers, which takes Python's warnings for errors, raises at it. The rest are numbers
that the carrier calls invalid, half of them when it is asked (400) and half when it dials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.script import Faults, Script, Span, conduct, handling
from adapters.simulated.carrier.verdict import of_campaign
from tests.support.ledger import Seed
from tests.system.frame import Found, Row, Scenario, Task, row
from tests.system.judge import judge
from tests.system.stage import Layout, Stage, brief, stage

CONTACTS = 1600
CAP = 40
HUGE_EVERY = 200
HUGE_BYTES = 1_200_000
SHARE = 0.0025
"""Of each of the two kinds of invalid numbers."""
MOST_TRIES = 3
LOSS = 0.05
COUNTED = 0.9
"""The share of the healthy calls whose pace is compared: before the campaign runs dry."""

Kind: TypeAlias = Literal["huge", "refused", "invalid"]
REASONS: Mapping[Kind, tuple[str, str]] = {
    "huge": ("error", "quarantined"),
    "refused": ("invalid_number", "invalid_number"),
    "invalid": ("invalid_number", "invalid_number"),
}
"""Outcome and reason that the ledger has to give."""


def calls(task: Task, **changes: object) -> Script:
    """Calls of one to two seconds: what a run takes is then the slots' doing and not the machine's."""
    spans = {"ring": Span(0.4, 0.8), "patience": Span(0.8, 1.6), "talk": Span(0.6, 1.2)}
    return brief(**({"seed": task.seed, "invalid": 0.0} | spans | changes))


def poisonous(script: Script, numbers: Sequence[str], huge: frozenset[str]) -> dict[str, Kind]:
    """The poisoned of these numbers, each called once."""
    kinds: dict[str, Kind] = {}
    for number in numbers:
        if number in huge:
            kinds[number] = "huge"
        elif handling(script, number, 1).refusal == "refuse_400":
            kinds[number] = "refused"
        elif conduct(script, number, 1).fate == "invalid":
            kinds[number] = "invalid"
    return kinds


def pace(entries: Sequence[Entry], spared: Mapping[str, Kind]) -> float:
    """Calls a second of those that are not poisoned, up to `COUNTED` of them."""
    starts = sorted(entry.accepted for entry in entries if entry.to not in spared)
    counted = starts[: round(COUNTED * len(starts))]
    return (len(counted) - 1) / (counted[-1] - counted[0]) if len(counted) > 1 and counted[-1] > counted[0] else 0.0


@dataclass(frozen=True, slots=True)
class End:
    """What became of a contact; `tries`: attempts that came as far as the carrier, or our code that speaks to it."""

    status: str
    outcome: str | None
    reason: str | None
    tries: int

    def good(self, kind: Kind) -> bool:
        return self.status == "failed" and (self.outcome, self.reason) == REASONS[kind] and 1 <= self.tries <= MOST_TRIES


@dataclass(frozen=True, slots=True)
class Dialled:
    found: Found
    entries: Sequence[Entry]
    ends: Mapping[str, End]
    causes: Mapping[str, int]
    quiet: bool


async def _dial(task: Task, script: Script, huge: bool) -> Dialled:
    layout = Layout(workers=2, cap=CAP, script=script, fresh=True)
    async with stage(layout, task) as on:
        on.start("worker-3", "worker", PYTHONWARNINGS="error::ResourceWarning")
        contacts = task.scaled(CONTACTS, 2 * HUGE_EVERY)
        campaign = await on.campaign(contacts, max_attempts=1, status="draft")
        if huge:
            await on.pool.execute(
                "update contacts set first_name = repeat('x', $1) where right(phone, 8)::int % $2 = 0", HUGE_BYTES, HUGE_EVERY
            )
        await on.pool.execute("update campaigns set status = 'running', started_at = now() where id = $1", campaign.campaign)
        quiet = await on.quiet(campaign, within=60 + contacts / 10)
        found = await judge(on, campaign)
        return Dialled(found, of_campaign(on.entries(), campaign.campaign), await _ends(on, campaign), await _causes(on), quiet)


async def _ends(on: Stage, campaign: Seed) -> dict[str, End]:
    rows = await on.pool.fetch(
        """select t.to_number, t.status, t.outcome, t.reason,
             count(a.placing_at) filter (where a.reason is distinct from 'stale') as tries
           from campaign_contacts t left join call_attempts a on a.campaign_contact_id = t.id
           where t.campaign_id = $1 group by t.id""",
        campaign.campaign,
    )
    return {r["to_number"]: End(r["status"], r["outcome"], r["reason"], r["tries"]) for r in rows}


async def _causes(on: Stage) -> dict[str, int]:
    rows = await on.pool.fetch("select cause, count(*) as n from call_attempts where fault = 'request' group by 1")
    return {r["cause"]: r["n"] for r in rows}


async def run(task: Task) -> list[Row]:
    healthy = calls(task)
    script = calls(task, invalid=SHARE, faults=Faults(refuse_400=SHARE))
    task.say("without poison …")
    clean = await _dial(task, healthy, huge=False)
    task.say("with it …")
    made = await _dial(task, script, huge=True)
    huge = frozenset(number for number in made.ends if int(number[-8:]) % HUGE_EVERY == 0)
    kinds = poisonous(script, list(made.ends), huge)
    spared = [number for number, kind in kinds.items() if not made.ends[number].good(kind)]
    unmade = {number for number, kind in kinds.items() if kind != "invalid"}
    called = {entry.to for entry in made.entries}
    before, under = pace(clean.entries, kinds), pace(made.entries, kinds)
    loss = 1 - under / before if before else 1.0
    counts = ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(kinds.values()).items()))
    told = ", ".join(f"{n} times {cause}" for cause, n in sorted(made.causes.items()))
    notes = (
        f"{len(kinds)} of {len(made.ends)} are poison ({counts}): {len(kinds) - len(spared)} given up with their reason after at "
        f"most {max((made.ends[number].tries for number in kinds), default=0)} tries ({told}); the others' {before:.1f} calls/s "
        f"without it, {under:.1f} with it"
    )
    passed = (
        made.found.lawful
        and clean.found.lawful
        and made.quiet
        and clean.quiet
        and set(REASONS) == set(kinds.values())
        and not spared
        and called == made.ends.keys() - unmade
        and {"defect", "http_413"} <= made.causes.keys()
        and loss <= LOSS
    )
    return [row(SCENARIO, "", made.found, kills=0, passed=passed, notes=notes)]


SCENARIO = Scenario(
    28,
    "poisoned contacts",
    does="one in a hundred: names of more than a megabyte, at which one worker's code raises, and numbers that the carrier calls "
    "invalid",
    passes=f"the laws; each given up after ≤ {MOST_TRIES} tries with its reason, everybody else called; "
    f"the others' calls a second ≤ {LOSS:.0%} fewer than in the same run without it",
    run=run,
)
