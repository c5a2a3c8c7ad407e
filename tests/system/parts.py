"""What is run at a time, and in which order: parts that fill the machine or measure fractions of a second have it to themselves;
when they are through, the others are run side by side, each in a process of its own.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

from tests.system.frame import Row, Scenario, Task, title, told
from tests.system.scenarios import SCENARIOS

KNOWN = {scenario.number: scenario for scenario in SCENARIOS}
SIDE_BY_SIDE = 3
"""More would make the slots of one wait for the processor's time of another."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Part:
    """What is run at a time: these cases of one scenario (none = all it has)."""

    number: int
    cases: Sequence[str]
    seed: int
    scale: float
    contacts: int | None = None

    @property
    def scenario(self) -> Scenario:
        return KNOWN[self.number]

    @property
    def minutes(self) -> float:
        """How long it lasts beside others; 0 = it has the machine to itself."""
        return sum(self.scenario.beside.get(case, 0.0) for case in self.cases or [""])

    @property
    def name(self) -> str:
        return f"{self.number} {' '.join(self.cases)}".strip()


async def run(scenario: Scenario, task: Task) -> list[Row]:
    try:
        return await scenario.run(task)
    except Exception as fault:  # the others still have something to say
        cases = task.only or [""]
        _say(f"{', '.join(title(scenario, case) for case in cases)} broke off: {fault!r}")
        kept = task.contacts is None  # its row is that of the usual number
        return [told(scenario, case, f"broke off: {type(fault).__name__}", passed=False, kept=kept) for case in cases]


def rows_of(part: Part) -> list[Row]:
    began = time.monotonic()
    rows = asyncio.run(run(part.scenario, Task(part.seed, part.scale, part.cases, part.contacts, _say)))
    _say(f"{part.name}: {time.monotonic() - began:.0f} s")
    return rows


def parts_of(asked: Mapping[int, Sequence[str]], seed: int, scale: float, contacts: int | None = None) -> list[Part]:
    parts = []
    for number, only in sorted(asked.items()):
        together = [[case for case in cases if not only or case in only] for cases in KNOWN[number].cases]
        parts += [Part(number, cases, seed, scale, contacts) for cases in (filter(None, together) if together else [only])]
    return parts


def run_all(parts: Iterable[Part]) -> Iterator[list[Row]]:
    """The rows of each part when it is through: one by one, then side by side, the longest first."""
    waiting = []
    for part in parts:
        if part.minutes:
            waiting.append(part)
        else:
            yield rows_of(part)
    waiting.sort(key=lambda part: -part.minutes)
    with ProcessPoolExecutor(SIDE_BY_SIDE, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for future in as_completed([pool.submit(rows_of, part) for part in waiting]):
            yield future.result()
