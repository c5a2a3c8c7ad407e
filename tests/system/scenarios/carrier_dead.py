"""Scenario 24: the carrier is dead, and then it is there again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

from adapters.simulated.carrier.verdict import of_campaign
from tests.support.ledger import Seed
from tests.system.agreement import bouts, burned, tries, waits
from tests.system.frame import Row, Scenario, Task
from tests.system.stage import Layout, Stage, stage
from tests.system.trial import CAP, PER_SECOND, Fault, steady, verdict, warm

DEAD_SECONDS = 30.0
LIVELY_SECONDS = 10.0
"""How long each campaign has people for, were nothing broken."""
FAILED_POSTS = 10
PROBE_SECONDS = 5.0
JITTER_SECONDS = 0.1
BACK_SECONDS = 30.0


async def asked(on: Stage, campaigns: Sequence[Seed], fault: Fault) -> list[float]:
    """When the dead carrier was asked for a call (seconds since 1970), by the ledger's history: it has each intent before its
    first byte."""
    rows = await on.pool.fetch(
        """select extract(epoch from h.at)::float8 as at from history h join call_attempts a on a.id = h.entity_id
           where h.after = 'placing' and a.campaign_id = any($1::text[]) and h.at between to_timestamp($2) and to_timestamp($3)
             and a.id <> all($4::text[])""",
        [each.campaign for each in campaigns], fault.began, fault.over, [entry.attempt for entry in on.entries()],
    )  # fmt: skip
    return [row["at"] for row in rows]


async def failed(on: Stage, opened: datetime | None) -> int:
    """Requests that had failed, as far as the ledger knew, when the breaker opened."""
    count: int = await on.pool.fetchval(
        "select count(*) from history where after in ('recalled', 'unknown') and before = 'placing' and at <= $1", opened
    )
    return count


async def lost(on: Stage, campaign: Seed) -> tuple[int, int]:
    """The tries that people lost to it, and the people who were given up."""
    given_up = await on.pool.fetchval(
        "select count(*) from campaign_contacts where campaign_id = $1 and outcome in ('error', 'unknown')", campaign.campaign
    )
    return burned(await tries(on, campaign), of_campaign(on.entries(), campaign.campaign)), given_up


async def run(task: Task) -> list[Row]:
    seconds = max(20.0, DEAD_SECONDS * task.scale)
    contacts = round(LIVELY_SECONDS * PER_SECOND)
    async with stage(Layout(cap=CAP, script=steady()), task) as on:
        up = await on.campaign(contacts)
        await warm(on)
        await on.crew.stop("carrier")
        began = time.time()
        due = await on.campaign(contacts, prefix="+4940")
        await on.until("select bool_or(state <> 'closed') from breakers", within=seconds)
        opened = await on.pool.fetchval("select min(opened_at) from breakers")
        before = await failed(on, opened)
        await asyncio.sleep(began + seconds - time.time())
        on.start_carrier()
        await on.carrier_answers()
        fault = Fault(began, time.time())
        quiet = [await on.quiet(campaign, within=180) for campaign in (up, due)]
        groups = bouts(await asked(on, (up, due), fault), PROBE_SECONDS - JITTER_SECONDS)
        first, probes = len(groups[0]) if groups else 0, groups[1:]
        paced = opened is not None and before <= FAILED_POSTS and all(len(probe) == 1 for probe in probes)
        probed = f"{before} requests had failed when left alone, {max(0, first - before)} were on their way; then {len(probes)}"
        notes = {
            "calls up when it died": f"dead for {seconds:.0f} s; later probes are only rarer (tests/unit/domain/test_breaker.py)",
            "people due meanwhile": f"{probed} probes, {min(waits(groups), default=0):.1f} s apart at least",
        }
        rows = []
        for (case, note), campaign, came in zip(notes.items(), (up, due), quiet, strict=True):
            tries_lost, given_up = await lost(on, campaign)
            made = await verdict(on, campaign, [fault], () if came else ("it did not come to rest",))
            said = f"{note}; {tries_lost} tries and {given_up} people lost to it"
            passed = paced and len(probes) >= seconds / PROBE_SECONDS / 2 and not (tries_lost or given_up)
            rows.append(made.row(SCENARIO, case, within=BACK_SECONDS, notes=said, passed=passed))
        return rows


SCENARIO = Scenario(
    24,
    "the carrier dead",
    does=f"the carrier's process is ended while calls are up, back after {DEAD_SECONDS:.0f} s; more people fall due meanwhile",
    passes=f"the laws; left alone after ≤ {FAILED_POSTS} failures, then ≤ 1 every {PROBE_SECONDS:g} s; nobody loses a try "
    f"by it; dialling again ≤ {BACK_SECONDS:.0f} s after it is back",
    run=run,
    beside={"": 2},
)
