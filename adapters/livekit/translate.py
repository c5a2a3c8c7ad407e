"""LiveKit's words to ours: webhooks, the SIP status of a failed call, the state of a participant. Pure: no I/O, no clock.

A webhook does not tell why a call failed, and that it was answered only by what happens later. Both are told by the request
that placed the call, which lasts until then; so a webhook that says that a call failed is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters import http
from adapters.causes import Verdict, judge
from adapters.errors import Ambiguous, PlaceError
from adapters.events import CallEvent, Fault, Outcome, Phase

CALLEE = "callee"
"""The identity of whoever is called, in each room."""
STATUS = "sip.callStatus"
"""The attribute of a participant that says how far the call has come."""
RANG = frozenset({"ringing"})
ANSWERED = frozenset({"active", "automation"})
NOT_YET = RANG | {"dialing"}

_ROOM = "call-"
_NEVER_ANSWERED = frozenset({"USER_UNAVAILABLE", "USER_REJECTED", "SIP_TRUNK_FAILURE", 11, 12, 13})
_CALLEE_LEFT = frozenset({"CLIENT_INITIATED", 1})
_TAKEN_AWAY = frozenset({"PARTICIPANT_REMOVED", "ROOM_DELETED", 4, 5})
_MOVES_ON = frozenset({"MIGRATION", 8})

_SIP_IN_TEXT = re.compile(r"sip status:? ?([2-6][0-9]{2})\b", re.IGNORECASE)
_OF_SIP = re.compile(r"\bsip\b|\binvite\b", re.IGNORECASE)


def room_of(attempt: str) -> str:
    """The room of an attempt, which is the call's id, too."""
    return f"{_ROOM}{attempt}"


class CallFailed(Ambiguous):
    """The call was placed and has failed."""

    def __init__(self, sip: int, reason: str, headers: Mapping[str, str]) -> None:
        super().__init__(f"the call failed with SIP {sip}")
        self.sip, self.reason, self.headers = sip, reason, headers


def refused(answer: http.Answer) -> PlaceError:
    """What an error that answers a placement says: `CallFailed` with the SIP status if it has one, else as `http.refused`. One
    that speaks of SIP without a status may stand for a phone that rang: `Ambiguous`."""
    try:
        said = answer.json()
        text, meta = str(said.get("msg") or ""), said.get("meta") or {}
        sip = _SIP_IN_TEXT.search(text)
        code = str(meta.get("sip_status_code") or (sip[1] if sip else ""))
        reason = str(meta.get("sip_status") or "")
    except (ValueError, AttributeError):
        return http.refused(answer)
    if re.fullmatch("[3-6][0-9]{2}", code):
        return CallFailed(int(code), reason, answer.headers)
    if code or _OF_SIP.search(text):
        return Ambiguous("LiveKit tells of SIP without a status that ends a call")
    return http.refused(answer)


def joined(answer: http.Answer) -> None:
    """Raises `Ambiguous` unless a 2xx names the participant who answered."""
    try:
        http.reference(answer, "participant_id")
    except Ambiguous:
        http.reference(answer, "participantId")


def failure(attempt: str, failed: CallFailed, at: datetime, *, rang: bool) -> CallEvent:
    """The end of a call that nobody answered. A 487 is the answer of a peer that is there to our giving up, so it needs no ring;
    a 408 with a ring is a phone that nobody answered."""
    sip = 487 if failed.sip == 408 and rang else failed.sip
    outcome, fault = judge(sip=sip, rang=rang or sip == 487, reason=failed.reason)
    return event(attempt, Phase.ENDED, at, outcome=outcome, fault=fault, sip=failed.sip, cause=failed.reason or None, mark="sip")


def event(
    attempt: str,
    phase: Phase,
    at: datetime,
    *,
    outcome: Outcome | None = None,
    fault: Fault | None = None,
    sip: int | None = None,
    cause: str | None = None,
    mark: str = "",
) -> CallEvent:
    """One fact about the attempt's call; `mark` tells its key from that of another source's."""
    room = room_of(attempt)
    return CallEvent(phase, at, attempt, room, f"{room}:{mark or phase}", outcome=outcome, fault=fault, sip=sip, cause=cause)


def callee(answer: Any) -> str | None:
    """How far the call has come by a list of participants: None if the callee is not among them, "" if it does not say. Raises
    `ValueError` if it cannot be read."""
    try:
        found = [each for each in answer["participants"] if each["identity"] == CALLEE] if answer else []
        return str((found[0].get("attributes") or {}).get(STATUS, "")) if found else None
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError("the list of participants cannot be read") from error


def read(body: bytes) -> list[CallEvent]:
    """The events of a webhook; none for what is not about a callee of ours. Raises `ValueError` if it cannot be read."""
    told = json.loads(body)
    try:
        kind = told["event"]
        if kind not in {"participant_joined", "participant_left"}:
            return []
        room, participant = told["room"]["name"], told["participant"]
        if participant["identity"] != CALLEE or not room.startswith(_ROOM):
            return []
        at = datetime.fromtimestamp(int(_either(told, "createdAt", "created_at")), UTC)
        attempt = room.removeprefix(_ROOM)
        if kind == "participant_joined":
            return [event(attempt, Phase.DIALING, at)]
        reason = _either(participant, "disconnectReason", "disconnect_reason")
        if reason in _NEVER_ANSWERED | _MOVES_ON:
            return []
        outcome, fault = _left(reason, (participant.get("attributes") or {}).get(STATUS))
        return [event(attempt, Phase.ENDED, at, outcome=outcome, fault=fault, cause=str(reason) if reason else None)]
    except (LookupError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise ValueError(f"the webhook cannot be read: {type(error).__name__}") from None


def _left(reason: Any, status: Any) -> Verdict | tuple[None, None]:
    """A callee who leaves has talked. Of one who is taken away (the room is deleted, by us or by the agent) only how far the call
    had come tells whether anybody had answered; where that is not told, the ledger knows it best."""
    if reason in _CALLEE_LEFT or status in ANSWERED:
        return Outcome.ANSWERED, Fault.NONE
    return (Outcome.CANCELLED, Fault.NONE) if reason in _TAKEN_AWAY and status in NOT_YET else (None, None)


def _either(part: Mapping[str, Any], camel: str, snake: str) -> Any:
    return part.get(camel, part.get(snake))
