"""Time and chance are arguments: only a few modules may ask the machine for them.

The scan reads names, not values: it knows `import` and `from … import … as …`, and that is enough to keep honest people honest.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, PROJECT, python_files

ALLOWED = (
    "scheduler/clock.py",
    "dialer/app.py",
    "dialer/embedded/",
    "dialer/supervisor.py",
    "adapters/simulated/carrier/",
    "adapters/failpoints.py",  # it exists to stand still
    "adapters/conformance.py",  # it is a test, of outsiders' adapters too
    "adapters/livekit/tokens.py",  # a token says until when it is good
    "dialer/domain/ids.py",  # an id's time only sorts; nothing is decided by it
)
FORBIDDEN = {
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "time.time",
    "time.time_ns",
    "time.sleep",
    "asyncio.create_task",
    "asyncio.ensure_future",
}


def faults(source: str) -> list[str]:
    """What a file does that it may not, as "line: name"."""
    tree = ast.parse(source)
    names = dict(_imported(tree))
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute() | ast.Name() if _forbidden(name := _dotted(node, names)):
                found.append(f"{node.lineno}: {name}")
            case ast.Call(func=func, args=arguments) if (name := _dotted(func, names)) in ("asyncio.sleep", "random.Random"):
                # sleep(0) only lets others run; a generator with a seed is chance as an argument.
                harmless = arguments and (name == "random.Random" or getattr(arguments[0], "value", None) == 0)
                if not harmless:
                    found.append(f"{node.lineno}: {name}")
            case ast.Call(func=ast.Attribute(attr="create_task", value=owner)) if "loop" in ast.unparse(owner):
                found.append(f"{node.lineno}: loop.create_task")
    return found


def _forbidden(name: str) -> bool:
    room, _, attribute = name.partition(".")
    return name in FORBIDDEN or (room == "random" and attribute.islower()) or name == "random.SystemRandom"


def _imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full name that an expression stands for, or an empty string."""
    match node:
        case ast.Name(id=name):
            return names.get(name, "")
        case ast.Attribute(value=owner, attr=attribute):
            full = _dotted(owner, names)
            return f"{full}.{attribute}" if full else ""
    return ""


def test_only_the_allowed_modules_ask_for_time_and_chance() -> None:
    scanned = [path for path in python_files(*PACKAGES) if not str(path).startswith(ALLOWED)]
    assert Path("scheduler/__init__.py") in scanned
    found = {str(path): faults((PROJECT / path).read_text()) for path in scanned}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import datetime\ndatetime.datetime.now(datetime.UTC)",
        "import datetime as dt\ndt.datetime.utcnow()",
        "from datetime import datetime\ndatetime.now()",
        "from datetime import date as day\nday.today()",
        "import time\nread = time.time",
        "from time import time as now\nnow()",
        "import asyncio\nasync def f(): await asyncio.sleep(1)",
        "from asyncio import sleep\nasync def f(): await sleep(0.1)",
        "import asyncio\nasyncio.create_task(f())",
        "from asyncio import ensure_future\nensure_future(f())",
        "import asyncio\nasyncio.get_running_loop().create_task(f())",
        "loop.create_task(f())",
        "import random\nrandom.choice([1])",
        "from random import uniform\nuniform(0, 1)",
        "import random\nrandom.Random()",
        "from random import SystemRandom\nSystemRandom()",
    ],
)
def test_the_scan_sees(source: str) -> None:
    assert len(faults(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.monotonic()",
        "import asyncio\nasync def f(): await asyncio.sleep(0)",
        "import asyncio\nasync def f():\n  async with asyncio.TaskGroup() as group: group.create_task(g())",
        "import random\ndef f(rng: random.Random) -> float: return rng.random()",
        "import random\nrandom.Random(7).random()",
        "from datetime import datetime, UTC\ndatetime.fromtimestamp(0, UTC)",
        "def f(clock): return clock.now()",
    ],
)
def test_the_scan_lets_pass(source: str) -> None:
    assert faults(source) == []
