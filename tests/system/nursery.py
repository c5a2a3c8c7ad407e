"""Starts roles as forks of one process that has imported their code already: `python -m tests.system.nursery`.

A role that is killed once a second would otherwise spend more of the machine on Python's imports than on calls. What is
forked is the real command line, in a process of its own; with `"exec": true` it is a fresh interpreter (slower, for a role that
needs another environment from its first instruction on, like LD_PRELOAD).

Reads one JSON object a line: {"name", "argv", "env", "log", "exec"}; tells one a line: {"name", "pid", "event", "code", "at"},
the event being started, ended (code: negative is a signal), stopped or continued. When its input ends it kills what it started,
and ends.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from typing import Any, NoReturn

from dialer.cli import main as command_line

IMPORTED = ("adapters.simulated.adapter", "adapters.simulated.carrier.server", "dialer.api.app", "dialer.serve", "dialer.worker")
"""What the roles import when they start, beside what these import."""

_PR_SET_PDEATHSIG = 1


def _become(order: dict[str, Any]) -> NoReturn:
    """The child's life: the role, and nothing of the nursery."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
        os.dup2(source, number)
    os.environ.clear()
    os.environ.update(order["env"])
    if order.get("exec"):
        os.execv(sys.executable, [sys.executable, "-m", "dialer", *order["argv"]])
    sys.argv = ["dialer", *order["argv"]]
    code: Any = 1
    try:
        command_line()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _tell(**event: Any) -> None:
    os.write(1, json.dumps({**event, "at": time.time()}).encode() + b"\n")


def _reap(names: dict[int, str]) -> None:
    while names:
        pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
        if not pid:
            return
        if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
            _tell(name=names[pid], pid=pid, event="stopped" if os.WIFSTOPPED(status) else "continued", code=None)
        else:
            _tell(name=names.pop(pid), pid=pid, event="ended", code=os.waitstatus_to_exitcode(status))


def main() -> None:
    signals, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakeup)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever runs us ends us, by closing our input
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()
    names: dict[int, str] = {}
    unread = b""
    while True:
        ready, _, _ = select.select([0, signals], [], [])
        if signals in ready:
            os.read(signals, 4096)
        _reap(names)
        if 0 not in ready:
            continue
        if not (piece := os.read(0, 65_536)):
            break
        *lines, unread = (unread + piece).split(b"\n")
        for order in map(json.loads, lines):
            pid = os.fork()
            if not pid:
                _become(order)
            names[pid] = order["name"]
            _tell(name=order["name"], pid=pid, event="started", code=None)
    for pid in names:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
