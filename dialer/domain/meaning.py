"""What the words of one trunk's carrier make of an ending or a refusal, where its configuration reads them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.causes import Override
from adapters.errors import PlaceError, Rejected
from adapters.events import Outcome
from adapters.reasons import meaning
from dialer.domain.attempt import Progress

FACTS = frozenset({Outcome.HUMAN, Outcome.MACHINE, Outcome.ANSWERED, Outcome.CANCELLED, Outcome.UNKNOWN})
"""Endings that no wording changes: somebody picked up, we ended it, or nobody knows whether there was a call."""


def of_ending(became: Progress, readings: Sequence[Override]) -> Progress:
    """A call that is over, as the carrier's word (`cause`) is to be read."""
    if became.answered_at is not None or became.outcome in FACTS:
        return became
    read = meaning(became.cause, readings)
    return became if read is None else replace(became, outcome=read[0], fault=read[1])


def of_refusal(fault: PlaceError, readings: Sequence[Override]) -> PlaceError:
    """A placement that failed, as the carrier's word is to be read. That nothing was placed stays what it is; whose fault that is
    may change, to the number's, the trunk's or the configuration's."""
    if not isinstance(fault, Rejected):
        return fault
    read = meaning(fault.cause, readings)
    if read is None or read[0] not in (Outcome.INVALID_NUMBER, Outcome.UNREACHABLE):
        return fault
    return Rejected(str(fault), fault=read[1], cause=fault.cause, retry_after=fault.retry_after)
