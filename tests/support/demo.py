"""`dialer demo` as its own processes: started, disturbed, and judged."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import psutil

OUTCOMES = ("answered", "voicemail", "no_answer", "busy", "declined", "invalid_number", "error", "unknown", "cancelled")


async def start(*arguments: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "dialer", "demo", "--json", *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)


async def result_of(demo: asyncio.subprocess.Process, seconds: float) -> dict[str, Any]:
    """The JSON object of its last line. Fails when it broke a law itself noticed."""
    async with asyncio.timeout(seconds):
        out, err = await demo.communicate()
    assert demo.returncode == 0, err.decode()
    last: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    return last


def lawful(result: dict[str, Any]) -> None:
    """The laws, by what the carrier's journal and the ledger say."""
    assert result["dialled_twice"] == 0
    assert result["outside_window"] == 0
    assert result["max_in_flight"] <= result["max_concurrent_calls"]
    assert result["campaign_status"] == "completed"
    assert sum(result[outcome] for outcome in OUTCOMES) == result["calls_placed"]
    assert result["shut_campaign_calls"] == 0 and result["shut_campaign_opens_at"]
    assert result["open_enrolments"] == 0 and result["recount_disagreements"] == 0


async def process(demo: int, role: str) -> psutil.Process:
    """The child of the demo that runs this role, once there is one."""

    def found() -> list[psutil.Process]:
        return [child for child in psutil.Process(demo).children() if {"dialer", role} <= set(_command(child))]

    async with asyncio.timeout(60):
        while not (children := found()):  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(0.05)
    return children[0]


def _command(child: psutil.Process) -> list[str]:
    try:
        return child.cmdline()
    except psutil.Error:  # it has just been killed, or ended by itself
        return []


async def under_way(demo: int, calls: int) -> None:
    """Wait until the carrier's journal holds about so many calls."""
    carrier = await process(demo, "simulate-carrier")
    async with asyncio.timeout(60):
        while "--journal" not in (command := _command(carrier)):  # noqa: ASYNC110 - as above; while it execs it has no command
            await asyncio.sleep(0.05)
        journal = command[command.index("--journal") + 1]
        while not os.path.exists(journal) or os.path.getsize(journal) < calls * 500:  # noqa: ASYNC110, ASYNC240 - as above
            await asyncio.sleep(0.05)
