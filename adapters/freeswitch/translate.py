"""FreeSWITCH's events to ours. Pure: no I/O, no clock, no randomness.

The end of a channel tells when it rang and when it was answered, so nothing has to be kept of a call until then, and a gap in
what was heard does not make its end doubtful.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from adapters.events import CallEvent, Fault, Outcome, Phase
from adapters.freeswitch.endings import verdict

GAP = CallEvent(Phase.GAP, datetime.fromtimestamp(0, UTC), "", None, "gap")
"""It has no time: it says that something may have been missed before it."""
EVENTS = "CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE BACKGROUND_JOB"
"""What has to be subscribed to."""

_ATTEMPTS = UUID("4f6a2f0e-7d6b-5c1e-9a53-0d1f5a1c7e42")
_PHASES = {
    "CHANNEL_CREATE": Phase.DIALING,
    "CHANNEL_PROGRESS": Phase.RINGING,
    "CHANNEL_PROGRESS_MEDIA": Phase.RINGING,
    "CHANNEL_ANSWER": Phase.ANSWERED,
    "CHANNEL_HANGUP_COMPLETE": Phase.ENDED,
}
_STATUS = re.compile(r"(?:sip:)?([3-6][0-9]{2})", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,18}", re.ASCII)
_ANSWERED_BY = {
    "human": (Outcome.HUMAN, Fault.NONE),
    "person": (Outcome.HUMAN, Fault.NONE),
    "machine": (Outcome.MACHINE, Fault.CALLEE),
}


def ref_of(attempt: str) -> str:
    """The id of the attempt's channel, and of the job that makes it. FreeSWITCH cuts ids after 36 characters, so it is a UUID."""
    return str(uuid5(_ATTEMPTS, attempt))


def event_of(body: bytes) -> Mapping[str, Any]:
    """An event as it comes over the socket. Raises `ValueError`, which does not repeat it."""
    try:
        found = json.loads(body.decode(errors="replace"))
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(found, Mapping):
        raise ValueError("it is no JSON object")
    return found


def read(event: Mapping[str, Any], trunk: str, *, limit_403: bool = False) -> list[CallEvent]:
    """What an event tells of a call of this trunk. `limit_403`: whether SIP 403 is the trunk's way to say that it is full. Raises
    `ValueError` if it lacks a field."""
    name, attempt = _text(event, "Event-Name"), _text(event, "variable_dialer_attempt")
    phase = _PHASES.get(name)
    # Other channels copy variables of ours, such as an agent's: the id tells ours from them.
    if phase is None or _text(event, "variable_dialer_trunk") != trunk or _text(event, "Unique-ID") != ref_of(attempt):
        return []
    if phase is Phase.ENDED:
        return _end(event, attempt, limit_403)
    ref = ref_of(attempt)
    return [CallEvent(phase, time_of(event), attempt, ref, f"{ref}:{name}")]


def failed(attempt: str, word: str, at: datetime) -> CallEvent:
    """The end of a call of which only its job told, which said no."""
    ref = ref_of(attempt)
    outcome, fault = verdict(word, rang=None, answered=None)
    return CallEvent(Phase.ENDED, at, attempt, ref, f"{ref}:job", outcome=outcome, fault=fault, cause=word)


def unseen_end(attempt: str, ref: str, at: datetime) -> CallEvent:
    """The end of a call of which is only known that it is over. Its key is its own, for the real end may still be told, and
    then says more."""
    return CallEvent(
        Phase.ENDED, at, attempt, ref, f"{ref}:over", outcome=Outcome.UNKNOWN, fault=Fault.CALLEE, cause="its end was not heard"
    )


def job_word(event: Mapping[str, Any]) -> str:
    """What a job said: empty for a call that was answered, else a word, such as USER_BUSY, or USAGE."""
    said = _text(event, "_body").strip()
    if said.startswith("+OK"):
        return ""
    return "USAGE" if said.startswith("-USAGE") else said.removeprefix("-ERR").strip() or "NONE"


def time_of(event: Mapping[str, Any]) -> datetime:
    """FreeSWITCH's time of an event. Raises `ValueError`."""
    try:
        return datetime.fromtimestamp((_number(event, "Event-Date-Timestamp") or math.nan) / 1e6, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("it has no time that can be read") from None


def _end(event: Mapping[str, Any], attempt: str, limit_403: bool) -> list[CallEvent]:
    ref, at, word = ref_of(attempt), time_of(event), _text(event, "Hangup-Cause")
    answered = _came(event, "Caller-Channel-Answered-Time", "variable_answer_epoch", "variable_billsec")
    sip, q850, reason = _sip(event), _number(event, "variable_hangup_cause_q850"), _reason(event)
    by = _ANSWERED_BY.get(_text(event, "variable_dialer_answered_by").lower())
    if by is not None and answered is not False:
        outcome, fault = by
    else:
        rang = _came(event, "Caller-Channel-Progress-Time", "Caller-Channel-Progress-Media-Time")
        outcome, fault = verdict(word, sip=sip, rang=rang, answered=answered, reason=reason, limit_403=limit_403)
    end = CallEvent(
        Phase.ENDED,
        at,
        attempt,
        ref,
        f"{ref}:{Phase.ENDED}",
        outcome=outcome,
        fault=fault,
        cause=(word if answered else f"{word} {reason}".strip()) or None,
        sip=None if answered else sip,
        q850=q850 if q850 is not None and q850 < 128 else None,
    )
    return [end, *_result(event, attempt, ref, at)]


def _result(event: Mapping[str, Any], attempt: str, ref: str, at: datetime) -> list[CallEvent]:
    """What the dialplan or the agent left in `dialer_result`; what is no JSON object says nothing."""
    text = _text(event, "variable_dialer_result")
    try:
        data = json.loads(text) if text else None
    except ValueError:
        return []
    if not isinstance(data, Mapping):
        return []
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return [CallEvent(Phase.RESULT, at, attempt, ref, f"{ref}:result:{digest}", data=data)]


def _sip(event: Mapping[str, Any]) -> int | None:
    for name in ("sip_term_status", "sip_invite_failure_status", "proto_specific_hangup_cause"):
        if found := _STATUS.fullmatch(_text(event, f"variable_{name}")):
            return int(found[1])
    return None


def _reason(event: Mapping[str, Any]) -> str:
    said = (_text(event, f"variable_{name}") for name in ("sip_invite_failure_phrase", "sip_reason"))
    return " ".join(text for text in said if text)


def _came(event: Mapping[str, Any], *names: str) -> bool | None:
    """Whether one of these times is set; None where none of them is told."""
    told = [time for name in names if (time := _number(event, name)) is not None]
    return any(told) if told else None


def _number(event: Mapping[str, Any], name: str) -> int | None:
    text = _text(event, name)
    return int(text) if _WHOLE.fullmatch(text) else None


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
