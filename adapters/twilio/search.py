"""Which of an account's calls is an attempt's, when its id never reached us. Pure but for a memory of look-ups.

Twilio's record of a call holds nothing of ours: not the callback's address, nor the TwiML. What is left is the number and the
time of creation. The ledger keeps it unambiguous: one attempt at a time is open to one number on one trunk, so an attempt's call
is the newest one to its number. What may be seen instead is the call of the attempt before, which is over: that is why an ending
that is followed by a new attempt within seconds is not believed at once, and nor is absence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from adapters.events import Phase
from adapters.twilio.translate import PHASES, when

SPAN = timedelta(minutes=5)
"""From the earliest moment of placement: within it the call was created, if ever. Two minutes would do were the clocks right."""

PATIENCE = 60.0
"""Seconds over which look-ups must have seen the same before absence is certain."""

REMEMBERED = 10_000


def newest(records: Iterable[Mapping[str, Any]], to: str, since: datetime) -> Mapping[str, Any] | None:
    """The call to `to` that the API was asked for at or after `since`: one that is not over before one that is, else the newest.
    None if there is none. Raises `ValueError`, `KeyError` or `TypeError` when one of them cannot be read."""
    found = [
        (PHASES.get(record["status"]) is not Phase.ENDED, created, record)
        for record in records
        if record["to"] == to and record["direction"] == "outbound-api" and since <= (created := _created(record)) <= since + SPAN
    ]
    return max(found, key=lambda each: each[:2])[2] if found else None


def _created(record: Mapping[str, Any]) -> datetime:
    created = when(record["date_created"])
    if created is None:
        raise ValueError("the record of a call has no time")
    return created


class Doubts:
    """For how long look-ups of an attempt have seen nothing that would be certain at once. Of one process: another one, or a
    new one, begins anew. `clock` reads monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def over(self, attempt: str) -> bool:
        """Whether this look-up and one at least `PATIENCE` before it came to the same."""
        since = self._since.setdefault(attempt, self._clock())
        while len(self._since) > REMEMBERED:
            del self._since[next(iter(self._since))]
        return self._clock() - since >= PATIENCE
