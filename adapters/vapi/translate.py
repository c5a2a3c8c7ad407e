"""Vapi's server messages and call records to our events, and its signature. Pure: no I/O, no clock, no randomness."""

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
from adapters.signatures import fresh, same, signature
from adapters.vapi.endings import verdict

SIGNATURE = "x-signature"
TIMESTAMP = "x-timestamp"

RESULT_AFTER = 120.0
"""Seconds after the end of a call from which on its record tells all that it will, even if no analysis came: not every assistant
has one."""

_PHASES = {
    "scheduled": Phase.QUEUED,
    "queued": Phase.QUEUED,
    "ringing": Phase.RINGING,
    "in-progress": Phase.ANSWERED,
    "forwarding": Phase.ANSWERED,
}
ENDED = "ended"
_CALLEE_SPOKE = re.compile(r"^User:\s*\S", re.MULTILINE)
_MILLISECONDS = 1e11
"""A timestamp above this is in milliseconds: as seconds it would be in the year 5138."""


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over `timestamp.body`, in hex: the defaults of a webhook credential of type HMAC."""
    return signature(secret, timestamp.encode("utf-8", "surrogateescape") + b"." + body)


def verify(secret: str, hook: Hook) -> None:
    """Raises `Forged` unless the message was signed with our secret within 5 minutes of its arrival. The unit of the timestamp is
    not documented: seconds, milliseconds and ISO 8601 are read."""
    timestamp = hook.headers.get(TIMESTAMP, "")
    same(hook.headers.get(SIGNATURE, ""), sign(secret, timestamp, hook.body))
    try:
        since_1970 = float(timestamp)
    except ValueError:
        try:
            since_1970 = _moment(timestamp).timestamp()
        except ValueError:
            raise Forged from None
    fresh(str(since_1970), hook.received_at, ticks=1000 if since_1970 > _MILLISECONDS else 1)


def read(body: bytes) -> list[CallEvent]:
    """The events of a message; none of a message of another type, or about a call that is not ours. Raises `ValueError` if it
    cannot be read."""
    payload = json.loads(body)
    try:
        message = payload["message"]
        if message["type"] not in ("status-update", "end-of-call-report"):
            return []
        call = message["call"]
        ref, attempt = str(call["id"]), attempt_of(call)
        if not attempt:
            return []
        if message["type"] == "end-of-call-report":
            at = _moment(message.get("endedAt") or call.get("endedAt") or message.get("timestamp"))
            artifact, analysis = _of(message, "artifact"), _of(message, "analysis")
            end = _ended(attempt, ref, at, _word(message, call), bool(_spoke(artifact)))
            return [*end, _result(attempt, ref, at, artifact, analysis, message.get("cost"))]
        if message["status"] == ENDED:
            at = _moment(call.get("endedAt") or message.get("timestamp"))
            # What was said may not be all there yet: only that the callee spoke is certain.
            return _ended(attempt, ref, at, _word(message, call), _spoke(_of(message, "artifact")) or None)
        phase = _PHASES.get(message["status"])
        return [_event(phase, attempt, ref, _moment(message.get("timestamp")))] if phase else []
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"the message cannot be read: {type(error).__name__}") from None


def attempt_of(call: Mapping[str, Any]) -> str:
    """Our attempt id as Vapi keeps it in three places of a call, or "" for a call that is not ours."""
    found = _of(_of(call, "assistantOverrides"), "metadata").get("attempt") or _of(call, "customer").get("externalId")
    return str(found or call.get("name") or "")


def is_live(call: Mapping[str, Any]) -> bool:
    return call["status"] in _PHASES


def is_answered(call: Mapping[str, Any]) -> bool:
    return _PHASES.get(call["status"]) is Phase.ANSWERED


def events_of(call: Mapping[str, Any], now: datetime | None) -> tuple[CallEvent, ...]:
    """The facts of the record of a call that is over, as told at `now`; its result only once it is complete. Raises `ValueError`,
    `LookupError`, `TypeError` or `AttributeError` if it cannot be read."""
    ref, attempt = str(call["id"]), attempt_of(call)
    at = _moment(call.get("endedAt") or call.get("updatedAt"))
    artifact, analysis = _of(call, "artifact"), _of(call, "analysis")
    end = _ended(attempt, ref, at, _word(call), bool(_spoke(artifact)))
    if not any(analysis.values()) and (now is None or (now - at).total_seconds() < RESULT_AFTER):
        return tuple(end)
    return (*end, _result(attempt, ref, at, artifact, analysis, call.get("cost")))


def _ended(attempt: str, ref: str, at: datetime, word: str, spoke: bool | None) -> list[CallEvent]:
    judged = verdict(word, spoke)
    return [] if judged is None else [_event(Phase.ENDED, attempt, ref, at, outcome=judged[0], fault=judged[1], cause=word)]


def _result(
    attempt: str, ref: str, at: datetime, artifact: Mapping[str, Any], analysis: Mapping[str, Any], cost: Any
) -> CallEvent:
    outputs = [each for each in _of(artifact, "structuredOutputs").values() if isinstance(each, Mapping)]
    named = {str(each["name"]): each.get("result") for each in outputs if each.get("name")}
    success = analysis.get("successEvaluation")
    data = result(
        transcript=artifact.get("transcript"),
        recording_url=artifact.get("recordingUrl"),
        summary=analysis.get("summary"),
        success={"true": True, "false": False}.get(success.lower(), success) if isinstance(success, str) else success,
        cost=cost if isinstance(cost, int | float) else None,
        extracted={**_of(analysis, "structuredData"), **named},
    )
    return _event(Phase.RESULT, attempt, ref, at, data=data)


def _event(phase: Phase, attempt: str, ref: str, at: datetime, **more: Any) -> CallEvent:
    return CallEvent(phase, at, attempt, ref, f"{ref}:{phase}", **more)


def _word(*sources: Mapping[str, Any]) -> str:
    return next((str(each["endedReason"]) for each in sources if each.get("endedReason")), "")


def _spoke(artifact: Mapping[str, Any]) -> bool | None:
    """Whether the callee is heard in what was written down; None where nothing was."""
    messages, transcript = artifact.get("messages"), artifact.get("transcript")
    if not isinstance(messages, list) and not isinstance(transcript, str):
        return None
    turns = [each for each in messages or [] if isinstance(each, Mapping)]
    heard = any(each.get("role") == "user" and str(each.get("message") or "").strip() for each in turns)
    return heard or bool(_CALLEE_SPOKE.search(transcript or ""))


def _of(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, Mapping) else {}


def _moment(value: Any) -> datetime:
    """ISO 8601, or milliseconds since 1970. Raises `ValueError`."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000, UTC)
        found = datetime.fromisoformat(value)
    except (TypeError, OverflowError, OSError):
        raise ValueError("the message tells no time") from None
    if found.tzinfo is None:
        raise ValueError("the message tells a time of no zone")
    return found.astimezone(UTC)
