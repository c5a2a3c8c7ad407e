"""Scenario 25: a carrier that puts what comes too fast into a queue, and dials it later.

Such a carrier (Twilio keeps calls for up to 24 hours) would ring people when nobody may be called any more. First it takes as
many a second as our configuration says, and queues the rest: we have to be slower. Then it becomes far slower than we know, so
that its queue grows, and the window closes over it: what stands there has to be taken back before. That is done a minute and the
ring timeout ahead of the window's end, the last moment at which a call may be placed.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.verdict import of_campaign
from dialer.domain.campaign import CLOCK_MARGIN_SECONDS
from tests.system.frame import Row, Scenario, Task, row
from tests.system.judge import judge
from tests.system.stage import Layout, brief, stage

RATE = 1.0
"""Calls per second, of the carrier and of the trunk."""
SLOW_RATE = 0.1
PACED_SECONDS = 45.0
SLOW_SECONDS = 15.0
"""How long the carrier is slow before the last moment at which a call may be placed."""
RING_SECONDS = 5
MARGIN_SECONDS = RING_SECONDS + CLOCK_MARGIN_SECONDS
DEEPEST = 1
LEFT = 3
"""Calls that have to stand in the queue at the last moment, for anything to be shown."""
ZONE = ZoneInfo("Europe/Berlin")


def left_queue(entry: Entry) -> float:
    """When a call was dialled or taken back."""
    return min(moment for moment in (entry.dialled, entry.ended, math.inf) if moment is not None)


def deepest(entries: Iterable[Entry]) -> int:
    """The most calls at once that the carrier had accepted and not begun to dial."""
    turns = sorted(turn for entry in entries for turn in ((entry.accepted, 1), (left_queue(entry), -1)))
    depth = most = 0
    for _, turn in turns:
        depth += turn
        most = max(most, depth)
    return most


def queued_at(entries: Iterable[Entry], moment: float) -> int:
    """How many stood in the queue then."""
    return sum(entry.accepted <= moment < left_queue(entry) for entry in entries)


def dialled_outside(entries: Iterable[Entry], opens: float, closes: float) -> int:
    """Calls that the carrier began to dial while the window was shut, by its own clock."""
    return sum(entry.dialled is not None and not opens <= entry.dialled < closes for entry in entries)


async def run(task: Task) -> list[Row]:
    paced = max(15.0, PACED_SECONDS * task.scale)
    script = brief(seed=task.seed, calls_per_second=RATE, queue_over_rate=True)
    async with stage(Layout(workers=2, script=script, config=f"calls_per_second = {RATE}"), task) as on:
        opens = datetime.now(ZONE).replace(microsecond=0)
        closes = opens + timedelta(seconds=math.ceil(paced + SLOW_SECONDS + MARGIN_SECONDS))
        last = closes.timestamp() - MARGIN_SECONDS
        campaign = await on.campaign(
            round(2 * (paced + SLOW_SECONDS) * RATE),
            window=(f"{opens:%H:%M:%S}", f"{closes:%H:%M:%S}"),
            settings={"ring_timeout_seconds": RING_SECONDS},
        )
        await asyncio.sleep(last - SLOW_SECONDS - time.time())
        slow = time.time()
        await on.put_script(msgspec.structs.replace(script, calls_per_second=SLOW_RATE))
        await asyncio.sleep(closes.timestamp() + 2 - time.time())
        entries = of_campaign(on.entries(), campaign.campaign)
        found = await judge(on, campaign)
        waiting = await on.pool.fetchval(
            "select count(*) from campaign_contacts where campaign_id = $1 and status = 'pending'", campaign.campaign
        )
    late = sum(entry.accepted >= last for entry in entries)
    outside = dialled_outside(entries, opens.timestamp(), closes.timestamp())
    found = replace(found, lost=found.lost - waiting, outside_window=max(found.outside_window, outside))
    depth = deepest(entry for entry in entries if entry.accepted < slow)
    left = queued_at(entries, last)
    taken_back = sum(entry.dialled is None for entry in entries)
    notes = (
        f"{sum(entry.accepted < slow for entry in entries)} calls in {slow - opens.timestamp():.0f} s at {RATE:g}/s, "
        f"never more than {depth} in the carrier's queue; then it dials one in {1 / SLOW_RATE:.0f} s: {left} stood in its queue "
        f"at the last moment for a call, {late} were placed after it; {taken_back} taken back undialled"
    )
    passed = found.lawful and depth <= DEEPEST and not late and left >= LEFT and paced * RATE / 2 <= found.dials
    return [row(SCENARIO, "", found, kills=0, passed=passed, notes=notes)]


SCENARIO = Scenario(
    25,
    "the carrier dials late",
    does=f"it queues what is above {RATE:g} call/s, which is our rate too; after {PACED_SECONDS:.0f} s it dials one in "
    f"{1 / SLOW_RATE:.0f} s, and the window closes over its queue",
    passes=f"the laws; never more than {DEEPEST} in its queue before; it dials nobody outside the window, and is asked for no "
    "call after the last moment for one",
    run=run,
    beside={"": 2},
)
