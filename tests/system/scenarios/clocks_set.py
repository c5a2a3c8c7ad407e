"""Scenarios 13 and 14: somebody sets the clock, of the machine that the roles run on or of the database's, while they dial."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from adapters.simulated.carrier.verdict import of_campaign
from tests.support.ledger import Seed
from tests.system.faketime import FakeClock, NoFaketime
from tests.system.frame import Row, Scenario, Task, cannot
from tests.system.stage import Layout, Stage, stage
from tests.system.trial import CAP, PER_SECOND, Fault, Trial, steady, verdict, warm

HOUR = 3600
APP_JUMPS = (2 * HOUR, -2 * HOUR, 24 * HOUR, -24 * HOUR)
DATABASE_JUMPS = (HOUR, -HOUR)
LASTS_SECONDS = 8.0
REST_SECONDS = 6.0
RESUME_SECONDS = 10.0
TEMPTED = 40
"""Contacts of each campaign that nobody may call now, and that a wrong clock would."""
ZONE = ZoneInfo("Europe/Berlin")


@dataclass(slots=True)
class Temptations:
    """Campaigns that are not to be called within the hour: one for each wrong clock, whose window is open only by it, and one
    whose people are to be called again later."""

    campaigns: list[Seed] = field(default_factory=list)

    async def lay(self, on: Stage, jumps: Sequence[int]) -> None:
        for number, jump in enumerate(each for each in jumps if abs(each) < 12 * HOUR):
            opens = datetime.now(ZONE) + timedelta(seconds=jump) - timedelta(minutes=20)
            window = (f"{opens:%H:%M}", f"{opens + timedelta(minutes=50):%H:%M}")
            made = await on.campaign(TEMPTED, window=window, prefix=f"+494{number}")
            self.campaigns.append(made)
        later = await on.campaign(TEMPTED, prefix="+4949")
        await on.pool.execute(
            "update campaign_contacts set next_attempt_at = now() + interval '30 minutes' where campaign_id = $1", later.campaign
        )
        self.campaigns.append(later)

    def called(self, on: Stage) -> int:
        entries = on.entries()
        return sum(len(of_campaign(entries, each.campaign)) for each in self.campaigns)


async def _window(on: Stage, contacts: int) -> Seed:
    """A campaign whose window is open now, and by none of the wrong clocks that are hours away."""
    now = datetime.now(ZONE)
    window = (f"{now - timedelta(minutes=30):%H:%M}", f"{now + timedelta(minutes=30):%H:%M}")
    return await on.campaign(contacts, window=window)


async def _set_about(
    on: Stage, clock: FakeClock, jumps: Sequence[int], lasts: float, during: Callable[[int], None] | None = None
) -> list[Fault]:
    faults = []
    for jump in jumps:
        began = time.time()
        clock.set(jump)
        if during is not None:
            during(jump)
        await asyncio.sleep(lasts)
        clock.set(0)
        faults.append(Fault(began, time.time()))
        await asyncio.sleep(REST_SECONDS)
    return faults


def _row(scenario: Scenario, made: Trial, tempted: int, notes: str, passed: bool) -> Row:
    during = sum(any(fault.began < start < fault.over for fault in made.faults) for start in made.starts)
    told = f"{during} calls by a wrong clock, {tempted} of them to people who are not to be called now; {notes}"
    return made.row(scenario, "", within=RESUME_SECONDS, notes=told, passed=passed and not tempted)


def _alarms(on: Stage) -> int:
    """Roles that say in their log that the clocks differ."""
    return sum("ahead of the database's" in on.crew.words(name, 1_000_000) for name in on.crew.roles)


async def roles(task: Task) -> list[Row]:
    lasts = max(4.0, LASTS_SECONDS * task.scale)
    with TemporaryDirectory(prefix="dialer-clock-") as directory:
        try:
            clock = FakeClock(Path(directory))
        except NoFaketime as fault:
            return [cannot(ROLES, str(fault))]
        layout = Layout(cap=CAP, script=steady(), fresh=True, env=clock.env)
        async with stage(layout, task) as on:
            tempting = Temptations()
            await tempting.lay(on, APP_JUMPS)
            campaign = await _window(on, round(len(APP_JUMPS) * (lasts + REST_SECONDS) * PER_SECOND))
            await warm(on)

            def kill(jump: int) -> None:
                """Who starts anew knows no other clock than the wrong one."""
                for name in ("scheduler-1", "worker-1") if jump in (APP_JUMPS[0], APP_JUMPS[-1]) else ():
                    on.crew.signal(name, signal.SIGKILL)

            faults = await _set_about(on, clock, APP_JUMPS, lasts, kill)
            quiet = await on.quiet(campaign, within=180)
            made = await verdict(on, campaign, faults, () if quiet else ("it did not come to rest",), deaths=True)
            own = [death for death in on.crew.deaths if death not in on.crew.kills]
            notes = f"{_alarms(on)} roles raised an alarm; {len(on.crew.kills)} roles killed meanwhile"
            return [_row(ROLES, made, tempting.called(on), notes, bool(_alarms(on)) and not own)]


async def database(task: Task) -> list[Row]:
    lasts = max(4.0, LASTS_SECONDS * task.scale)
    with TemporaryDirectory(prefix="dialer-clock-") as directory:
        try:
            clock = FakeClock(Path(directory))
        except NoFaketime as fault:
            return [cannot(DATABASE, str(fault))]
        async with stage(Layout(cap=CAP, script=steady(), postgres_env=clock.env), task) as on:
            tempting = Temptations()
            await tempting.lay(on, DATABASE_JUMPS)
            campaign = await _window(on, round(2 * len(DATABASE_JUMPS) * REST_SECONDS * PER_SECOND))
            await warm(on)
            faults = await _set_about(on, clock, DATABASE_JUMPS, lasts)
            quiet = await on.quiet(campaign, within=180)
            made = await verdict(on, campaign, faults, () if quiet else ("it did not come to rest",))
            return [_row(DATABASE, made, tempting.called(on), f"{_alarms(on)} roles raised an alarm", bool(_alarms(on)))]


_PASSES = (
    f"the laws, windows by the carrier's clock; nobody is called too soon; an alarm; dialling ≤ {RESUME_SECONDS:.0f} s after"
)

ROLES = Scenario(
    13,
    "the roles' clock set",
    does="by 2 hours and a day, forward and back, while they dial; two roles are killed and start with the wrong clock",
    passes=_PASSES,
    run=roles,
    beside={"": 1},
)
DATABASE = Scenario(
    14,
    "the database's clock set",
    does="by an hour forward and back, while they dial",
    passes=_PASSES,
    run=database,
    beside={"": 1},
)
