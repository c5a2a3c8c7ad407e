"""`make chaos`: break things on purpose with real processes, judge by the carrier's journal and the database, print one table.

ARGS names scenarios by number (all by default), and cases of one as 1:K3; --seed N, --scale 0.1 for a small run, whose rows are
printed and not kept. `--list` says what there is. Scenarios that fill the machine or measure fractions of a second have it to
themselves; when they are through, those that mostly wait are run side by side.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

from tests.system.frame import Row, Scenario, Task, title, told
from tests.system.results import heading, line, merge, run_of, whole
from tests.system.scenarios import SCENARIOS

KNOWN = {scenario.number: scenario for scenario in SCENARIOS}
SIDE_BY_SIDE = 3
"""Scenarios that mostly wait, at once: more make the slots of one wait for the processor's time of another."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Part:
    """What is run at a time: these cases of one scenario (none = all it has)."""

    number: int
    cases: Sequence[str]
    seed: int
    scale: float

    @property
    def scenario(self) -> Scenario:
        return KNOWN[self.number]

    @property
    def minutes(self) -> float:
        """How long it lasts and mostly waits; 0 = it has the machine to itself."""
        return sum(self.scenario.waits.get(case, 0.0) for case in self.cases or [""])

    @property
    def name(self) -> str:
        return f"{self.number} {' '.join(self.cases)}".strip()


async def run(scenario: Scenario, task: Task) -> list[Row]:
    try:
        return await scenario.run(task)
    except Exception as fault:  # the others still have something to say
        cases = task.only or [""]
        _say(f"{', '.join(title(scenario, case) for case in cases)} broke off: {fault!r}")
        return [told(scenario, case, f"broke off: {type(fault).__name__}", passed=False) for case in cases]


def rows_of(part: Part) -> list[Row]:
    began = time.monotonic()
    rows = asyncio.run(run(part.scenario, Task(part.seed, part.scale, part.cases, _say)))
    _say(f"{part.name}: {time.monotonic() - began:.0f} s")
    return rows


def parts_of(asked: Mapping[int, Sequence[str]], seed: int, scale: float) -> list[Part]:
    parts = []
    for number, only in sorted(asked.items()):
        together = [[case for case in cases if not only or case in only] for cases in KNOWN[number].cases]
        parts += [Part(number, cases, seed, scale) for cases in (filter(None, together) if together else [only])]
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help="numbers, or number:case; all by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="1 = the full run; a smaller one is not kept")
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    if asked.list:
        for scenario in SCENARIOS:
            print(f"{title(scenario, '')}\n    {scenario.does}\n    passes: {scenario.passes}")
        return 0
    cases: defaultdict[int, list[str]] = defaultdict(list)
    for each in asked.scenarios or map(str, KNOWN):
        number, _, case = each.partition(":")
        if not number.isdigit() or int(number) not in KNOWN:
            parser.error(f"no such scenario: {each}; there are {', '.join(map(str, KNOWN))}")
        cases[int(number)] += [case] if case else []
    said, began = run_of(sys.argv[1:], asked.seed), time.monotonic()
    print(heading(), flush=True)
    rows = []
    for found in run_all(parts_of(cases, asked.seed, asked.scale)):
        for each in found:
            print(line(each, said), flush=True)
        if asked.scale >= 1 and (kept := [each for each in found if each.kept]):
            merge(kept, said)
        rows += found
    passed = sum(each.passed for each in rows)
    print(sentence := f"{passed} of {len(rows)} rows passed in {(time.monotonic() - began) / 60:.0f} min.", flush=True)
    if not asked.scenarios and asked.scale >= 1:
        whole(sentence, said)
    return 0 if rows and passed == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
