"""Telnyx's events to ours, and its signature. Pure: no I/O, no clock, no randomness.

Telnyx says itself that callbacks come in no order and more than once. It tells of no ring, so words for "nobody answered" are
believed without one.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from adapters.base import Hook
from adapters.causes import Verdict, judge
from adapters.errors import Forged
from adapters.events import CallEvent, Fault, Outcome, Phase
from adapters.signatures import fresh
from adapters.telnyx.codes import OVERRIDES

TIMESTAMP = "telnyx-timestamp"
SIGNATURE = "telnyx-signature-ed25519"

_PHASES = {
    "call.initiated": Phase.DIALING,
    "call.answered": Phase.ANSWERED,
    "call.machine.detection.ended": Phase.CLASSIFIED,
    "call.machine.premium.detection.ended": Phase.CLASSIFIED,
    "call.hangup": Phase.ENDED,
}

_HUMAN: Verdict = (Outcome.HUMAN, Fault.NONE)
_MACHINE: Verdict = (Outcome.MACHINE, Fault.CALLEE)
_WHO = {
    "human": _HUMAN,
    "human_residence": _HUMAN,
    "human_business": _HUMAN,
    "machine": _MACHINE,
    "fax_detected": _MACHINE,
}
"""Results of the detection; `not_sure` and `silence` say nothing."""

_Q850 = {"user_busy": 17, "no_answer": 19, "timeout": 19, "call_rejected": 21, "not_found": 1}
"""Hang-up causes of calls that nobody answered, for those without a SIP code."""
_NOBODY_KNOWS = 127
_UNANSWERED = frozenset({"no_answer", "timeout"})
_OF_A_RING = frozenset({408, 480, 487})
"""SIP codes that the end of Telnyx's own ring timeout may leave behind."""

_DEPTH = 3
"""How deep in a record's metadata the event is looked for; its place there is not documented."""


def verify(key: VerifyKey, hook: Hook) -> None:
    """Raises `Forged` unless Telnyx signed the callback within 5 minutes of its arrival: Ed25519 over `timestamp|body`."""
    timestamp = hook.headers.get(TIMESTAMP, "")
    try:
        signature = base64.b64decode(hook.headers.get(SIGNATURE, ""), validate=True)
        key.verify(timestamp.encode("utf-8", "surrogateescape") + b"|" + hook.body, signature)
    except (ValueError, CryptoError):
        raise Forged from None
    fresh(timestamp, hook.received_at)


def client_state(attempt: str) -> str:
    """What Telnyx echoes in each event of the call, in look-ups, and to the other end of a media stream."""
    return base64.b64encode(attempt.encode()).decode()


def read(body: bytes) -> list[CallEvent]:
    """The events of a callback's body. Raises `ValueError` if it cannot be read."""
    envelope = json.loads(body)
    return translate(envelope.get("data") if isinstance(envelope, Mapping) else None)


def translate(event: Any) -> list[CallEvent]:
    """The events of what a callback holds in `data`; none for a type that we do not need and for calls that are not ours.
    Raises `ValueError` if it lacks a field."""
    if not isinstance(event, Mapping):
        raise ValueError("the event is not an object")
    try:
        phase = _PHASES.get(event["event_type"])
        if phase is None:
            return []
        payload = event["payload"]
        attempt, verdict = _attempt(payload.get("client_state")), _verdict(phase, payload)
        if not attempt or (phase is Phase.CLASSIFIED and verdict is None):
            return []
        ref = payload["call_control_id"]
        at = datetime.fromisoformat(event["occurred_at"])
        if not isinstance(ref, str) or not ref or at.tzinfo is None:
            raise ValueError("the event lacks its call, or its time a zone")
        outcome, fault = verdict or (None, None)
        return [
            CallEvent(
                phase=phase,
                at=at.astimezone(UTC),
                attempt=attempt,
                ref=ref,
                # Not the event's own id: nothing says that look-ups tell the same one.
                key=f"{ref}:{phase}",
                outcome=outcome,
                fault=fault,
                cause=_cause(payload) if phase is Phase.ENDED else _text(payload.get("result")),
                sip=_sip(payload.get("sip_hangup_cause")),
            )
        ]
    except (AttributeError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"the event cannot be read: {type(error).__name__}") from None


def recorded(record: Any) -> list[CallEvent]:
    """The events of a record of `GET /v2/call_events`, whose metadata include the event as it was sent."""
    return [told for event in _within(record, _DEPTH) for told in translate(event)]


def _within(part: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if not isinstance(part, Mapping):
        return
    if "event_type" in part and "payload" in part:
        yield part
    elif depth:
        for each in part.values():
            yield from _within(each, depth - 1)


def _attempt(state: Any) -> str:
    """Empty for a call that we did not place: it has no state, or someone else's."""
    if not isinstance(state, str):
        return ""
    try:
        attempt = base64.b64decode(state, validate=True).decode()
    except ValueError:
        return ""
    return attempt if attempt.isprintable() else ""


def _verdict(phase: Phase, payload: Mapping[str, Any]) -> Verdict | None:
    if phase is Phase.CLASSIFIED:
        return _WHO.get(payload.get("result") or "")
    return _ending(payload) if phase is Phase.ENDED else None


def _ending(payload: Mapping[str, Any]) -> Verdict:
    word, sip = payload.get("hangup_cause"), _sip(payload.get("sip_hangup_cause"))
    q850 = _Q850.get(word or "")
    if word == "originator_cancel":
        return Outcome.CANCELLED, Fault.NONE
    if word in {"normal_clearing", "time_limit"} and sip is None:
        return Outcome.ANSWERED, Fault.NONE
    if sip is not None and sip < 300:
        if q850 is None:
            return Outcome.ANSWERED, Fault.NONE
        sip = None
    if word in _UNANSWERED and sip in _OF_A_RING:
        sip = None
    reason = " ".join(str(value) for name, value in payload.items() if name.endswith(("cause", "reason")))
    return judge(sip=sip, q850=q850 or _NOBODY_KNOWS, rang=True, reason=reason, overrides=OVERRIDES)


def _cause(payload: Mapping[str, Any]) -> str | None:
    """Telnyx's word, and what it says beside it, such as its own D-code."""
    known = ("hangup_cause", "sip_hangup_cause")
    beside = [value for name, value in payload.items() if name.endswith(("cause", "reason")) and name not in known]
    return " ".join(text for text in (payload.get("hangup_cause"), *beside) if isinstance(text, str) and text) or None


def _sip(code: Any) -> int | None:
    """A final SIP code, which comes as text; `unspecified` is none."""
    return int(code) if re.fullmatch("[2-6][0-9]{2}", str(code)) else None


def _text(word: Any) -> str | None:
    return word if isinstance(word, str) else None
