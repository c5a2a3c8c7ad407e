"""What becomes of the calls of a run: drawn from the seed, the number and which call to it it is, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from adapters.conformance import Act
from tests.support.providers.calls import Order, Play
from tests.system.carriers.kinds import Kind

SHARES: Mapping[Act, float] = {
    Act.HUMAN: 0.40, Act.MACHINE: 0.15, Act.BUSY: 0.11, Act.DECLINED: 0.07, Act.NO_ANSWER: 0.19, Act.INVALID: 0.03,
    Act.UNREACHABLE: 0.05,
}  # fmt: skip
LOST = 0.12
"""Of placements: the call is made, and the answer that names it goes wrong."""
REPEATED, COPIES = 0.3, 3
"""Of calls: each of their callbacks comes so often."""
BACKWARDS = 0.2
"""Of calls: nothing is told until they are over, and the end first."""
LIED = 0.2
"""Of calls: somebody without the key tells that they ended, before they did."""


def play(kind: Kind, seed: int, order: Order, nth: int) -> Play:
    chance = Random(f"{seed} {order.to} {nth}")
    (act,) = chance.choices(list(SHARES), list(SHARES.values()))
    lost, which, repeated, backwards, lied = (chance.random() for _ in range(5))
    answer = kind.lost[int(which * len(kind.lost))] if lost < LOST and act in kind.lost_of else act
    return Play(act, answer, COPIES if repeated < REPEATED else 1, backwards < BACKWARDS, lied < LIED)
