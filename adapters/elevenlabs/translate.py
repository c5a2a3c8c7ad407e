"""ElevenLabs' webhooks and conversations to our events, and its signature. Pure: no I/O, no clock, no randomness.

What became of a call is told by how its conversation stands and by a word of the telephony. A word that nobody knows is the
trunk's fault, unless somebody was spoken to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.base import Hook
from adapters.causes import Verdict, judge
from adapters.errors import Forged
from adapters.events import CallEvent, Fault, Outcome, Phase
from adapters.results import result
from adapters.signatures import fields, fresh, same, signature

SIGNATURE = "elevenlabs-signature"
TOLERANCE = 1800.0
"""Seconds that ElevenLabs' own library lets a signature be old."""

LIVE = {"initiated": False, "in-progress": True}
"""Status of a conversation that is not over → whether somebody picked up."""
OVER = frozenset({"processing", "done", "failed"})

_HUMAN: Verdict = (Outcome.HUMAN, Fault.NONE)
_FAILED_DIALOGUE: Verdict = (Outcome.HUMAN, Fault.CALLEE)
"""Somebody picked up, and the assistant failed: it counts, and is tried again at the campaign's pace."""
_TRUNK: Verdict = (Outcome.UNREACHABLE, Fault.TRUNK)
WORDS: Mapping[str, Verdict] = {
    "busy": (Outcome.BUSY, Fault.CALLEE),
    "no_answer": (Outcome.NO_ANSWER, Fault.CALLEE),
    "no-answer": (Outcome.NO_ANSWER, Fault.CALLEE),
    "voicemail": (Outcome.MACHINE, Fault.CALLEE),
}
"""`call_result` of a conversation, and `failure_reason` and Twilio's `CallStatus` of a call that did not come about."""
_SUCCESS = {"success": True, "failure": False}


def sign(secret: str, seconds: str, body: bytes) -> str:
    """The header: HMAC-SHA256 over `seconds.body`, in hex."""
    return f"t={seconds},v0={signature(secret, seconds.encode('utf-8', 'surrogateescape') + b'.' + body)}"


def verify(secret: str, hook: Hook) -> None:
    """Raises `Forged` unless the webhook was signed with our secret within 30 minutes of its arrival."""
    given = fields(hook.headers.get(SIGNATURE, ""))
    if not {"t", "v0"} <= given.keys():
        raise Forged
    same(f"t={given['t']},v0={given['v0']}", sign(secret, given["t"], hook.body))
    fresh(given["t"], hook.received_at, tolerance=TOLERANCE)


def read(body: bytes, audio: str) -> list[CallEvent]:
    """The events of a webhook; none of one of another type. One that does not say whose call it was, as that of a failure, names
    the conversation alone: it may be none of ours, and then says nothing where it cannot be read. `audio`: as in `events_of`.
    Raises `ValueError` if it cannot be read."""
    payload = json.loads(body)
    ours = True
    try:
        kind, told = payload["type"], payload["data"]
        if kind not in ("post_call_transcription", "call_initiation_failure"):
            return []
        ours = attempt_of(told) != ""
        if kind == "post_call_transcription":
            return list(events_of({"status": "done", **told}, audio))
        outcome, fault, word = _failure(told)
        return [_event(Phase.ENDED, told, _moment(payload["event_timestamp"]), outcome=outcome, fault=fault, cause=word)]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        if not ours:
            return []
        raise ValueError(f"the webhook cannot be read: {type(error).__name__}") from None


def attempt_of(conversation: Mapping[str, Any]) -> str:
    """Our attempt id, or "" for a conversation that is not ours or does not say whose it is."""
    variables = _of(_of(conversation, "conversation_initiation_client_data"), "dynamic_variables")
    return str(variables.get("attempt") or conversation.get("user_id") or "")


def is_left_over(conversation: Mapping[str, Any], now: datetime | None, longest: float) -> bool:
    """Whether it is told as initiated, `longest` seconds and more after its start: no phone rings so long. Without this a
    conversation that is never told as failed would take a slot for ever."""
    if conversation["status"] != "initiated" or now is None:
        return False
    return (now - _moment(conversation["metadata"]["start_time_unix_secs"])).total_seconds() >= longest


def events_of(conversation: Mapping[str, Any], audio: str) -> tuple[CallEvent, ...]:
    """The facts of a conversation that is over; its result once it is done. `audio`: the recording's address, with `{}` for the
    id. Raises `ValueError`, `LookupError`, `TypeError` or `AttributeError` if it cannot be read."""
    metadata = conversation["metadata"]
    start = metadata.get("accepted_time_unix_secs") or metadata["start_time_unix_secs"]
    at = max(_moment(start), _moment(metadata["start_time_unix_secs"] + (metadata.get("call_duration_secs") or 0)))
    (outcome, fault), word = _ending(conversation)
    end = _event(Phase.ENDED, conversation, at, outcome=outcome, fault=fault, cause=word)
    if outcome not in (Outcome.HUMAN, Outcome.MACHINE):
        return (end,)
    answered = _event(Phase.ANSWERED, conversation, _moment(start))
    if conversation["status"] == "processing":  # the analysis is being made
        return (answered, end)
    return (answered, end, _event(Phase.RESULT, conversation, at, data=_data(conversation, audio)))


def _ending(conversation: Mapping[str, Any]) -> tuple[Verdict, str]:
    metadata = conversation["metadata"]
    word, reason = _of(metadata, "phone_call").get("call_result"), str(metadata.get("termination_reason") or "")
    known = WORDS.get(str(word))
    if known is None and "voicemail" in reason.lower():
        known = WORDS["voicemail"]
    if known is None and conversation["status"] != "failed" and word in (None, "answered"):
        known = _HUMAN
    if known is None:
        known = _FAILED_DIALOGUE if _up(conversation) else _TRUNK
    error = str(_of(metadata, "error").get("reason") or "")
    return known, str(word or reason or error or conversation["status"])


def _failure(told: Mapping[str, Any]) -> tuple[Outcome, Fault, str]:
    """A call that did not come about: by ElevenLabs' word for it, else by that of the telephony, else by its SIP code."""
    body = _of(_of(told, "metadata"), "body")
    words = [str(word) for word in (told.get("failure_reason"), body.get("CallStatus")) if word]
    known = next((WORDS[word] for word in words if word in WORDS), None)
    if known is None:
        code = str(body.get("SipResponseCode") or body.get("sip_status_code") or "")
        known = judge(sip=int(code), rang=True) if code.isascii() and code.isdigit() else _TRUNK
    return *known, words[0] if words else ""


def _up(conversation: Mapping[str, Any]) -> bool:
    """Whether it was answered: the callee is heard, or it lasted."""
    turns = [turn for turn in conversation.get("transcript") or [] if isinstance(turn, Mapping)]
    heard = any(turn.get("role") == "user" and turn.get("message") for turn in turns)
    return heard or (conversation["metadata"].get("call_duration_secs") or 0) > 0


def _data(conversation: Mapping[str, Any], audio: str) -> dict[str, Any]:
    analysis = _of(conversation, "analysis")
    turns = [turn for turn in conversation.get("transcript") or [] if isinstance(turn, Mapping)]
    collected = _of(analysis, "data_collection_results")
    cost = conversation["metadata"].get("cost_fiat")
    return result(
        transcript=[{"role": turn.get("role"), "text": turn["message"]} for turn in turns if turn.get("message")],
        recording_url=audio.replace("{}", str(conversation["conversation_id"])) if conversation.get("has_audio") else None,
        summary=analysis.get("transcript_summary"),
        success=_SUCCESS.get(str(analysis.get("call_successful"))),
        cost=cost if isinstance(cost, int | float) else None,
        extracted={name: found.get("value") for name, found in collected.items() if isinstance(found, Mapping)},
    )


def _event(phase: Phase, conversation: Mapping[str, Any], at: datetime, **more: Any) -> CallEvent:
    ref = str(conversation["conversation_id"])
    return CallEvent(phase, at, attempt_of(conversation), ref, f"{ref}:{phase}", **more)


def _of(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, Mapping) else {}


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError):
        raise ValueError("the conversation tells no time") from None
