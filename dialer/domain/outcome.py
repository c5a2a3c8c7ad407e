"""From what a carrier says to what the API says: one outcome and one fault per ending."""

from __future__ import annotations

from enum import StrEnum

from adapters.events import Fault, Outcome


class Disposition(StrEnum):
    """The outcome of an enrolment, as the API spells it."""

    ANSWERED = "answered"
    VOICEMAIL = "voicemail"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    DECLINED = "declined"
    INVALID_NUMBER = "invalid_number"
    DO_NOT_CALL = "do_not_call"
    ERROR = "error"
    UNKNOWN = "unknown"


_DISPOSITIONS = {
    Outcome.HUMAN: Disposition.ANSWERED,
    Outcome.ANSWERED: Disposition.ANSWERED,
    Outcome.MACHINE: Disposition.VOICEMAIL,
    Outcome.BUSY: Disposition.BUSY,
    Outcome.NO_ANSWER: Disposition.NO_ANSWER,
    Outcome.DECLINED: Disposition.DECLINED,
    Outcome.INVALID_NUMBER: Disposition.INVALID_NUMBER,
    Outcome.BLOCKED: Disposition.ERROR,
    Outcome.UNREACHABLE: Disposition.ERROR,
    Outcome.CANCELLED: Disposition.NO_ANSWER,  # one that never rang is recalled instead, and has no outcome
    Outcome.UNKNOWN: Disposition.UNKNOWN,
}

_FAULTS = {
    Outcome.HUMAN: Fault.NONE,
    Outcome.ANSWERED: Fault.NONE,
    Outcome.MACHINE: Fault.CALLEE,
    Outcome.BUSY: Fault.CALLEE,
    Outcome.NO_ANSWER: Fault.CALLEE,
    Outcome.DECLINED: Fault.CALLEE,
    Outcome.INVALID_NUMBER: Fault.NUMBER,
    Outcome.BLOCKED: Fault.TRUNK,
    Outcome.UNREACHABLE: Fault.TRUNK,
    Outcome.CANCELLED: Fault.CALLEE,
    Outcome.UNKNOWN: Fault.CALLEE,
}


def disposition(outcome: Outcome) -> Disposition:
    return _DISPOSITIONS[outcome]


def presumed_fault(outcome: Outcome) -> Fault:
    """Whose fault an ending is when the carrier did not say."""
    return _FAULTS[outcome]


def perhaps_invalid(outcome: Outcome | None, fault: Fault | None) -> bool:
    """Whether the carrier says that nobody has the number, but is not certain of it."""
    return outcome is Outcome.INVALID_NUMBER and fault is Fault.CALLEE


def reached(outcome: Outcome) -> bool:
    """Whether somebody was spoken to."""
    return outcome in (Outcome.HUMAN, Outcome.ANSWERED)
