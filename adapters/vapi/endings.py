"""Vapi's `endedReason` (604 words, as of its SDK 3.0.0) → what became of the call. Pure.

The words are matched whole, then by their beginnings and parts, since they are made of parts and new ones come with each version.
A word that nobody knows is the trunk's fault. Where a word leaves open whether somebody picked up, what was said decides: whoever
was spoken to must not be called again because a worker died.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters.causes import Verdict, judge
from adapters.events import Fault, Outcome

_HUMAN: Verdict = (Outcome.HUMAN, Fault.NONE)
_FAILED_DIALOGUE: Verdict = (Outcome.HUMAN, Fault.CALLEE)
"""Somebody picked up, and the assistant failed. It counts, and is tried again at the campaign's pace: as the trunk's fault it
would be tried again within seconds."""
_SPOKEN_TO: Verdict = (Outcome.ANSWERED, Fault.NONE)
_TRUNK: Verdict = (Outcome.UNREACHABLE, Fault.TRUNK)
_CONFIG: Verdict = (Outcome.UNREACHABLE, Fault.CONFIG)
_CANCELLED: Verdict = (Outcome.CANCELLED, Fault.NONE)

WORDS: Mapping[str, Verdict] = {
    "assistant-said-end-call-phrase": _HUMAN,
    "exceeded-max-duration": _HUMAN,
    "silence-timed-out": _HUMAN,
    "assistant-forwarded-call": _HUMAN,
    "vonage-completed": _HUMAN,
    "call.forwarding.operator-busy": _HUMAN,
    "call.forwarding.no-answer": _HUMAN,
    "call.in-progress.error-transfer-failed": _HUMAN,
    "voicemail": (Outcome.MACHINE, Fault.CALLEE),
    "customer-busy": (Outcome.BUSY, Fault.CALLEE),
    "customer-did-not-answer": (Outcome.NO_ANSWER, Fault.CALLEE),
    "twilio-reported-customer-misdialed": (Outcome.INVALID_NUMBER, Fault.NUMBER),
    "sip-outbound-unallocated-number": (Outcome.INVALID_NUMBER, Fault.NUMBER),
    "vonage-rejected": _CONFIG,
    "twilio-failed-to-connect-call": _TRUNK,
    "vonage-failed-to-connect-call": _TRUNK,
    "call.start.error-subscription-concurrency-limit-reached": _TRUNK,
    "call.start.error-vapi-number-outbound-daily-limit": _TRUNK,
    "assistant-not-found": _CONFIG,
    "assistant-not-valid": _CONFIG,
    "phone-call-provider-bypass-enabled-but-no-call-received": _CONFIG,
    "assistant-join-timed-out": _FAILED_DIALOGUE,
    "manually-canceled": _CANCELLED,
    "scheduled-call-deleted": _CANCELLED,
    "call-deleted": _CANCELLED,
}

_PATTERNS = [
    (re.compile(pattern), verdict)
    for pattern, verdict in (
        (r"assistant-ended-call|customer-ended-call|call\.ending\.hook-executed-", _HUMAN),
        (r"call\.in-progress\.(twilio|sip)-completed-call$", _HUMAN),
        (r"call\.in-progress\.error-warm-transfer-", _HUMAN),
        (r"call\.start\.error-vapifault-", _TRUNK),
        (r"call\.start\.|call-start-error-|assistant-request-", _CONFIG),
        (r"pipeline-error-", _FAILED_DIALOGUE),
    )
]

_OF_THE_LINE = re.compile(
    r"worker-|phone-call-provider-closed-websocket$"
    r"|.*sip-outbound-call-failed-to-connect$|sip-outbound-carrier-released-call$"
    r"|call\.in-progress\.error-(vapifault|providerfault)-(worker|transport|database|chat-pipeline|call-started-but)"
)
"""Failures that may strike before somebody picks up or after it."""
_DIALOGUE = re.compile(r"call\.in-progress\.error-")
"""Every other error of a call in progress: a model, a voice or a transcriber that failed."""
_SIP = re.compile(r".*-outbound-sip-(\d{3})\b")


def verdict(word: str, spoke: bool | None) -> Verdict | None:
    """What became of a call that ended with this word. `spoke`: whether the callee is heard in the transcript, None as long as
    there is none; then the answer is None where it depends on that."""
    if (known := WORDS.get(word) or _by_parts(word)) is not None:
        return _SPOKEN_TO if known is _CANCELLED and spoke else known
    if spoke is None:
        return None
    if not spoke:
        return _TRUNK
    return _FAILED_DIALOGUE if _OF_THE_LINE.match(word) else _SPOKEN_TO


def _by_parts(word: str) -> Verdict | None:
    for pattern, found in _PATTERNS:
        if pattern.match(word):
            return found
    if sip := _SIP.match(word):
        outcome, fault = judge(sip=int(sip[1]), rang=False)
        return _TRUNK if fault is Fault.NUMBER else (outcome, fault)
    if not _OF_THE_LINE.match(word) and _DIALOGUE.match(word):
        return _FAILED_DIALOGUE
    return None
