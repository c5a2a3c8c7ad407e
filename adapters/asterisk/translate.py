"""Asterisk's words to ours. Pure: no I/O, no clock, no randomness.

How a call ended is never read off the dial status: it is NOANSWER for an invalid number, too. The cause tells, and the SIP code,
and whether it rang. No event says all of that, so what was heard of each channel is kept until its end.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.causes import judge
from adapters.events import CallEvent, Fault, Outcome, Phase

_PREFIX = "dialer-"
_FINAL = frozenset({"BUSY", "CONGESTION", "NOANSWER", "CHANUNAVAIL"})
"""Dial statuses that say that the network ended it. Our own ring timer and our hang-up bring none of them."""
_RINGS = frozenset({"RINGING", "PROGRESS"})
_BY_STATE = {"Ringing": Phase.RINGING, "Up": Phase.ANSWERED}
_AMD = {"HUMAN": Outcome.HUMAN, "MACHINE": Outcome.MACHINE}
_TIMER_RAN_OUT = 19
"""The cause that Asterisk gives when its own ring timer runs out; from it, it makes up a SIP code 480."""
_NORMAL = (None, 0, 16)
"""Causes of a call that was answered, and of one that we cancelled."""
_FORGET_AFTER = 3
"""Gaps after which a channel is forgotten: its end was missed, or it is heard of anew."""
GAP = CallEvent(Phase.GAP, datetime.fromtimestamp(0, UTC), "", None, "gap")
"""It has no time: it says that something may have been missed before it."""


def channel_of(attempt: str) -> str:
    """The id of the attempt's channel, which is its `ref`, too."""
    return _PREFIX + attempt


def attempt_of(channel: object) -> str | None:
    """The attempt of one of our channels; None for any other."""
    found = channel.removeprefix(_PREFIX) if isinstance(channel, str) and channel.startswith(_PREFIX) else ""
    return found or None


def marker_of(attempt: str) -> str:
    """The global variable that is set when the attempt was placed."""
    return f"ATT_{attempt}"


def short(attempt: str) -> str:
    """Enough of an attempt's id to find it again, for logs."""
    return f"…{attempt[-6:]}"


def time_of(text: object) -> datetime:
    """A timestamp of Asterisk. Raises `ValueError`, which does not repeat it."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError("a timestamp cannot be read") from None
    if moment.tzinfo is None:
        raise ValueError("a timestamp has no zone")
    return moment.astimezone(UTC)


def unseen_end(attempt: str, ref: str, at: datetime) -> CallEvent:
    """The end of a call of which is only known that it is over. Its key is its own, for the real end may still be told, and
    then says more."""
    return CallEvent(
        Phase.ENDED, at, attempt, ref, f"{ref}:over", outcome=Outcome.UNKNOWN, fault=Fault.CALLEE, cause="its end was not heard"
    )


def tells_sip(version: object) -> bool:
    """Whether an Asterisk of that version tells SIP codes: 20.17, 22.7, 23.1 and later do. True for one that cannot be read."""
    found = re.match(r"(\d+)\.(\d+)", str(version))
    if found is None:
        return True
    major, minor = int(found[1]), int(found[2])
    since = {20: 17, 22: 7, 23: 1}.get(major)
    return major > 23 if since is None else minor >= since


@dataclass(slots=True)
class _Heard:
    """What was heard of one channel. `whole`: from its beginning, without a gap."""

    whole: bool
    phases: set[Phase] = field(default_factory=set)
    final: bool = False
    answered_by: Outcome | None = None
    gaps: int = 0


class Translator:
    """What comes over one socket, in its order. `limit_403`: whether SIP 403 is the trunk's way to say that it is full."""

    def __init__(self, *, limit_403: bool = False) -> None:
        self._limit_403 = limit_403
        self._heard: dict[str, _Heard] = {}

    def gap(self) -> CallEvent:
        """Something may have been missed."""
        for heard in self._heard.values():
            heard.whole = False
            heard.gaps += 1
        self._heard = {ref: heard for ref, heard in self._heard.items() if heard.gaps < _FORGET_AFTER}
        return GAP

    def read(self, message: Mapping[str, Any]) -> list[CallEvent]:
        """What one message tells of our calls. Raises `ValueError` if it lacks a field."""
        kind = message.get("type")
        channel = message.get("peer" if kind == "Dial" else "channel")
        attempt = attempt_of(channel.get("id")) if isinstance(channel, Mapping) else None
        if attempt is None or not isinstance(channel, Mapping):
            return []
        ref, state, at = channel_of(attempt), channel.get("state"), time_of(message.get("timestamp"))
        if kind == "ChannelDestroyed":
            return [self._end(message, attempt, ref, state, at)]
        if ref not in self._heard:
            self._heard[ref] = _Heard(whole=state == "Down")
        heard = self._heard[ref]
        match kind:
            case "Dial":
                status = message.get("dialstatus")
                heard.final = heard.final or status in _FINAL
                phase = {"": Phase.DIALING, "ANSWER": Phase.ANSWERED}.get(str(status))
                return self._once(attempt, at, heard, Phase.RINGING if status in _RINGS else phase)
            case "ChannelStateChange":
                return self._once(attempt, at, heard, _BY_STATE.get(str(state)))
            case "StasisStart":
                return self._once(attempt, at, heard, Phase.ANSWERED)
            case "ChannelVarset":
                return self._variable(message, attempt, at, heard)
        return []

    def _once(self, attempt: str, at: datetime, heard: _Heard, phase: Phase | None) -> list[CallEvent]:
        """Several messages tell of one phase; the first is the fact."""
        if phase is None or phase in heard.phases:
            return []
        heard.phases.add(phase)
        ref = channel_of(attempt)
        outcome = heard.answered_by if phase is Phase.CLASSIFIED else None
        return [CallEvent(phase, at, attempt, ref, f"{ref}:{phase}", outcome=outcome)]

    def _variable(self, message: Mapping[str, Any], attempt: str, at: datetime, heard: _Heard) -> list[CallEvent]:
        value = str(message.get("value"))
        match message.get("variable"):
            case "AMDSTATUS" if value in _AMD and heard.answered_by is None:
                heard.answered_by = _AMD[value]
                return self._once(attempt, at, heard, Phase.CLASSIFIED)
            case "DIALER_RESULT":
                data = json.loads(value)
                if not isinstance(data, Mapping):
                    raise ValueError("DIALER_RESULT is no JSON object")
                ref, digest = channel_of(attempt), hashlib.sha256(value.encode()).hexdigest()[:16]
                return [CallEvent(Phase.RESULT, at, attempt, ref, f"{ref}:result:{digest}", data=data)]
        return []

    def _end(self, message: Mapping[str, Any], attempt: str, ref: str, state: object, at: datetime) -> CallEvent:
        heard = self._heard.pop(ref, None) or _Heard(whole=False)
        if isinstance(state, str) and state in _BY_STATE:
            heard.phases.add(_BY_STATE[state])
        q850, sip = _code(message.get("cause")), _code(message.get("tech_cause"))
        sip = sip if sip is not None and sip >= 300 else None
        if q850 == _TIMER_RAN_OUT and not heard.final:
            sip = None
        outcome, fault = self._judge(heard, sip, q850, str(message.get("cause_txt") or ""))
        return CallEvent(
            Phase.ENDED,
            at,
            attempt,
            ref,
            f"{ref}:{Phase.ENDED}",
            outcome=outcome,
            fault=fault,
            cause=str(message.get("cause_txt") or "") or None,
            sip=sip,
            q850=q850,
        )

    def _judge(self, heard: _Heard, sip: int | None, q850: int | None, reason: str) -> tuple[Outcome, Fault]:
        answered, rang = Phase.ANSWERED in heard.phases, Phase.RINGING in heard.phases
        if answered or heard.answered_by is not None:
            return heard.answered_by or Outcome.ANSWERED, Fault.CALLEE if heard.answered_by is Outcome.MACHINE else Fault.NONE
        if not heard.whole and sip is None and q850 in _NORMAL:
            return Outcome.UNKNOWN, Fault.CALLEE  # whether it was answered was missed
        if sip == 403 and self._limit_403:
            return Outcome.UNREACHABLE, Fault.TRUNK
        # Where the ring may have been missed, the phone is taken to have rung: then the call counts, and rests.
        return judge(sip=sip, q850=q850 or None, rang=rang or not heard.whole, reason=reason)


def _code(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
