"""A bounded piece of `make chaos`: one campaign in which somebody dies at every fail point, and the laws hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.system.frame import Task
from tests.system.judge import judge
from tests.system.scenarios.kill_at_points import UNCLEAR_SECONDS
from tests.system.stage import Layout, Stage, stage

CONTACTS = 900
STRIKES = 2
"""Deaths at each point."""
CHANCES: Mapping[str, Mapping[str, float]] = {
    "worker": {"K1": 0.02, "K2": 0.02, "K3": 0.02, "K4": 0.02, "K5": 0.02, "K10": 0.2},
    "api": {"K6": 0.01, "K7": 0.01, "K8": 0.05},
    "scheduler": {"K9": 0.05},
}


class Strikes:
    """Arms each role with its points until enough have struck, by what the roles log."""

    def __init__(self) -> None:
        self.on: Stage | None = None
        self._starts = 0

    def counted(self) -> Counter[str]:
        struck = Counter[str]() if self.on is None else self.on.crew.struck("kill")
        return Counter({point: struck[point] for chances in CHANCES.values() for point in chances})

    def charge(self, role: str) -> str:
        struck = self.counted()
        chances = CHANCES[role.partition("-")[0]]
        wanted = [f"{point}=kill:{chance}" for point, chance in chances.items() if struck[point] < STRIKES]
        self._starts += 1
        return ",".join([*wanted, f"seed={self._starts}"]) if wanted else ""


async def test_whoever_dies_at_whatever_point_nobody_is_called_twice_and_nobody_lost() -> None:
    strikes = Strikes()
    async with stage(Layout(failpoints=strikes.charge), Task(say=print)) as on:
        strikes.on = on
        campaign = await on.campaign(CONTACTS)
        assert await on.quiet(campaign, within=90), "it did not come to rest"
        found = await judge(on, campaign, kills=[death.at for death in on.crew.kills])
        assert found.lawful, found
        assert found.unclear_seconds <= UNCLEAR_SECONDS and (found.worst or 0) <= UNCLEAR_SECONDS
        assert [death for death in on.crew.deaths if death not in on.crew.kills] == []
        assert {point for point, n in strikes.counted().items() if not n} == set()
