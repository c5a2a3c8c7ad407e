"""The whole way from a CSV file to the last call, by real processes, judged by the carrier's journal."""

from __future__ import annotations

import signal

import pytest

from tests.support.demo import lawful, process, result_of, start, under_way


async def test_the_built_in_list_is_imported_and_dialled_to_its_end() -> None:
    result = await result_of(await start("--call-seconds", "0.4", "--concurrency", "40"), 100)
    lawful(result)
    assert result["contacts"] >= 300
    assert result["contacts"] == result["imported"] + result["rejected"] + result["duplicates"]
    for what in ("rejected", "duplicates", "skipped_do_not_call", "skipped_no_phone", "retries", "answered", "voicemail"):
        assert result[what] > 0, what


@pytest.mark.parametrize("role", ["worker", "scheduler", "api"])
async def test_a_role_killed_in_the_middle_loses_nobody_and_calls_nobody_twice(role: str) -> None:
    demo = await start("--contacts", "150", "--concurrency", "25", "--call-seconds", "1")
    await under_way(demo.pid, 40)
    (await process(demo.pid, role)).send_signal(signal.SIGKILL)
    lawful(await result_of(demo, 100))
