"""The frame of the chaos runs: what a scenario is, what it gives back, and how to add one.

A scenario is a module in `tests/system/scenarios/` that ends in

    SCENARIO = Scenario(4, "Redis flushed every 10 s", does="…", passes="…", run=run)

and is named in the list in `scenarios/__init__.py`. `run(task)` is a coroutine that returns a list of rows. It mostly looks so:

    async with stage(Layout(workers=4, cap=50, script=brief()), task) as on:      # real processes, on fresh stores
        campaign = await on.campaign(task.scaled(10_000))                          # contacts, due now; it runs at once
        ...                                                                        # your faults
        await on.quiet(campaign, within=300)                                       # until nobody is left to call
        found = await judge(on, campaign)                                          # by journal and ledger alone
    return [row(SCENARIO, "", found, kills=…, notes="…", passed=found.lawful and …)]

`on.crew` starts, stops and signals roles (each restarts when it dies) and counts their deaths; `on.stores` is the two servers
(kill them; `revive(False)` keeps them down); `on.proxies` are TCP proxies before "postgres", "valkey", "carrier" and "api", those
that `Layout.proxied` names; `Layout.failpoints` makes roles harm themselves (`adapters/failpoints.py`); `on.put_script` changes
the carrier. `Layout.disk` gives the stores a disk that can be filled (`disk.py`), `Layout.fresh` and `postgres_env` let roles and
Postgres have a clock of their own (`faketime.py`). `client.py` speaks to the API as a team does, `answered.py` judges what its
answers promise. `task.scaled(n)` is n, smaller in a small run; `task.seed` seeds whatever you draw. Where one campaign dials
while one thing is done to it, `trial.py` has all of the above and measures the pauses.

A fault that this machine cannot produce is a row too: `cannot(SCENARIO, "why")`. It counts as a fail. A scenario that dials
nobody tells its row with `told`; the guards that 38 takes away are listed in `guards/`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random


@dataclass(frozen=True, slots=True)
class Task:
    """How a scenario is asked to run: `scale` 1 is the full run."""

    seed: int = 1
    scale: float = 1.0
    only: Sequence[str] = ()
    """The cases to run (K1, …); none = all."""
    contacts: int | None = None
    """How many contacts were asked for, of a scenario that is `sized`; None = as `scale` says."""
    say: Callable[[str], None] = field(default=lambda text: None)

    def scaled(self, full: int, least: int = 1) -> int:
        return max(least, round(full * self.scale))

    def rng(self, what: str) -> Random:
        return Random(f"{self.seed} {what}")

    def wants(self, case: str) -> bool:
        return not self.only or case in self.only


@dataclass(frozen=True, slots=True)
class Table:
    """A file of results. The first of its columns is the title of the case, the last three are notes, run, and pass or fail;
    `head` is what stands above them."""

    path: Path
    columns: Sequence[str]
    head: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """`does` and `passes` are one line each, for people; `number` is the one of the list of scenarios."""

    number: int
    name: str
    does: str
    passes: str
    run: Callable[[Task], Awaitable[list[Row]]]
    cases: tuple[tuple[str, ...], ...] = ()
    """Its cases, as they are run: those of one tuple together."""
    beside: Mapping[str, float] = field(default_factory=dict)
    """Which of its cases ("" where it has none) leave others room on the machine and measure no fraction of a second, and about
    how many minutes each lasts: these are run side by side, so that all fit into an hour."""
    sized: bool = False
    """Whether it can be asked for a number of contacts."""
    word: str = ""
    """What it may be called instead of by its number."""
    table: Table | None = None
    """Where its rows are kept; None = in the table of all others."""


@dataclass(frozen=True, slots=True)
class Found:
    """What journal and ledger say of a run. Counts of what must not be, and seconds."""

    dials: int
    duplicates: int
    lost: int
    over_cap: int
    outside_window: int
    leaked: int
    unresolved: int
    """Attempts that ended as unknown although the carrier has their call."""
    unclear_seconds: float
    """The longest that any attempt was neither known to be placed nor known not to be."""
    broken: tuple[str, ...]
    """Laws of the ledger that do not hold, in words."""
    seconds: float
    """From the first dial to the last."""
    recoveries: tuple[float, ...]
    """For each kill: until every slot had its next dial again whose call was not up (the worst of them)."""

    @property
    def lawful(self) -> bool:
        bad = (self.duplicates, self.lost, self.over_cap, self.outside_window, self.leaked, self.unresolved)
        return not any(bad) and not self.broken and self.dials > 0

    @property
    def worst(self) -> float | None:
        return max(self.recoveries, default=None)

    @property
    def p95(self) -> float | None:
        """Nearest rank."""
        return sorted(self.recoveries)[math.ceil(0.95 * len(self.recoveries)) - 1] if self.recoveries else None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    number: int
    case: str
    cells: tuple[str, ...]
    passed: bool
    kept: bool = True
    """Whether it is written into the results; what ran in part is only printed."""


def row(scenario: Scenario, case: str, found: Found, *, kills: int, passed: bool, notes: str = "", kept: bool = True) -> Row:
    said = [notes, *found.broken]
    said += [f"{found.leaked} slots leaked"] * bool(found.leaked) + [f"{found.unresolved} unresolved"] * bool(found.unresolved)
    counts = (found.dials, kills, found.duplicates, found.lost, found.over_cap, found.outside_window)
    cells = (*map(str, counts), _seconds(found.p95), _seconds(found.worst), "; ".join(filter(None, said)))
    return Row(scenario.number, case, (title(scenario, case), *cells), passed, kept)


def told(scenario: Scenario, case: str, notes: str, *, passed: bool, kept: bool = True) -> Row:
    """The row of a scenario that dials nobody."""
    empty = 8 if scenario.table is None else len(scenario.table.columns) - 4
    return Row(scenario.number, case, (title(scenario, case), *["–"] * empty, notes), passed, kept)


def cannot(scenario: Scenario, why: str, case: str = "", *, kept: bool = True) -> Row:
    """The row of a fault that cannot be produced here."""
    return told(scenario, case, f"cannot be produced here: {why}", passed=False, kept=kept)


def title(scenario: Scenario, case: str) -> str:
    return f"{scenario.number} {case}".strip() + f": {scenario.name}"


def counted(things: Counter[str]) -> str:
    """For notes: how many of what."""
    return ", ".join(f"{n} {what}" for what, n in sorted(things.items()) if n)


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"
