"""`make chaos`: break things on purpose with real processes, judge by the carrier's journal and the database, print one table.

ARGS names scenarios by number (all by default; one that has a word also by that), and cases of one as 1:K3 or carriers:twilio;
--seed N, --scale 0.1 for a small run, whose rows are printed and not kept. `--contacts N` is for a scenario that is about a great
number of them (30), whatever the scale. `--list` says what there is.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict

from tests.system.frame import title
from tests.system.parts import KNOWN, parts_of, run_all
from tests.system.results import CHAOS, heading, line, merge, run_of, whole

WORDS = {scenario.word: str(number) for number, scenario in KNOWN.items() if scenario.word}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help="numbers, or number:case; all by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="1 = the full run; a smaller one is not kept")
    parser.add_argument("--contacts", type=int, help="how many, of a scenario that is about a great number of them")
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    if asked.list:
        for scenario in KNOWN.values():
            print(f"{title(scenario, '')}\n    {scenario.does}\n    passes: {scenario.passes}")
        return 0
    cases: defaultdict[int, list[str]] = defaultdict(list)
    for each in asked.scenarios or map(str, KNOWN):
        named, _, case = each.partition(":")
        number = WORDS.get(named, named)
        if not number.isdigit() or int(number) not in KNOWN:
            parser.error(f"no such scenario: {each}; there are {', '.join(map(str, KNOWN))}")
        cases[int(number)] += [case] if case else []
    if asked.contacts is not None:
        if unfit := [number for number in cases if not KNOWN[number].sized]:
            sized = ", ".join(str(number) for number, scenario in KNOWN.items() if scenario.sized)
            parser.error(f"--contacts is not for {', '.join(map(str, unfit))}; name scenario {sized}")
        if asked.contacts < 1:
            parser.error(f"--contacts is {asked.contacts}; name 1 or more")
    said, began = run_of(sys.argv[1:], asked.seed), time.monotonic()
    rows, above = [], None
    for found in run_all(parts_of(cases, asked.seed, asked.scale, asked.contacts)):
        for each in found:
            table = KNOWN[each.number].table or CHAOS
            if table is not above:
                print(heading(table), flush=True)
                above = table
            print(line(each, said), flush=True)
            if asked.scale >= 1 and each.kept:
                merge([each], said, table=table)
        rows += found
    passed = sum(each.passed for each in rows)
    print(sentence := f"{passed} of {len(rows)} rows passed in {(time.monotonic() - began) / 60:.0f} min.", flush=True)
    if not asked.scenarios and asked.scale >= 1:
        whole(sentence, said)
    return 0 if rows and passed == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
