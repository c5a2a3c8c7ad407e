"""The simulated carrier's words to ours, and its signature. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.base import Hook
from adapters.causes import judge
from adapters.events import CallEvent, Fault, Outcome, Phase
from adapters.signatures import fresh, same, signature

TIMESTAMP = "x-carrier-timestamp"
SIGNATURE = "x-carrier-signature"

_PHASES = {
    "call.ringing": Phase.RINGING,
    "call.answered": Phase.ANSWERED,
    "call.ended": Phase.ENDED,
    "call.result": Phase.RESULT,
}
_ANSWERED_BY = {"human": (Outcome.HUMAN, Fault.NONE), "machine": (Outcome.MACHINE, Fault.CALLEE)}


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over `timestamp.body`, in hex."""
    return signature(secret, timestamp.encode("utf-8", "surrogateescape") + b"." + body)


def verify(secret: str, hook: Hook) -> None:
    """Raises `Forged` unless the callback was signed with our secret within 5 minutes of its arrival."""
    timestamp = hook.headers.get(TIMESTAMP, "")
    same(hook.headers.get(SIGNATURE, ""), sign(secret, timestamp, hook.body))
    fresh(timestamp, hook.received_at)


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
