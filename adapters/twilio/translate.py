"""Twilio's words to ours: callbacks and records of calls to events, their endings to outcomes and faults. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from adapters.base import Live, Over, Sighting, Unsure
from adapters.causes import PERHAPS_INVALID, Verdict, judge
from adapters.events import CallEvent, Fault, Outcome, Phase

PHASES = {
    "queued": Phase.QUEUED,
    "initiated": Phase.DIALING,
    "ringing": Phase.RINGING,
    "in-progress": Phase.ANSWERED,
    "completed": Phase.ENDED,
    "busy": Phase.ENDED,
    "no-answer": Phase.ENDED,
    "failed": Phase.ENDED,
    "canceled": Phase.ENDED,
}
"""CallStatus, of callbacks and of records. A word that is not here tells nothing."""

ANSWERED_BY: Mapping[str, Verdict] = {
    "human": (Outcome.HUMAN, Fault.NONE),
    "machine_start": (Outcome.MACHINE, Fault.CALLEE),
    "machine_end_beep": (Outcome.MACHINE, Fault.CALLEE),
    "machine_end_silence": (Outcome.MACHINE, Fault.CALLEE),
    "machine_end_other": (Outcome.MACHINE, Fault.CALLEE),
    "fax": (Outcome.MACHINE, Fault.NUMBER),
}
"""Who picked up. Any other word ("unknown") leaves it open."""

UNANSWERED: Mapping[str, Verdict] = {
    "busy": (Outcome.BUSY, Fault.CALLEE),
    "no-answer": (Outcome.NO_ANSWER, Fault.CALLEE),
    "canceled": (Outcome.CANCELLED, Fault.NONE),
}

TELLING = frozenset({603, 607, 608})
"""SIP codes that say more exactly than "busy" and "no-answer" do that the call was not wanted."""

NO_PROOF = frozenset({"13223", "13225", "13226", "13227"})
"""Error codes of which Twilio says that the number cannot be routed, or a carrier is out of order."""
PERHAPS = "13224"
"""The error code of which it says that the number is invalid, or cannot be routed, or a carrier is out of order."""


def ending(status: str, *, answered_by: str = "", sip: int | None = None, error: str = "") -> Verdict:
    """What became of a call that is over."""
    if status == "completed":
        return ANSWERED_BY.get(answered_by, (Outcome.ANSWERED, Fault.NONE))
    if status == "canceled":
        return UNANSWERED[status]
    if status in UNANSWERED:
        return judge(sip=sip, rang=True) if sip in TELLING else UNANSWERED[status]
    if status == "failed" and error == PERHAPS:
        return PERHAPS_INVALID
    if status == "failed" and error not in NO_PROOF:
        return judge(sip=sip, rang=False)
    return Outcome.UNREACHABLE, Fault.TRUNK


def progress(told: Mapping[str, str], attempt: str, received_at: datetime) -> list[CallEvent]:
    """The event of a status callback; a status that we do not know is none. Raises `ValueError` if it names no call."""
    ref, status = told.get("CallSid", ""), told.get("CallStatus", "")
    if not ref or not status:
        raise ValueError("the callback names no call or no status")
    phase = PHASES.get(status)
    if phase is None:
        return []
    at = when(told.get("Timestamp")) or received_at
    if phase is not Phase.ENDED:
        return [CallEvent(phase, at, attempt, ref, f"{ref}:{phase}", cause=status)]
    sip, error = _sip(told.get("SipResponseCode", "")), told.get("ErrorCode", "")
    return [_ended(status, at, attempt, ref, answered_by=told.get("AnsweredBy", ""), sip=sip, error=error)]


def detected(told: Mapping[str, str], attempt: str, received_at: datetime) -> list[CallEvent]:
    """The event of a callback that says who picked up; none where it leaves that open. Raises `ValueError` if it names no call.
    Twilio tells no time with it, so the time is that of the callback's arrival."""
    ref, who = told.get("CallSid", ""), told.get("AnsweredBy", "")
    if not ref or not who:
        raise ValueError("the callback names no call or nobody who picked up")
    return _classified(who, when(told.get("Timestamp")) or received_at, attempt, ref, f"{ref}:{Phase.CLASSIFIED}")


def sighting(record: Mapping[str, Any], attempt: str) -> Sighting:
    """What the record of a call says of it. Its end is the same fact as the callback's, but without the SIP code, which a record
    does not hold; when it was answered, and by whom, has keys of its own, for the record has other times than the callbacks.
    Raises `ValueError`, `KeyError` or `TypeError` if it cannot be read."""
    ref, status = str(record["sid"]), record["status"]
    phase = PHASES.get(status)
    if phase is None:
        return Unsure("Twilio calls the call's status by a word that is not known")
    if phase is not Phase.ENDED:
        return Live(ref, answered=phase is Phase.ANSWERED)
    at = when(record.get("end_time")) or when(record.get("date_updated"))
    if at is None:
        raise ValueError("the record of a call that is over has no time")
    events = []
    if status == "completed":
        answered_at = at - timedelta(seconds=int(record.get("duration") or 0))
        events.append(CallEvent(Phase.ANSWERED, answered_at, attempt, ref, f"{ref}:{Phase.ANSWERED}:record", cause=status))
        events += _classified(record.get("answered_by") or "", at, attempt, ref, f"{ref}:{Phase.CLASSIFIED}:record")
    return Over(ref, (*events, _ended(status, at, attempt, ref)))


def when(text: object) -> datetime | None:
    """A time as Twilio writes it (RFC 2822, UTC); None if there is none or it cannot be read."""
    try:
        moment = parsedate_to_datetime(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))


def _ended(
    status: str, at: datetime, attempt: str, ref: str, *, answered_by: str = "", sip: int | None = None, error: str = ""
) -> CallEvent:
    outcome, fault = ending(status, answered_by=answered_by, sip=sip, error=error)
    return CallEvent(
        phase=Phase.ENDED,
        at=at,
        attempt=attempt,
        ref=ref,
        key=f"{ref}:{Phase.ENDED}",
        outcome=outcome,
        fault=fault,
        cause=f"{status} {error}" if error else status,
        sip=None if status == "completed" else sip,
    )


def _classified(who: str, at: datetime, attempt: str, ref: str, key: str) -> list[CallEvent]:
    if who not in ANSWERED_BY:
        return []
    outcome, fault = ANSWERED_BY[who]
    return [CallEvent(Phase.CLASSIFIED, at, attempt, ref, key, outcome=outcome, fault=fault, cause=who)]


def _sip(text: str) -> int | None:
    return int(text) if len(text) == 3 and text.isascii() and text.isdigit() and "100" <= text < "700" else None
