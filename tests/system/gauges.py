"""What roles are seen to need: memory, look by look, and the time of the scheduler's rounds, from its log."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

import psutil

from tests.system.stage import Stage

_ROUND = re.compile(r"^(\S+Z) DEBUG scheduler \S+: a round took ([0-9.]+) s$", re.MULTILINE)


@dataclass(slots=True)
class Memory:
    """Resident bytes of each scheduler and worker, look by look; the first look is the state before. `settled`: looks after
    which everything is there that who works needs."""

    settled: int
    seen: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def look(self, on: Stage) -> None:
        for name, role in on.crew.roles.items():
            if role.pid is not None and name.partition("-")[0] in ("scheduler", "worker"):
                self.seen[name].append(psutil.Process(role.pid).memory_info().rss)

    def growth(self) -> dict[str, float]:
        """The share by which each role grew."""
        return {name: growth(seen, self.settled) for name, seen in self.seen.items()}

    def told(self) -> str:
        grown = self.growth()
        told = []
        for name, seen in sorted(self.seen.items()):
            first, quarter, middle, last = (f"{seen[at] / 1e6:.0f}" for at in (0, len(seen) // 4, len(seen) // 2, -1))
            told.append(f"{name} {first} MB before, {quarter} and {middle} on the way, {last} at the end, {grown[name]:+.1%}")
        return ", ".join(told)


def growth(seen: Sequence[int], settled: int = 0) -> float:
    """By which share it grew from the middle of the looks (from `settled` looks on, at the soonest) to the last. Of either, the
    median of a tenth of the looks. In the first half everybody is called for the first time: what has to be known of a campaign
    that runs is read then."""
    some = max(1, len(seen) // 10)
    middle = min(max(len(seen) // 2, settled, some), len(seen))
    return median(seen[-some:]) / median(seen[middle - some : middle]) - 1


def rounds(log: str, since: float, until: float) -> list[float]:
    """The seconds of each of the scheduler's rounds that ended in this time (seconds since 1970), the shortest first, by its log
    at the level debug."""
    ends = ((datetime.fromisoformat(at).timestamp(), float(seconds)) for at, seconds in _ROUND.findall(log))
    return sorted(seconds for at, seconds in ends if since <= at <= until)


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank of `values`, which are in order; above everything where there are none."""
    return values[max(math.ceil(share * len(values)) - 1, 0)] if values else math.inf
