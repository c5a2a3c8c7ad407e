"""The simulated carrier's words to ours, and its signature. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.base import Hook
from adapters.causes import judge
from adapters.errors import Forged
from adapters.events import CallEvent, Fault, Outcome, Phase

TIMESTAMP = "x-carrier-timestamp"
SIGNATURE = "x-carrier-signature"
TOLERANCE = 300.0
"""Seconds a callback's timestamp may differ from our clock; an older one may be a replay."""

_PHASES = {
    "call.ringing": Phase.RINGING,
    "call.answered": Phase.ANSWERED,
    "call.ended": Phase.ENDED,
    "call.result": Phase.RESULT,
}
_ANSWERED_BY = {"human": (Outcome.HUMAN, Fault.NONE), "machine": (Outcome.MACHINE, Fault.CALLEE)}


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over `timestamp.body`, in hex."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def verify(secret: str, hook: Hook) -> None:
    """Raises `Forged` unless the callback was signed with our secret within `TOLERANCE` of its arrival."""
    timestamp, signature = hook.headers.get(TIMESTAMP, ""), hook.headers.get(SIGNATURE, "")
    # Compared as bytes: compare_digest refuses text that is not ASCII. The signature comes first, so that nothing is told of why.
    if not hmac.compare_digest(sign(secret, timestamp, hook.body).encode(), signature.encode("utf-8", "surrogateescape")):
        raise Forged
    try:
        age = hook.received_at.timestamp() - float(timestamp)
    except ValueError:
        raise Forged from None
    if not abs(age) <= TOLERANCE:
        raise Forged("the callback's timestamp is more than 5 minutes off")


def read(body: bytes) -> list[CallEvent]:
    """The events of a callback's body; an event of a type that we do not know is none. Raises `ValueError` if unreadable."""
    return translate(json.loads(body))


def translate(payload: Any) -> list[CallEvent]:
    """The events of one payload, as callbacks carry it and look-ups list it. Raises `ValueError` if it lacks a field."""
    if not isinstance(payload, Mapping):
        raise ValueError("the event is not an object")
    try:
        phase = _PHASES.get(payload["type"])
        if phase is None:
            return []
        outcome, fault = _ending(payload) if phase in {Phase.ENDED, Phase.RESULT} else (None, None)
        return [
            CallEvent(
                phase=phase,
                at=datetime.fromtimestamp(payload["at"], UTC),
                attempt=str(payload["attempt"]),
                ref=str(payload["call"]),
                key=str(payload["id"]),
                outcome=outcome,
                fault=fault,
                cause=payload.get("reason"),
                sip=payload.get("sip"),
                q850=payload.get("q850"),
                data=payload.get("data") or {},
            )
        ]
    except (KeyError, TypeError, OverflowError, OSError) as error:
        raise ValueError(f"the event cannot be read: {type(error).__name__}") from None


def _ending(payload: Mapping[str, Any]) -> tuple[Outcome, Fault]:
    if payload.get("answered_by") in _ANSWERED_BY:
        return _ANSWERED_BY[payload["answered_by"]]
    if payload.get("cancelled"):
        return Outcome.CANCELLED, Fault.NONE
    return judge(
        sip=payload.get("sip"),
        q850=payload.get("q850"),
        rang=bool(payload.get("rang")),
        answered=bool(payload.get("answered")),
        reason=str(payload.get("reason") or ""),
    )
