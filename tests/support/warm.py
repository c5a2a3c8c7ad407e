"""The command line with its modules loaded: every command is a fork of this process, so a process of its own that begins at once.

with warm() as start:
    code, said = start(["team", "list"], {"DATABASE_URL": …})

Run as a program it reads orders, one line of JSON each, and answers each with the exit code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PROJECT = Path(__file__).parents[2]
MODULES = ("dialer.cli", "dialer.app", "dialer.api.context", "dialer.flows.campaigns.dashboard", "adapters.simulated.adapter")

Start = Callable[[Sequence[str], Mapping[str, str]], tuple[int, str]]


@contextmanager
def warm() -> Iterator[Start]:
    """What runs a command with its arguments and all of its environment: its exit code, and what it printed."""
    command = [sys.executable, "-m", "tests.support.warm"]
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdin is not None and process.stdout is not None
        orders, codes, printed = process.stdin, process.stdout, Path(folder) / "printed"

        def start(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
            order = {"arguments": list(arguments), "environment": dict(environment), "printed": str(printed)}
            orders.write(json.dumps(order).encode() + b"\n")
            orders.flush()
            return int(codes.readline()), printed.read_text()

        yield start


def _become(order: Mapping[str, Any]) -> None:
    """The command, from here to its end."""
    os.environ.clear()
    os.environ.update(order["environment"])
    nothing, printed = os.open(os.devnull, os.O_RDONLY), os.open(order["printed"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for mine, its in ((0, nothing), (1, printed), (2, printed)):
        os.dup2(its, mine)
    sys.argv = ["dialer", *order["arguments"]]
    import_module("dialer.cli").main()


def main() -> None:
    for module in MODULES:
        import_module(module)
    for line in sys.stdin.buffer:
        child = os.fork()
        if child == 0:
            return _become(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
