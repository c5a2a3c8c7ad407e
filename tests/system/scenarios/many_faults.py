"""Scenario 26: several of every role, and for ten minutes bouts in which they are killed, stopped and cut off at random.

Between the bouts the machine is left alone; how full the cap is then, when what a bout broke had its time to recover, is the
utilisation outside the fault periods.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from adapters.simulated.carrier.journal import Entry
from adapters.simulated.carrier.script import Span
from adapters.simulated.carrier.verdict import of_campaign
from dialer.cli.main import Exit
from tests.support.tcp_proxy import Mode
from tests.system.crew import Death
from tests.system.frame import Row, Scenario, Task, counted, row
from tests.system.judge import judge, late
from tests.system.stage import Layout, Stage, brief, stage

SCHEDULERS, WORKERS, CAP = 4, 8, 50
SECONDS = 600.0
BOUT_SECONDS, CALM_SECONDS = 10.0, (30.0, 40.0)
RECOVERY_SECONDS = 15.0
"""What after a bout still counts as fault period."""
UTILISATION = 0.95
UNCLEAR_SECONDS = 60.0
CALLS = brief(ring=Span(0.5, 1.0), patience=Span(4.0, 6.0), talk=Span(5.0, 10.0))
CALLS_PER_SECOND = 10.0
"""More than can be made at a time: nobody must be wanting before the end."""

PARTITIONS: Sequence[tuple[str, Mode]] = (
    ("postgres", "blackhole"),
    ("postgres", "reset"),
    ("valkey", "blackhole"),
    ("valkey", "refuse"),
    ("carrier", "half_open"),
    ("carrier", "reset"),
    ("api", "blackhole"),
    ("api", "refuse"),
)
"""Not a blackhole before the carrier: the proxy hands over what it held back, so a request would come later than the carrier
said that it may."""


@dataclass
class Faults:
    """What was done, by kind, and when; seconds since 1970."""

    rng: Random
    bouts: list[tuple[float, float]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    kills: list[float] = field(default_factory=list)

    def kept_out(self, death: Death) -> bool:
        """Whether a role ended as it is to: it was started in a bout, and could not reach a store."""
        within = any(begin <= death.at <= end + RECOVERY_SECONDS for begin, end in self.bouts)
        return within and death.code == Exit.UNAVAILABLE

    async def bout(self, on: Stage) -> None:
        begin = time.time()
        async with asyncio.TaskGroup() as group:
            for fault in self.rng.choices((self._kill, self._stop, self._cut), k=self.rng.randint(3, 6)):
                group.create_task(fault(on, self.rng.uniform(0, BOUT_SECONDS / 2)))
        self.bouts.append((begin, time.time()))

    def _somebody(self, on: Stage) -> str:
        return self.rng.choice([name for name in on.crew.roles if name != "carrier"])

    async def _kill(self, on: Stage, after: float) -> None:
        await asyncio.sleep(after)
        for name in {self._somebody(on) for _ in range(self.rng.randint(1, 3))}:
            if on.crew.signal(name, signal.SIGKILL):
                self.done["kills"] += 1
                self.kills.append(time.time())

    async def _stop(self, on: Stage, after: float) -> None:
        await asyncio.sleep(after)
        name = self._somebody(on)
        self.done["stops"] += on.crew.signal(name, signal.SIGSTOP)
        await asyncio.sleep(self.rng.uniform(2, BOUT_SECONDS - after))
        on.crew.signal(name, signal.SIGCONT)

    async def _cut(self, on: Stage, after: float) -> None:
        await asyncio.sleep(after)
        name, mode = self.rng.choice(PARTITIONS)
        on.proxies[name].mode = mode
        self.done["partitions"] += 1
        await asyncio.sleep(self.rng.uniform(1, BOUT_SECONDS - after))
        on.proxies[name].mode = "pass"


def fullness(entries: Iterable[Entry], cap: int, spans: Sequence[tuple[float, float]]) -> float | None:
    """The share of the cap that was in use in these spans of time; None for no time."""
    length = sum(end - begin for begin, end in spans)
    if length <= 0:
        return None
    used = sum(max(0.0, min(entry.ended or end, end) - max(entry.accepted, begin)) for entry in entries for begin, end in spans)
    return used / (cap * length)


async def run(task: Task) -> list[Row]:
    seconds = task.scaled(round(SECONDS), 60)
    faults = Faults(task.rng("faults"))
    layout = Layout(
        schedulers=SCHEDULERS,
        workers=WORKERS,
        cap=CAP,
        script=CALLS,
        proxied=frozenset(name for name, _ in PARTITIONS),
    )
    async with stage(layout, task) as on:
        campaign = await on.campaign(round(seconds * CALLS_PER_SECOND))
        await on.until("select active >= $1 from scopes where key = $2", CAP, f"campaign:{campaign.campaign}", within=60)
        calm: list[tuple[float, float]] = []
        over = time.time() + seconds
        while time.time() < over:
            await faults.bout(on)
            begin = time.time() + RECOVERY_SECONDS
            await asyncio.sleep(faults.rng.uniform(*CALM_SECONDS))
            calm.append((begin, time.time()))
        await on.put_script(brief())
        quiet = await on.quiet(campaign, within=300)
        found = await judge(on, campaign, kills=faults.kills)
        tardy = await late(on, campaign)
        share = fullness(of_campaign(on.entries(), campaign.campaign), CAP, calm) or 0.0
        by_itself = [
            f"{d.role} ended by itself with {d.code}"
            for d in on.crew.deaths
            if d.code != -signal.SIGKILL and not faults.kept_out(d)
        ]
        notes = [
            f"{counted(faults.done)} in {seconds} s",
            f"cap {share:.1%} full outside the fault periods",
            f"{tardy} late dials",
        ]
        notes += [f"unclear for {found.unclear_seconds:.1f} s at most", *by_itself] + ["it did not come to rest"] * (not quiet)
        passed = (
            quiet
            and found.lawful
            and not tardy
            and not by_itself
            and share >= UTILISATION
            and found.unclear_seconds <= UNCLEAR_SECONDS
        )
        return [row(SCENARIO, "", found, kills=faults.done["kills"], passed=passed, notes="; ".join(notes))]


SCENARIO = Scenario(
    26,
    "many of every role, killed, stopped and cut off at random",
    does=f"{SCHEDULERS} schedulers, {WORKERS} workers, cap {CAP}; {SECONDS / 60:g} minutes of bouts of kills, stops, partitions",
    passes=f"as scenario 1; cap ≥ {UTILISATION:.0%} full outside the fault periods (to {RECOVERY_SECONDS:g} s after a bout)",
    run=run,
    beside={"": 11},
)
