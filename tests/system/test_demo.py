"""`dialer demo` as its own processes: the whole way from a CSV file to the last call, judged by the carrier's journal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

import psutil

OUTCOMES = ("answered", "voicemail", "no_answer", "busy", "declined", "invalid_number", "error", "unknown", "cancelled")


async def start(*arguments: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "dialer", "demo", "--json", *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)


async def result_of(demo: asyncio.subprocess.Process, seconds: float) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        out, err = await demo.communicate()
    assert demo.returncode == 0, err.decode()
    last: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    return last


def lawful(result: dict[str, Any]) -> None:
    assert result["dialled_twice"] == 0
    assert result["outside_window"] == 0
    assert result["max_in_flight"] <= result["max_concurrent_calls"]
    assert result["campaign_status"] == "completed"
    assert sum(result[outcome] for outcome in OUTCOMES) == result["calls_placed"]
    assert result["shut_campaign_calls"] == 0 and result["shut_campaign_opens_at"]
    assert result["open_enrolments"] == 0 and result["recount_disagreements"] == 0


async def test_the_built_in_list_is_imported_and_dialled_to_its_end() -> None:
    result = await result_of(await start("--call-seconds", "0.4", "--concurrency", "40"), 100)
    lawful(result)
    assert result["contacts"] >= 300
    assert result["contacts"] == result["imported"] + result["rejected"] + result["duplicates"]
    for what in ("rejected", "duplicates", "skipped_do_not_call", "skipped_no_phone", "retries", "answered", "voicemail"):
        assert result[what] > 0, what


async def test_a_worker_killed_in_the_middle_loses_nobody_and_calls_nobody_twice() -> None:
    demo = await start("--contacts", "250", "--concurrency", "25", "--call-seconds", "1")
    worker, carrier = await _process(demo.pid, "worker"), await _process(demo.pid, "simulate-carrier")
    command = carrier.cmdline()
    await _grown(command[command.index("--journal") + 1], 20_000)
    os.kill(worker.pid, signal.SIGKILL)
    lawful(await result_of(demo, 100))


async def _process(demo: int, role: str) -> psutil.Process:
    def found() -> list[psutil.Process]:
        return [child for child in psutil.Process(demo).children() if {"dialer", role} <= set(child.cmdline())]

    async with asyncio.timeout(60):
        while not found():  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(0.05)
    return found()[0]


async def _grown(file: str, size: int) -> None:
    """Wait until the carrier's journal holds so many bytes: the dialling is under way."""
    async with asyncio.timeout(60):
        while not os.path.exists(file) or os.path.getsize(file) < size:  # noqa: ASYNC110, ASYNC240 - as above
            await asyncio.sleep(0.05)
