"""Where each lane's line begins: what this process saw of it last, so that a claim does not read what was claimed before.

While somebody's transaction stays open, nothing that dies can be cleared away, and a claim that began at the front of the index
would go past every contact claimed since: after ten minutes at 100 calls a second 12 times as long in the median. Whoever comes
before a head was claimed, or was locked just then, or came into the lane later with an earlier time; so heads are forgotten every
`KEPT_SECONDS`, and at once where a claim found fewer than it wanted. Everything else that waits again does so from now on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dialer.store.claims import Head, LaneKey

KEPT_SECONDS = 60.0


class Heads:
    def __init__(self) -> None:
        self._known: dict[LaneKey, Head] = {}
        self._since = 0.0

    def at(self, monotonic: float) -> Mapping[LaneKey, Head]:
        """Those that are known now; a lane without one begins at its front."""
        if monotonic - self._since >= KEPT_SECONDS:
            self._known = {}
            self._since = monotonic
        return self._known

    def note(self, seen: Mapping[LaneKey, Head]) -> None:
        self._known |= seen

    def forget(self, lanes: Iterable[LaneKey]) -> None:
        for lane in lanes:
            self._known.pop(lane, None)
