"""How long nobody was dialled, and how many calls began within a second."""

from __future__ import annotations

import math

from tests.system.judge import longest_pause
from tests.system.scenarios.valkey_fails_over import fastest
from tests.system.trial import Fault


def test_a_pause_counts_from_the_end_of_the_fault_and_to_the_beginning_of_the_next() -> None:
    starts = [1.0, 2.0, 6.0, 7.0, 20.0]
    assert longest_pause(starts, 2.5, 8.0) == 3.5
    assert longest_pause(starts, 6.5, 15.0) == 8.0
    assert longest_pause(starts, 19.0, 20.0) == 1.0


def test_a_fault_after_which_nobody_is_called_was_never_recovered_from() -> None:
    assert longest_pause([1.0, 2.0], 2.5, 2.0) == math.inf


def test_the_fastest_second_is_a_sliding_one_and_spares_those_around_a_fault() -> None:
    starts = [0.0, 0.9, 1.0, 1.5, 5.0, 5.1, 5.2, 5.3]
    assert fastest(starts) == 4
    assert fastest(starts, [Fault(5.0, 5.0)]) == 3
