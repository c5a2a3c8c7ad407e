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

from adapters.asterisk.kept import AMD, VARIABLE, Kept, read_kept
from adapters.asterisk.names import attempt_of, channel_of, time_of
from adapters.causes import judge
from adapters.events import CallEvent, Fault, Outcome, Phase

_FINAL = frozenset({"BUSY", "CONGESTION", "NOANSWER", "CHANUNAVAIL"})
"""Dial statuses that say that the network ended it. Our own ring timer and our hang-up bring none of them."""
_RINGS = frozenset({"RINGING", "PROGRESS"})
_RING_CODES = frozenset({180, 183})
_BY_STATE = {"Ringing": Phase.RINGING, "Up": Phase.ANSWERED}
_TIMER_RAN_OUT = 19
"""The cause that Asterisk gives when its own ring timer runs out; from it, it makes up a SIP code 480."""
_NORMAL = (None, 0, 16)
"""Causes of a call that was answered, and of one that we cancelled."""
_FORGET_AFTER = 3
"""Gaps after which a channel is forgotten: its end was missed, or it is heard of anew."""
GAP = CallEvent(Phase.GAP, datetime.fromtimestamp(0, UTC), "", None, "gap")
"""It has no time: it says that something may have been missed before it."""


def unseen_end(attempt: str, ref: str, at: datetime) -> CallEvent:
    """The end of a call of which is only known that it is over. Its key is its own, for the real end may still be told, and
    then says more."""
    return CallEvent(
        Phase.ENDED, at, attempt, ref, f"{ref}:over", outcome=Outcome.UNKNOWN, fault=Fault.CALLEE, cause="its end was not heard"
    )


def result_of(attempt: str, ref: str, at: datetime, text: str) -> CallEvent:
    """What the dialplan put into `DIALER_RESULT`. Raises `ValueError` for what is no JSON object."""
    data = json.loads(text)
    if not isinstance(data, Mapping):
        raise ValueError("DIALER_RESULT is no JSON object")
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return CallEvent(Phase.RESULT, at, attempt, ref, f"{ref}:result:{digest}", data=data)


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
    """What was heard of one channel. `whole`: nothing was missed that its end is judged by. `results`: their keys."""

    whole: bool
    phases: set[Phase] = field(default_factory=set)
    final: bool = False
    answered_by: Outcome | None = None
    results: set[str] = field(default_factory=set)
    kept: Kept | None = None
    gaps: int = 0

    def learn(self, kept: Kept) -> None:
        """What Asterisk kept of its end makes up for what was missed. Only of one that the network refused it does not say
        for certain whether it rang before."""
        self.kept = kept
        if kept.state in _BY_STATE:
            self.phases.add(_BY_STATE[kept.state])
        if kept.sip in _RING_CODES:
            self.phases.add(Phase.RINGING)
        self.answered_by = self.answered_by or kept.answered_by
        self.whole = self.whole or kept.refused_with is None

    def network_code(self, sip: int | None, q850: int | None) -> int | None:
        """The SIP code of its end, but for one that Asterisk made up."""
        if self.kept is not None:
            return self.kept.refused_with
        if sip is None or sip < 300 or (q850 == _TIMER_RAN_OUT and not self.final):
            return None
        return sip


class Translator:
    """What comes over one socket, in its order. `limit_403`: whether SIP 403 is the trunk's way to say that it is full."""

    def __init__(self, *, limit_403: bool = False) -> None:
        self._limit_403 = limit_403
        self._heard: dict[str, _Heard] = {}
        self.keeps: bool | None = None
        """Whether Asterisk kept the last end that was heard of in whole; None before there was one."""

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
            case "AMDSTATUS" if value in AMD and heard.answered_by is None:
                heard.answered_by = AMD[value]
                return self._once(attempt, at, heard, Phase.CLASSIFIED)
            case "DIALER_RESULT":
                return self._result(attempt, at, heard, value)
            case name if name == VARIABLE and (kept := read_kept(value)) is not None:
                heard.learn(kept)
                return self._result(attempt, at, heard, kept.result) if kept.result else []
        return []

    def _result(self, attempt: str, at: datetime, heard: _Heard, text: str) -> list[CallEvent]:
        event = result_of(attempt, channel_of(attempt), at, text)
        if event.key in heard.results:
            return []
        heard.results.add(event.key)
        return [event]

    def over(self, attempt: str, kept: Kept) -> CallEvent:
        """The end of a call of which nobody heard: the same fact as if somebody had."""
        heard = _Heard(whole=False)
        heard.learn(kept)
        return self._ended(attempt, kept.at, heard, kept.sip, kept.q850, "")

    def _end(self, message: Mapping[str, Any], attempt: str, ref: str, state: object, at: datetime) -> CallEvent:
        heard = self._heard.pop(ref, None) or _Heard(whole=False)
        if heard.kept is not None or heard.whole:
            self.keeps = heard.kept is not None
        if isinstance(state, str) and state in _BY_STATE:
            heard.phases.add(_BY_STATE[state])
        q850, sip = _code(message.get("cause")), _code(message.get("tech_cause"))
        return self._ended(attempt, at, heard, sip, q850, str(message.get("cause_txt") or ""))

    def _ended(self, attempt: str, at: datetime, heard: _Heard, sip: int | None, q850: int | None, reason: str) -> CallEvent:
        ref, sip = channel_of(attempt), heard.network_code(sip, q850)
        outcome, fault = self._judge(heard, sip, q850, reason)
        key = f"{ref}:{Phase.ENDED}"
        return CallEvent(
            Phase.ENDED, at, attempt, ref, key, outcome=outcome, fault=fault, cause=reason or None, sip=sip, q850=q850
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
