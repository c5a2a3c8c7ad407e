"""Where a lane's line begins is remembered for a minute."""

from __future__ import annotations

from datetime import UTC, datetime

from dialer.flows.heads import KEPT_SECONDS, Heads
from dialer.store.claims import Head, LaneKey

LANE: LaneKey = ("camp_1", 1, 0)
HEAD: Head = (datetime(2026, 3, 2, 9, tzinfo=UTC), "cc_1")


def test_a_head_is_forgotten_after_a_while_or_at_once() -> None:
    heads = Heads()
    assert heads.at(1000) == {}
    heads.note({LANE: HEAD, ("camp_2", 1, 0): HEAD})
    assert heads.at(1000 + KEPT_SECONDS - 1)[LANE] == HEAD
    heads.forget([LANE, ("camp_3", 1, 0)])
    assert heads.at(1001) == {("camp_2", 1, 0): HEAD}
    assert heads.at(1000 + KEPT_SECONDS) == {}
