"""Results: what carriers still owe of calls whose end was learnt by asking.

A carrier has the result of a call a while after the call's end, and whoever found out the end by a look-up cannot count on being
told the rest. So it is asked for, less and less often. Kept in memory: a process that ends forgets what it waited for, and then
only the carrier's own callback brings the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.base import Over
from adapters.events import CallEvent, Outcome, Phase
from dialer.store.attempts import Silent
from scheduler.clock import Clock

FIRST_SECONDS = 5.0
"""From the look-up that found the end to the first question; each further one waits twice as long."""
MOST_ASKED = 8
"""Questions about one result; the last comes 21 minutes after the end."""
MOST = 10_000
"""Results that are waited for."""

_TALKED = frozenset({Outcome.HUMAN, Outcome.MACHINE, Outcome.ANSWERED})


@dataclass(frozen=True, slots=True)
class Owed:
    """`asked`: how often it was asked for; `due`: when it is to be, in monotonic seconds."""

    call: Silent
    asked: int
    due: float


class Results:
    """Of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owed: dict[str, Owed] = {}

    def expect(self, call: Silent, over: Over) -> None:
        """Wait for the result of this call, if it must have one that was not told with its end."""
        if lacking(over.events) and len(self._owed) < MOST:
            self._owed[call.attempt] = Owed(call, 0, self._clock.monotonic() + FIRST_SECONDS)

    def due(self, most: int) -> list[Silent]:
        """The calls whose result is to be asked for now. Each is waited for until `came`, or until this was its last time."""
        now = self._clock.monotonic()
        found = [owed for owed in self._owed.values() if owed.due <= now][:most]
        for owed in found:
            asked = owed.asked + 1
            if asked == MOST_ASKED:
                del self._owed[owed.call.attempt]
            else:
                self._owed[owed.call.attempt] = Owed(owed.call, asked, now + FIRST_SECONDS * 2**asked)
        return [owed.call for owed in found]

    def came(self, attempt: str) -> None:
        self._owed.pop(attempt, None)


def lacking(events: tuple[CallEvent, ...]) -> bool:
    """Whether somebody was spoken to, and these facts tell no result of it."""
    phases = {event.phase for event in events}
    talked = Phase.ANSWERED in phases or any(event.outcome in _TALKED for event in events)
    return talked and Phase.RESULT not in phases
