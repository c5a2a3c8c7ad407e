"""`make chaos`: break things on purpose with real processes, judge by the carrier's journal and the database, print one table.

ARGS names scenarios by number (all by default), and cases of one as 1:K3; --seed N, --scale 0.1 for a small run, whose rows are
printed and not kept. `--list` says what there is.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import defaultdict

from tests.system.frame import Row, Scenario, Task, title, told
from tests.system.results import heading, line, merge, run_of
from tests.system.scenarios import SCENARIOS


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def run(scenario: Scenario, task: Task) -> list[Row]:
    try:
        return await scenario.run(task)
    except Exception as fault:  # the others still have something to say
        cases = task.only or [""]
        _say(f"{', '.join(title(scenario, case) for case in cases)} broke off: {fault!r}")
        return [told(scenario, case, f"broke off: {type(fault).__name__}", passed=False) for case in cases]


def main() -> int:
    known = {scenario.number: scenario for scenario in SCENARIOS}
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
    for each in asked.scenarios or map(str, known):
        number, _, case = each.partition(":")
        if not number.isdigit() or int(number) not in known:
            parser.error(f"no such scenario: {each}; there are {', '.join(map(str, known))}")
        cases[int(number)] += [case] if case else []
    said = run_of(sys.argv[1:], asked.seed)
    print(heading(), flush=True)
    rows = []
    for number, only in sorted(cases.items()):
        scenario = known[number]
        together = [[case for case in cases if not only or case in only] for cases in scenario.cases] or [only]
        for each_time in filter(None, together) if scenario.cases else together:
            found = asyncio.run(run(scenario, Task(asked.seed, asked.scale, each_time, _say)))
            for each in found:
                print(line(each, said), flush=True)
            if asked.scale >= 1 and (kept := [each for each in found if each.kept]):
                merge(kept, said)
            rows += found
    return 0 if rows and all(each.passed for each in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
