"""The language between the carriers and the dialer: what can happen to a call, and whose fault an ending is.

Owns the words; promises that every adapter translates into them; decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """How far a call has come. Phases of one call only move forward; RESULT may follow ENDED."""

    QUEUED = "queued"
    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    CLASSIFIED = "classified"
    ENDED = "ended"
    RESULT = "result"
    GAP = "gap"


class Outcome(StrEnum):
    """What became of a call that is over."""

    HUMAN = "human"
    MACHINE = "machine"
    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    INVALID_NUMBER = "invalid_number"
    BLOCKED = "blocked"
    UNREACHABLE = "unreachable"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Fault(StrEnum):
    """Whose fault an ending is. It drives the retry, the attempt count and the breaker.

    NONE: somebody was reached. CALLEE: counts, retried on the campaign's cadence; with INVALID_NUMBER, the carrier is not certain
    that nobody has the number, and has to say so twice. NUMBER: never dialled again.
    TRUNK: does not count, retried soon, bounded per day. CONFIG: does not count, a person has to mend something.
    REQUEST: the carrier (or our code) cannot make just this call: does not count, given up after a few tries.
    """

    NONE = "none"
    CALLEE = "callee"
    NUMBER = "number"
    TRUNK = "trunk"
    CONFIG = "config"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One fact a carrier told about one call.

    `attempt` is our attempt id as the carrier echoed it (empty for GAP, and where the carrier did not say: then `ref` tells whose
    call it is, if it is one of ours); `ref` the carrier's own id; `at` the carrier's
    time, UTC; `key` is stable across redelivery of the same fact; `cause` keeps the carrier's raw word. `data` of a RESULT is
    kept with the call; what has a meaning in it: `transcript`, `recording_url`, `extracted`, and `callback_at`, the time at which
    whoever was spoken to asked to be called again (ISO 8601 with its offset from UTC, or nobody knows on whose clock it is read).
    `extracted`: name → value, or name → {"value": …} with what else is known of it; what fits is written to the contact.
    `do_not_call` true, of any phase: whoever was spoken to does not want to be called again. It is heard in the commit that keeps
    the event, so an adapter that learns of it while the call is up tells it then.
    """

    phase: Phase
    at: datetime
    attempt: str
    ref: str | None
    key: str
    outcome: Outcome | None = None
    fault: Fault | None = None
    cause: str | None = None
    sip: int | None = None
    q850: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
