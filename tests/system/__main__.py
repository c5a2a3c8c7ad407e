"""`make chaos`: break things on purpose under load, and judge by the carrier's journal. ARGS names scenarios."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

from tests.support.demo import process, result_of, start, under_way

ROLES = {
    "worker": "kill -9 worker",
    "scheduler": "kill -9 scheduler",
    "api": "kill -9 API",
    "simulate-carrier": "kill -9 carrier",
}
KILLS = 5


async def kill(role: str) -> dict[str, Any]:
    """Kill the role again and again while a campaign is dialled; the supervisor brings it back."""
    demo = await start("--contacts", "800", "--concurrency", "50", "--call-seconds", "2")
    for n in range(1, KILLS + 1):
        await under_way(demo.pid, 100 * n)
        (await process(demo.pid, role)).send_signal(signal.SIGKILL)
    return await result_of(demo, 400)


async def main(names: list[str]) -> bool:
    print(
        "| scenario | dials | kills | dialled twice | lost | over the cap | outside window | |\n|---|---|---|---|---|---|---|---|"
    )
    good = True
    for name in names:
        r = await kill(name)
        over = max(0, r["max_in_flight"] - r["max_concurrent_calls"])
        laws = (r["dialled_twice"], r["open_enrolments"], over, r["outside_window"])
        verdict = "fail" if any(laws) or r["campaign_status"] != "completed" else "pass"
        good &= verdict == "pass"
        cells = (f"kill -9 {name}", r["calls_placed"], KILLS, *laws, verdict)
        print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
    return good


if __name__ == "__main__":
    asked = sys.argv[1:] or list(ROLES)
    if unknown := [name for name in asked if name not in ROLES]:
        sys.exit(f"no such scenario: {', '.join(unknown)}; there are {', '.join(ROLES)}")
    sys.exit(0 if asyncio.run(main(asked)) else 1)
