"""Scenario 27: one process after the other is asked to end and followed by one of the other version, while calls are up."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.simulated.carrier.script import Span
from adapters.simulated.carrier.verdict import of_campaign
from tests.support.earlier import NoHistory, earlier
from tests.system.frame import Row, Scenario, Task, cannot, row
from tests.system.judge import judge, late
from tests.system.stage import Layout, Stage, brief, stage

ROUNDS, CONTACTS_PER_ROUND = 20, 250
CLAIMS_SECONDS, DRAIN_SECONDS = 0.1, 30.0
READY_SECONDS = 30.0
TALK = Span(5.0, 10.0)
CALLS = brief(ring=Span(0.5, 1.0), patience=Span(4.0, 6.0), talk=TALK)
UNCLEAR_SECONDS = 60.0
_TERM = 1 << (signal.SIGTERM - 1)


@dataclass
class Deploy:
    """What the replacements came to: seconds from SIGTERM to the end of each, and the claims that came after it."""

    on: Stage
    drains: list[float] = field(default_factory=list)
    codes: set[int] = field(default_factory=set)
    late_claims: int = 0

    async def replace(self, name: str, code: Path | None) -> None:
        """End a role as systemd does; its successor runs `code` (None = ours)."""
        crew, role = self.on.crew, self.on.crew.roles[name]
        self.on.next_from(name, code)
        before, starts = len(crew.deaths), role.starts
        asked = time.time()
        assert crew.signal(name, signal.SIGTERM)
        async with asyncio.timeout(2 * DRAIN_SECONDS):
            while role.starts == starts or role.pid is None:
                await role.changed.wait()
        death = next(each for each in crew.deaths[before:] if each.role == name)
        self.drains.append(death.at - asked)
        self.codes.add(death.code)
        if name.startswith("scheduler"):  # the only one: nobody else claims
            self.late_claims += await self.on.pool.fetchval(
                "select count(*) from call_attempts where claimed_at > to_timestamp($1) and claimed_at < to_timestamp($2)",
                asked + CLAIMS_SECONDS, death.at,
            )  # fmt: skip
        await self._works(name)

    async def _works(self, name: str) -> None:
        """Wait until the role minds SIGTERM, which is when it has begun to work."""
        begun = time.monotonic()
        while not _minds_term(self.on.crew.roles[name].pid):
            assert time.monotonic() < begun + READY_SECONDS, f"{name} does not begin"
            await asyncio.sleep(0.05)


def _minds_term(pid: int | None) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return any(int(line.split()[1], 16) & _TERM for line in status.splitlines() if line.startswith("SigCgt:"))


async def run(task: Task) -> list[Row]:
    with TemporaryDirectory(prefix="dialer-before-") as place:
        try:
            before = earlier(Path(place))
        except NoHistory as why:
            return [cannot(SCENARIO, str(why))]
        return [await _run(task, before)]


async def _run(task: Task, before: Path) -> Row:
    rounds = task.scaled(ROUNDS, 2)
    async with stage(Layout(script=CALLS, code=before), task) as on:
        campaign = await on.campaign(rounds * CONTACTS_PER_ROUND)
        scope = f"campaign:{campaign.campaign}"
        await on.until("select active >= $1 from scopes where key = $2", on.layout.cap, scope, within=60)
        deploy = Deploy(on)
        names = [name for name in on.crew.roles if name != "carrier"]
        for number in range(rounds):
            for name in names:
                await deploy.replace(name, before if number % 2 else None)
        await on.put_script(brief())
        quiet = await on.quiet(campaign, within=300)
        found = await judge(on, campaign)
        tardy = await late(on, campaign)
        entries = of_campaign(on.entries(), campaign.campaign)
        cut = sum(entry.hung_up for entry in entries)
        callbacks = (await on.books())["callbacks"]
        notes = [
            f"{rounds} rounds, the version before and this one by turns",
            f"drained in {max(deploy.drains):.1f} s at most",
            f"{deploy.late_claims} claims later than {CLAIMS_SECONDS:g} s after SIGTERM",
            f"{callbacks['given_up']} of {sum(callbacks.values())} callbacks lost",
            f"{cut} calls cut off",
            f"{tardy} late dials",
            *(["it did not come to rest"] if not quiet else []),
            *(f"ended with {code}" for code in deploy.codes - {0}),
        ]
        passed = (
            quiet
            and found.lawful
            and not (tardy or cut or deploy.late_claims or callbacks["given_up"] or deploy.codes - {0})
            and len(on.crew.deaths) == len(deploy.drains)
            and max(deploy.drains) <= DRAIN_SECONDS
            and found.unclear_seconds <= UNCLEAR_SECONDS
        )
        return row(SCENARIO, "", found, kills=len(deploy.drains), passed=passed, notes="; ".join(notes))


SCENARIO = Scenario(
    27,
    f"rolling deploy ×{ROUNDS}, two versions side by side",
    does=f"{ROUNDS} times: SIGTERM to each process, then one of the version before the last change of the schema or of this one",
    passes=f"no claim {CLAIMS_SECONDS:g} s after SIGTERM, drained ≤ {DRAIN_SECONDS:g} s, 0 callbacks lost, 0 calls cut",
    run=run,
)
