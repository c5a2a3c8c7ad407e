"""The demo at its reference size: 2,000 contacts, 50 at once, calls of two seconds; undisturbed, and with a worker killed."""

from __future__ import annotations

import signal
from typing import Any

from tests.benchmarks.table import Row, at_least, at_most, exactly
from tests.support.demo import lawful, process, result_of, start, under_way

REFERENCE = ("--contacts", "2000", "--concurrency", "50", "--call-seconds", "2")


async def dialling() -> list[Row]:
    result = await result_of(await start(*REFERENCE), 400)
    lawful(result)
    return _rows("demo", result)


async def killed() -> list[Row]:
    demo = await start(*REFERENCE)
    await under_way(demo.pid, 600)
    (await process(demo.pid, "worker")).send_signal(signal.SIGKILL)
    result = await result_of(demo, 400)
    lawful(result)
    return _rows("worker killed", result)


def _rows(name: str, result: dict[str, Any]) -> list[Row]:
    return [
        exactly(f"{name}: dialled twice", 0, result["dialled_twice"]),
        exactly(f"{name}: outside the window", 0, result["outside_window"]),
        at_most(f"{name}: most at once", result["max_concurrent_calls"], result["max_in_flight"]),
        exactly(f"{name}: campaign", "completed", result["campaign_status"]),
        exactly(f"{name}: contacts left open", 0, result["open_enrolments"]),
        exactly(f"{name}: counts that a recount contradicts", 0, result["recount_disagreements"]),
        at_least(f"{name}: utilisation while there is backlog", 0.97, result["utilisation"]),
        at_most(f"{name}: refill p50", 15, result["refill_p50_ms"], " ms"),
    ]
