"""The whole way from a CSV file to the last call, by real processes, judged by the carrier's journal."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import psutil
import pytest

from tests.support.demo import lawful, process, result_of, start, under_way

INTERRUPTED = 130


async def test_the_built_in_list_is_imported_and_dialled_to_its_end() -> None:
    result = await result_of(await start("--call-seconds", "0.4", "--concurrency", "40"), 100)
    lawful(result)
    assert result["contacts"] >= 300
    assert result["contacts"] == result["imported"] + result["rejected"] + result["duplicates"]
    for what in ("rejected", "duplicates", "skipped_do_not_call", "skipped_no_phone", "retries", "answered", "voicemail"):
        assert result[what] > 0, what


async def test_roles_killed_in_the_middle_lose_nobody_and_call_nobody_twice() -> None:
    demo = await start("--contacts", "150", "--concurrency", "25", "--call-seconds", "1")
    for calls, role in ((40, "worker"), (80, "scheduler"), (120, "api")):
        await under_way(demo.pid, calls)
        (await process(demo.pid, role)).send_signal(signal.SIGKILL)
    lawful(await result_of(demo, 100))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_demo_that_is_told_to_end_leaves_nothing_behind(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # under nohup a hangup is ignored, by the children too
    try:
        demo = await start("--contacts", "50")
    finally:
        signal.signal(number, before)
    await under_way(demo.pid, 1)
    carrier = await process(demo.pid, "simulate-carrier")
    directory = Path(carrier.cmdline()[-1]).parent
    children = psutil.Process(demo.pid).children(recursive=True)
    assert directory.is_dir() and len(children) > 4
    demo.send_signal(number)
    async with asyncio.timeout(30):
        await demo.communicate()
    assert demo.returncode == INTERRUPTED
    assert not directory.exists()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
