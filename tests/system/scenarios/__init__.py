"""The scenarios there are; `tests/system/frame.py` says how to add one."""

from __future__ import annotations

from tests.system.frame import Scenario
from tests.system.scenarios import (
    callbacks,
    carrier_dead,
    carrier_matrix,
    clocks_set,
    disk_full,
    kill_at_points,
    many_faults,
    old_snapshot,
    postgres_restarts,
    postgres_slow,
    rolling,
    sabotage,
    sessions_ended,
    standstills,
    valkey_fails_over,
    valkey_flushed,
    valkey_harmed,
)

SCENARIOS: tuple[Scenario, ...] = (
    kill_at_points.SCENARIO,
    standstills.STOP,
    standstills.BLOCK,
    valkey_flushed.SCENARIO,
    valkey_harmed.SCENARIO,
    valkey_fails_over.SCENARIO,
    postgres_restarts.RESTARTS,
    sessions_ended.SCENARIO,
    disk_full.SCENARIO,
    postgres_slow.SCENARIO,
    old_snapshot.SCENARIO,
    postgres_restarts.KILLED,
    clocks_set.ROLES,
    clocks_set.DATABASE,
    callbacks.HARMED,
    callbacks.LOST,
    callbacks.LATE,
    carrier_matrix.SCENARIO,
    carrier_dead.SCENARIO,
    many_faults.SCENARIO,
    rolling.SCENARIO,
    sabotage.SCENARIO,
)
