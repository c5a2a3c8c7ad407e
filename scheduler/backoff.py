"""How long to wait before the next attempt: a pure function of how many were made.

Owns the arithmetic of retry delays. Does not know outcomes or windows: which delay applies, and whether the phone may ring
when it is over, others decide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from random import Random

LONGEST = 43_200.0  # minutes; 30 days: a delay without a cap grows no further, so that no multiplier overflows a date


class Mode(StrEnum):
    """Whether each delay equals the first or grows by a factor."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True)
class Backoff:
    """A rule for retry delays, all in minutes.

    `first` ≥ 0 is the delay after the first attempt, `multiplier` ≥ 1 the growth, `cap` > 0 the longest delay (None: 30
    days), `jitter` in [0, 1] the share by which chance may shorten or lengthen it, the cap excepted. Raises ValueError.
    """

    first: float
    mode: Mode = Mode.FIXED
    multiplier: float = 2.0
    cap: float | None = None
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.first < math.inf:
            raise ValueError(f"a retry delay is 0 minutes or longer, not {self.first}")
        if not 1 <= self.multiplier < math.inf:
            raise ValueError(f"a retry delay grows by a multiplier of 1 or more, not {self.multiplier}")
        if self.cap is not None and not 0 < self.cap < math.inf:
            raise ValueError(f"the longest retry delay is more than 0 minutes, not {self.cap}")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"the jitter of a retry delay is a share from 0 to 1, not {self.jitter}")

    def delay(self, attempt: int, rng: Random | None = None) -> timedelta:
        """The wait after attempt number `attempt` (1 = the first call). Jitter needs `rng`; without it there is none.

        Raises ValueError for an attempt below 1.
        """
        if attempt < 1:
            raise ValueError(f"attempts are counted from 1, not {attempt}")
        most = LONGEST if self.cap is None else min(self.cap, LONGEST)
        minutes = min(self.first * self._growth(attempt), most)
        if rng is not None:
            minutes = min(minutes * rng.uniform(1 - self.jitter, 1 + self.jitter), most)
        return timedelta(minutes=minutes)

    def _growth(self, attempt: int) -> float:
        if self.mode is Mode.FIXED or self.first == 0:
            return 1.0
        try:
            return self.multiplier ** (attempt - 1)
        except OverflowError:
            return math.inf
