"""`make bench`: real processes, real stores, the simulated carrier as judge. ARGS names parts; all of them by default."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from tests.benchmarks.dialling import dialling, killed
from tests.benchmarks.generated import schemathesis
from tests.benchmarks.lists import lists
from tests.benchmarks.loading import enrol, import_
from tests.benchmarks.placing import placing
from tests.benchmarks.resting import help_, idle
from tests.benchmarks.table import Row, markdown, write

PARTS: dict[str, Callable[[], list[Row] | Coroutine[Any, Any, list[Row]]]] = {
    "dialling": dialling,
    "killed": killed,
    "idle": idle,
    "help": help_,
    "import": import_,
    "enrol": enrol,
    "lists": lists,
    "placing": placing,
    "schemathesis": schemathesis,
}


def main(names: list[str]) -> list[Row]:
    rows: list[Row] = []
    for name in names:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        found = PARTS[name]()
        rows += found if isinstance(found, list) else asyncio.run(found)
    return rows


if __name__ == "__main__":
    asked = sys.argv[1:] or list(PARTS)
    if unknown := [name for name in asked if name not in PARTS]:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    found = main(asked)
    print(markdown(found))
    if not sys.argv[1:]:
        write("make bench", found)
    sys.exit(0 if all(row.passed for row in found) else 1)
