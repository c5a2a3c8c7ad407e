"""Slow start: whoever begins, begins with few calls at once, and doubles them.

Pure. It holds for a campaign that was started, resumed or is let go on by its breaker, and for a trunk whose breaker has closed.
So a campaign that is wrong in a way no carrier refuses (the wrong words, a wrong caller ID) is heard by few before somebody can
stop it, and a carrier that has just come back is not met by all at once. The limits on calls at once stay as they are: this only
delays their use, and by seconds.
"""

from __future__ import annotations

FIRST = 10
"""Calls at once to begin with: fewer would slow down those who have few slots anyway."""

DOUBLINGS = 16
"""After so many, 655,360 calls, nothing is held back any more."""


def allowed(seconds: float, doubling: float) -> int | None:
    """How many calls at once `seconds` after the beginning, when they double every `doubling` seconds (0 = slow start is off).
    None = as many as there are slots for. A beginning that lies ahead, for the clock was set back, has just been."""
    if doubling <= 0 or seconds >= DOUBLINGS * doubling:
        return None
    return int(FIRST * 2 ** (max(seconds, 0.0) / doubling))
