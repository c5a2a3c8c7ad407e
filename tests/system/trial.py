"""A trial: one campaign dials while something is done to the stage, and is judged when it has come to rest.

What counts beside the laws is how long nobody was dialled once what was broken worked again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from adapters.simulated.carrier.script import Script, Span
from tests.support.ledger import Seed
from tests.system.frame import Found, Row, Scenario, Task, row
from tests.system.judge import judge, longest_pause
from tests.system.stage import Layout, Stage, brief, stage

CAP = 30
WARM_DIALS = 2 * CAP


@dataclass(frozen=True, slots=True)
class Fault:
    """Something was broken from `began` on, and worked again at `over`; seconds since 1970."""

    began: float
    over: float


Harm = Callable[[Stage, Seed], Awaitable[Sequence[Fault]]]


def steady() -> Script:
    """Calls of about half a second, so that `CAP` of them at once leave the machine time for other things."""
    return brief(ring=Span(0.1, 0.3), patience=Span(0.3, 0.6), talk=Span(0.3, 0.6))


PER_SECOND = 60
"""About how many contacts `CAP` slots are through with in a second by this script."""


@dataclass(frozen=True, slots=True)
class Trial:
    """`found.recoveries` are, for each fault, the longest pause between two dials from its end until the next one's beginning."""

    found: Found
    faults: Sequence[Fault]
    starts: Sequence[float]
    """When each call was accepted by the carrier, in order."""
    troubles: tuple[str, ...]

    def row(self, scenario: Scenario, case: str, *, within: float, notes: str = "", passed: bool = True) -> Row:
        """`within`: the longest pause that is allowed, in seconds."""
        good = self.found.lawful and not self.troubles and passed and (self.found.worst or 0.0) <= within and bool(self.faults)
        told = "; ".join(filter(None, (notes, f"unclear for {self.found.unclear_seconds:.1f} s at most", *self.troubles)))
        return row(scenario, case, self.found, kills=len(self.faults), passed=good, notes=told)


async def trial(task: Task, layout: Layout, contacts: int, harm: Harm, *, deaths: bool = False) -> Trial:
    """Run `harm` on a campaign that dials. `contacts` have to last for longer than it: a fault after which nobody was left to
    call counts as never recovered from. `deaths`: roles may end by themselves, and are started again."""
    async with stage(layout, task) as on:
        campaign = await on.campaign(contacts)
        await warm(on)
        faults = await harm(on, campaign)
        quiet = await on.quiet(campaign, within=120 + contacts / 20)
        return await verdict(on, campaign, faults, () if quiet else ("it did not come to rest",), deaths=deaths)


async def warm(on: Stage) -> None:
    """Wait until it dials. Raises TimeoutError."""
    begun = "select count(*) >= $1 from call_attempts where placing_at is not null"
    if not await on.until(begun, WARM_DIALS, within=60):
        raise TimeoutError("it did not begin to dial")


async def verdict(on: Stage, campaign: Seed, faults: Sequence[Fault], troubles: Sequence[str], *, deaths: bool = False) -> Trial:
    found = await judge(on, campaign)
    starts = sorted(entry.accepted for entry in on.entries() if entry.campaign == campaign.campaign)
    ends = [*(fault.began for fault in faults[1:]), starts[-1] if starts else 0.0]
    pauses = [longest_pause(starts, fault.over, end) for fault, end in zip(faults, ends, strict=False)]
    own = () if deaths else (f"{death.role} ended by itself with {death.code}" for death in on.crew.deaths)
    return Trial(replace(found, recoveries=tuple(pauses)), faults, starts, (*troubles, *own))


async def at_once(done: Awaitable[object]) -> Fault:
    """Something that is over when it is done."""
    await done
    now = time.time()
    return Fault(now, now)


async def while_it_lasts(seconds: float, begin: Callable[[], object], end: Callable[[], object]) -> Fault:
    """A fault of so many seconds."""
    began = time.time()
    begin()
    await asyncio.sleep(seconds)
    end()
    return Fault(began, time.time())
