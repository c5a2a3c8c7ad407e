"""Retell's `disconnection_reason` → what became of the call. Pure.

A word that nobody knows is the trunk's fault. But a call that was up reached somebody, whatever broke it afterwards: as the
trunk's fault it would be made again within seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.causes import PERHAPS_INVALID, Verdict
from adapters.events import Fault, Outcome

DO_NOT_CALL = "user_requested_dnc"

_HUMAN: Verdict = (Outcome.HUMAN, Fault.NONE)
_MACHINE: Verdict = (Outcome.MACHINE, Fault.CALLEE)
_FAILED_DIALOGUE: Verdict = (Outcome.HUMAN, Fault.CALLEE)
"""Somebody picked up, and the assistant failed: it counts, and is tried again at the campaign's pace."""
_SPOKEN_TO: Verdict = (Outcome.ANSWERED, Fault.NONE)
_BLOCKED: Verdict = (Outcome.BLOCKED, Fault.CALLEE)
"""The caller ID is taken for spam. As `causes` has it for SIP 608: it counts, and the caller ID is made to rest for it."""
_TRUNK: Verdict = (Outcome.UNREACHABLE, Fault.TRUNK)
_CONFIG: Verdict = (Outcome.UNREACHABLE, Fault.CONFIG)

WORDS: Mapping[str, Verdict] = {
    "user_hangup": _HUMAN,
    "agent_hangup": _HUMAN,
    "call_transfer": _HUMAN,
    "transfer_bridged": _HUMAN,
    "transfer_cancelled": _HUMAN,
    "inactivity": _HUMAN,
    "max_duration_reached": _HUMAN,
    "call_take_over": _HUMAN,
    DO_NOT_CALL: _HUMAN,
    "user_requested_callback": _HUMAN,
    "voicemail_reached": _MACHINE,
    "ivr_reached": _MACHINE,
    "dial_busy": (Outcome.BUSY, Fault.CALLEE),
    "dial_no_answer": (Outcome.NO_ANSWER, Fault.CALLEE),
    "user_declined": (Outcome.DECLINED, Fault.CALLEE),
    "invalid_destination": PERHAPS_INVALID,
    "dial_failed": _TRUNK,
    "telephony_provider_unavailable": _TRUNK,
    "sip_routing_error": _TRUNK,
    "error_retell": _TRUNK,
    "error_unknown": _TRUNK,
    "error_no_audio_received": _TRUNK,
    "error_user_not_joined": _TRUNK,
    "registered_call_timeout": _TRUNK,
    "concurrency_limit_reached": _TRUNK,
    "no_concurrency_fallback": _TRUNK,
    "marked_as_spam": _BLOCKED,
    "network_blocked": _BLOCKED,
    "telephony_provider_permission_denied": _CONFIG,
    "no_valid_payment": _CONFIG,
    "credit_exhausted": _CONFIG,
    "budget_reached": _CONFIG,
    "scam_detected": _CONFIG,
    "error_asr": _FAILED_DIALOGUE,
    "manual_stopped": (Outcome.CANCELLED, Fault.NONE),
}


def verdict(word: str, *, up: bool, voicemail: bool) -> Verdict:
    """What became of a call that ended with this word. `up`: it was answered; `voicemail`: Retell's analysis says by what."""
    known = WORDS.get(word)
    if word.startswith("error_llm_websocket_"):
        known = _FAILED_DIALOGUE
    if known is None:
        known = _SPOKEN_TO if up else _TRUNK
    if up and known in (_TRUNK, _CONFIG):
        known = _FAILED_DIALOGUE
    if up and known[0] is Outcome.CANCELLED:
        known = _SPOKEN_TO
    return _MACHINE if voicemail and known[0] in (Outcome.HUMAN, Outcome.ANSWERED) else known
