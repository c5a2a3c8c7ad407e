"""Retell's webhooks and call records to our events, and its signature. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.base import Hook
from adapters.errors import Forged
from adapters.events import CallEvent, Phase
from adapters.results import result
from adapters.retell.endings import DO_NOT_CALL, verdict
from adapters.signatures import fresh, same, signature

SIGNATURE = "x-retell-signature"

RESULT_AFTER = 120.0
"""Seconds after the end of a call from which on its record tells all that it will, even if no analysis came."""

LIVE = {"registered": False, "ongoing": True}
"""Status of a call that is not over → whether somebody picked up."""
OVER = frozenset({"ended", "not_connected", "error"})

_SIGNED = re.compile(r"v=(\d{1,15}),d=([0-9a-f]{64})")
_CALLEE_SPOKE = re.compile(r"^User:\s*\S", re.MULTILINE)


def sign(key: str, milliseconds: str, body: bytes) -> str:
    """The header: HMAC-SHA256 over the body followed by the time, in hex."""
    return f"v={milliseconds},d={signature(key, body + milliseconds.encode())}"


def verify(key: str, hook: Hook) -> datetime:
    """When it was signed, by Retell's clock. Raises `Forged` unless that was with our key, within 5 minutes of its arrival."""
    given = hook.headers.get(SIGNATURE, "")
    if (parts := _SIGNED.fullmatch(given)) is None:
        raise Forged
    same(given, sign(key, parts[1], hook.body))
    fresh(parts[1], hook.received_at, ticks=1000)
    return _moment(int(parts[1]))


def read(body: bytes, told_at: datetime) -> list[CallEvent]:
    """The events of a webhook; none of an event of another type, or about a call that is not ours. Raises `ValueError` if it
    cannot be read."""
    payload = json.loads(body)
    try:
        call = payload["call"]
        if not attempt_of(call):
            return []
        match payload["event"]:
            case "call_started":
                at = _moment(call["start_timestamp"]) if call.get("start_timestamp") else told_at
                return [_event(Phase.ANSWERED, call, at)]
            case "call_ended":
                return _ended(call, told_at)
            case "call_analyzed":
                return [*_ended(call, told_at), _result(call, told_at)]
            case _:
                return []
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"the webhook cannot be read: {type(error).__name__}") from None


def attempt_of(call: Mapping[str, Any]) -> str:
    """Our attempt id, or "" for a call that is not ours."""
    return str(_of(call, "metadata").get("attempt") or "")


def events_of(call: Mapping[str, Any], now: datetime | None) -> tuple[CallEvent, ...]:
    """The facts of the record of a call that is over, as told at `now`; its result only once it is complete. Raises `ValueError`,
    `LookupError`, `TypeError` or `AttributeError` if it cannot be read."""
    end = _ended(call, now)
    if not _of(call, "call_analysis") and (now is None or (now - end[0].at).total_seconds() < RESULT_AFTER):
        return tuple(end)
    return (*end, _result(call, now))


def _ended(call: Mapping[str, Any], told_at: datetime | None) -> list[CallEvent]:
    word = str(call.get("disconnection_reason") or "")
    outcome, fault = verdict(word, up=_up(call), voicemail=_of(call, "call_analysis").get("in_voicemail") is True)
    at = _over_at(call, told_at)
    end = [_event(Phase.ENDED, call, at, outcome=outcome, fault=fault, cause=word)]
    if word == DO_NOT_CALL:  # the analysis comes later, and this must not wait for it
        end.append(_event(Phase.RESULT, call, at, key="do_not_call", data=result(do_not_call=True)))
    return end


def _result(call: Mapping[str, Any], told_at: datetime | None) -> CallEvent:
    analysis, cents = _of(call, "call_analysis"), _of(call, "call_cost").get("combined_cost")
    turns = [turn for turn in call.get("transcript_object") or [] if isinstance(turn, Mapping)]
    data = result(
        transcript=[{"role": turn.get("role"), "text": turn.get("content")} for turn in turns] or call.get("transcript"),
        recording_url=call.get("recording_url"),
        summary=analysis.get("call_summary"),
        success=analysis.get("call_successful"),
        cost=round(cents / 100, 6) if isinstance(cents, int | float) else None,
        extracted=_of(analysis, "custom_analysis_data"),
        do_not_call=call.get("disconnection_reason") == DO_NOT_CALL,
    )
    return _event(Phase.RESULT, call, _over_at(call, told_at), data=data)


def _event(phase: Phase, call: Mapping[str, Any], at: datetime, *, key: str = "", **more: Any) -> CallEvent:
    ref = str(call["call_id"])
    return CallEvent(phase, at, attempt_of(call), ref, f"{ref}:{key or phase}", **more)


def _up(call: Mapping[str, Any]) -> bool:
    """Whether it was answered: the callee is heard, or it lasted. Calls that never connected have a status of their own."""
    turns = [turn for turn in call.get("transcript_object") or [] if isinstance(turn, Mapping)]
    heard = any(turn.get("role") == "user" for turn in turns) or bool(_CALLEE_SPOKE.search(str(call.get("transcript") or "")))
    return heard or (call.get("call_status") != "not_connected" and (call.get("duration_ms") or 0) > 0)


def _over_at(call: Mapping[str, Any], told_at: datetime | None) -> datetime:
    """Calls that never connected need not have a time of their own."""
    at = _moment(call["end_timestamp"]) if call.get("end_timestamp") else told_at
    if at is None:
        raise ValueError("the call tells no time")
    return at


def _of(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, Mapping) else {}


def _moment(milliseconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError):
        raise ValueError("the call tells no time") from None
