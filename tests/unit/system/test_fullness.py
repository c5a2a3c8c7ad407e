"""How full a cap is outside the fault periods."""

from __future__ import annotations

import pytest

from adapters.simulated.carrier.journal import Entry
from tests.system.scenarios.many_faults import fullness


def call(accepted: float, ended: float | None) -> Entry:
    return Entry(
        id="c", attempt="a", to="+49301", caller_id="+49302", labels={}, nth=1, accepted=accepted, same_attempt=False,
        beside_live=False, ended=ended,
    )  # fmt: skip


def test_only_the_calm_spans_count() -> None:
    entries = [call(0, 10), call(4, 6), call(90, 95)]
    assert fullness(entries, 1, [(0, 10)]) == pytest.approx(1.2)
    assert fullness(entries, 2, [(0, 4), (6, 10)]) == pytest.approx(0.5)
    assert fullness(entries, 1, [(20, 30)]) == 0


def test_a_call_that_is_still_up_fills_its_slot_to_the_end() -> None:
    assert fullness([call(5, None)], 1, [(0, 10)]) == pytest.approx(0.5)


def test_no_time_is_no_share() -> None:
    assert fullness([call(0, 1)], 1, []) is None
