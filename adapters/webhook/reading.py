"""From what a provider tells of a call, in a callback or in its record, to facts. Pure.

A word that nobody mapped never ends a number: the codes of SIP and Q.850 decide then, else the trunk is blamed; where not even
that somebody picked up is told, the ending is left to what is known already. A fact's key is made of what it says, so that
redeliveries and look-ups agree on it whatever ids the provider gives.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.causes import PERHAPS_INVALID, Verdict, judge
from adapters.events import CallEvent, Fault, Outcome, Phase
from adapters.webhook.paths import Path, truth, whole, word

OUTCOMES: Mapping[str, Verdict] = {
    "human": (Outcome.HUMAN, Fault.NONE),
    "answered": (Outcome.ANSWERED, Fault.NONE),
    "machine": (Outcome.MACHINE, Fault.CALLEE),
    "machine/number": (Outcome.MACHINE, Fault.NUMBER),  # a fax
    "busy": (Outcome.BUSY, Fault.CALLEE),
    "no_answer": (Outcome.NO_ANSWER, Fault.CALLEE),
    "declined": (Outcome.DECLINED, Fault.CALLEE),
    "invalid_number": (Outcome.INVALID_NUMBER, Fault.NUMBER),
    "invalid_number/callee": PERHAPS_INVALID,
    "blocked": (Outcome.BLOCKED, Fault.CALLEE),
    "blocked/trunk": (Outcome.BLOCKED, Fault.TRUNK),
    "blocked/number": (Outcome.BLOCKED, Fault.NUMBER),
    "unreachable": (Outcome.UNREACHABLE, Fault.TRUNK),
    "unreachable/config": (Outcome.UNREACHABLE, Fault.CONFIG),
    "unreachable/request": (Outcome.UNREACHABLE, Fault.REQUEST),
    "cancelled": (Outcome.CANCELLED, Fault.NONE),
    "unknown": (Outcome.UNKNOWN, Fault.CALLEE),
}
"""What a provider's word may stand for, and whose fault each is."""

_TRUNK: Verdict = (Outcome.UNREACHABLE, Fault.TRUNK)
_WHO = frozenset({Outcome.HUMAN, Outcome.MACHINE})
_LONGEST_WORD = 200
_NEAR = timedelta(days=30)
"""How far a time may be from when it was heard, or the call was placed; another is read wrongly, or not of this call."""
_MILLISECONDS = 1e11
"""Seconds since 1970 do not come to so much before the year 5138, milliseconds have since 1973."""


@dataclass(frozen=True, slots=True)
class Result:
    """Where the parts of a call's result stand. `at`: when it was made, where that is not the time of the whole; `no_words`: the
    words at `do_not_call` that mean so, besides a yes."""

    at: Path | None = None
    parts: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    amount: Path | None = None
    currency: Path | None = None
    no_words: frozenset[str] = frozenset()

    def read(self, said: Any) -> dict[str, Any]:
        """The parts that are told, each in the form that the dialer knows; what has another form is left out."""
        found = {}
        for name, places in self.parts.items():
            part = next((part for path in places if (part := self._part(name, path, said)) is not None), None)
            if part is not None:
                found[name] = part
        if self.parts and not found:
            return {}  # the price of a call is no result that nobody need wait for any more
        amount = self.amount.read(said) if self.amount else None
        currency = word(self.currency, said)
        if isinstance(amount, int | float | str) and not isinstance(amount, bool) and currency:
            found["cost"] = {"amount": amount, "currency": currency}
        return found

    def _part(self, name: str, path: Path, said: Any) -> Any:
        value = path.read(said)
        match name:
            case "do_not_call":
                # In doubt a no: whoever is wrongly taken for one who said it is not called, and that harms nobody.
                yes = word(path, said).strip().lower() in {"true", "yes", "1"}
                return True if yes or word(path, said) in self.no_words else None
            case "success":
                return value if isinstance(value, bool) else None
            case "extracted":
                return dict(value) if isinstance(value, Mapping) and value else None
            case "callback_at":
                moment = time_of(value)
                return moment.isoformat() if moment else None
            case "transcript" if isinstance(value, list):
                turns = [turn for turn in value if isinstance(turn, Mapping) and {"role", "text"} <= turn.keys()]
                return [{"role": str(turn["role"]), "text": str(turn["text"])} for turn in turns] or None
            case _:
                return value if isinstance(value, str) and value else None


PARTS = frozenset({"transcript", "recording_url", "summary", "success", "extracted", "callback_at", "do_not_call"})


@dataclass(frozen=True, slots=True)
class Reading:
    """Where everything stands. `outcome`: the first of these places at which there is a word of `words` decides."""

    attempt: Path | None
    ref: Path | None = None
    at: Path | None = None
    outcome: tuple[Path, ...] = ()
    words: Mapping[str, Verdict] = field(default_factory=dict)
    answered: Path | None = None
    rang: Path | None = None
    sip: Path | None = None
    q850: Path | None = None
    result: Result = field(default_factory=Result)

    def events(self, phase: Phase, said: Any, attempt: str, ref: str | None, near: datetime) -> list[CallEvent]:
        """The facts that `said` tells, which is of `phase`; `near` stands in where it tells no time."""
        at = _moment(self.at, said, near)
        told = []
        if phase is Phase.ENDED:
            outcome, fault, cause = self.ending(said)
            sip, q850 = whole(self.sip, said, 100, 699), whole(self.q850, said, 1, 127)
            key = f"{attempt}:{phase}:{outcome or ''}"
            told.append(CallEvent(phase, at, attempt, ref, key, outcome, fault, cause, sip, q850))
        elif phase is Phase.CLASSIFIED:
            outcome, fault, cause = self.ending(said)
            if outcome in _WHO:
                told.append(CallEvent(phase, at, attempt, ref, f"{attempt}:{phase}:{outcome}", outcome, fault, cause))
        elif phase is not Phase.RESULT:
            told.append(CallEvent(phase, at, attempt, ref, f"{attempt}:{phase}"))
        data = self.result.read(said)
        if phase not in {Phase.ENDED, Phase.RESULT}:  # a no is heard at once, the rest is not whole yet
            data = {name: part for name, part in data.items() if name == "do_not_call"}
        if data:
            at = _moment(self.result.at, said, at)
            told.append(CallEvent(Phase.RESULT, at, attempt, ref, f"{attempt}:{Phase.RESULT}:{_digest(data)}", data=data))
        return told

    def ending(self, said: Any) -> tuple[Outcome | None, Fault | None, str | None]:
        """How the call ended, whose fault it was, and the word that says so. Neither of the first two, where nothing is told that
        can be believed: then the call counts as what it had come to."""
        told = [each[:_LONGEST_WORD] for path in self.outcome if (each := word(path, said))]
        sip, q850 = whole(self.sip, said, 100, 699), whole(self.q850, said, 1, 127)
        rang = truth(self.rang, said) if self.rang else None
        known = next((each for each in told if each in self.words), None)
        if known is not None:
            verdict = self.words[known]
            silent = verdict[0] is Outcome.NO_ANSWER and rang is False and sip != 480
            return *(_TRUNK if silent else verdict), known
        cause = told[0] if told else None
        if self.answered is None and sip is None:
            return None, None, cause
        answered = truth(self.answered, said) if self.answered else sip == 200
        return *judge(sip=sip, q850=q850, rang=bool(rang), answered=answered, reason=cause or ""), cause


def time_of(value: Any) -> datetime | None:
    """A moment in UTC of ISO 8601 text with its offset, or of seconds or milliseconds since 1970; None for anything else."""
    try:
        if isinstance(value, str) and not value.strip().replace(".", "", 1).isdigit():
            moment = datetime.fromisoformat(value.strip())
            return moment.astimezone(UTC) if moment.tzinfo else None
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            number = float(value)
            return datetime.fromtimestamp(number / 1000 if abs(number) >= _MILLISECONDS else number, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _moment(path: Path | None, said: Any, near: datetime) -> datetime:
    """The time that stands there, if it can be one of this call; else `near`."""
    moment = time_of(path.read(said)) if path else None
    return moment if moment and abs(moment - near) <= _NEAR else near


def _digest(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
