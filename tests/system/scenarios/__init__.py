"""The scenarios there are; `tests/system/frame.py` says how to add one."""

from __future__ import annotations

from tests.system.frame import Scenario
from tests.system.scenarios import kill_at_points, rolling

SCENARIOS: tuple[Scenario, ...] = (kill_at_points.SCENARIO, rolling.SCENARIO)
