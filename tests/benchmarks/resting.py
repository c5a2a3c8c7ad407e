"""What the daemon costs while nothing is to be done, and how quickly the command line answers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from socket import socket

import psutil

from tests.benchmarks.table import Row, at_most

SETTLE_SECONDS = 15
WATCH_SECONDS = 30


async def idle() -> list[Row]:
    """All roles and the embedded servers, half a minute."""
    with tempfile.TemporaryDirectory() as directory:
        port = free_port()
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DIALER_", "DATABASE_", "REDIS_"))},
            "DIALER_EMBEDDED__DATA_DIR": str(Path(directory) / "data"),
            "DIALER_HTTP__PORT": str(port),
        }
        daemon = await asyncio.create_subprocess_exec(sys.executable, "-m", "dialer", "up", env=environ)
        try:
            await asyncio.sleep(SETTLE_SECONDS)
            tree = [psutil.Process(daemon.pid), *psutil.Process(daemon.pid).children(recursive=True)]
            before = sum(_cpu(each) for each in tree)
            started = time.monotonic()
            await asyncio.sleep(WATCH_SECONDS)
            share = (sum(_cpu(each) for each in tree) - before) / (time.monotonic() - started)
            memory = sum(each.memory_full_info().pss for each in tree) / 1e6
        finally:
            daemon.send_signal(signal.SIGTERM)
            await daemon.wait()
    return [at_most("idle: of one core", 3, share * 100, " %"), at_most("idle: summed PSS", 400, memory, " MB")]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def free_port() -> int:
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def help_() -> list[Row]:
    """`dialer --help`, the median of five."""
    taken = []
    for _ in range(6):
        started = time.monotonic()
        command = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dialer", "--help", stdout=asyncio.subprocess.DEVNULL
        )
        await command.wait()
        taken.append(time.monotonic() - started)
    return [at_most("dialer --help", 0.5, sorted(taken[1:])[2], " s")]
