"""What events make of an attempt, and the one value in which a change of it is written.

Events come in any order and any number of times; phases only move forward, so folding the same facts again changes nothing, and
facts that come late fill in what they tell: in every order it comes to the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from adapters.events import CallEvent, Fault, Outcome, Phase
from dialer.domain.machine import AttemptState, ContactStatus
from dialer.domain.outcome import Disposition, presumed_fault

_STAGE = {
    AttemptState.QUEUED: 0,
    AttemptState.PLACING: 1,
    AttemptState.UNKNOWN: 1,
    AttemptState.RINGING: 2,
    AttemptState.ANSWERED: 3,
    AttemptState.ENDED: 4,
    AttemptState.RECALLED: 4,
}

CLASSIFIED = "classified"
"""The key of a call's result under which it says who picked up."""
EXTRACTED = "extracted"
"""The key under which it says what was found out: name → value."""
TRANSCRIPT_SAYS = "transcript_says"
"""The same of what we asked the transcript; whatever the carrier told comes before it."""
_WHO = (Outcome.HUMAN, Outcome.MACHINE)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt has come, as far as its events decide it."""

    state: AttemptState
    outcome: Outcome | None = None
    fault: Fault | None = None
    cause: str | None = None
    ref: str | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    result: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One change of one attempt and, where `enrolment` is set, of its enrolment. `expected` and `expected_outcome` are what
    the writer saw: a row that has moved since is left alone, and the writer is told. `to_number`: whom an enrolment that waits
    again is to call, None = the number it has; `both`: it may be either of the contact's."""

    attempt: str
    campaign: str
    scopes: tuple[str, ...]
    expected: AttemptState
    expected_outcome: Outcome | None
    progress: Progress
    reason: str | None = None
    rule: str | None = None
    counted: bool = False
    excused: bool = False
    reached: bool = False
    enrolment: ContactStatus | None = None
    enrolment_outcome: Disposition | None = None
    next_at: datetime | None = None
    to_number: str | None = None
    both: bool = False


def fold(before: Progress, events: Iterable[CallEvent]) -> Progress:
    """The progress after these events; `before` itself when they tell nothing new."""
    progress = before
    for event in events:
        progress = _apply(progress, event)
    return progress


def _apply(was: Progress, event: CallEvent) -> Progress:
    if was.state in (AttemptState.QUEUED, AttemptState.RECALLED):
        return was  # nothing was placed, so nobody can speak of it
    match event.phase:
        case Phase.RINGING if was.ringing_at is None:
            rang = replace(was, ringing_at=event.at, ref=was.ref or event.ref)
            return replace(rang, state=AttemptState.RINGING) if _STAGE[was.state] < _STAGE[AttemptState.RINGING] else rang
        case Phase.ANSWERED if was.answered_at is None:
            answered = replace(was, answered_at=event.at, ref=was.ref or event.ref)
            if _STAGE[was.state] < _STAGE[AttemptState.ANSWERED]:
                return replace(answered, state=AttemptState.ANSWERED)
            return _known_better(answered, Outcome.ANSWERED)
        case Phase.CLASSIFIED if event.outcome in _WHO:
            return _known_better(replace(was, result={**(was.result or {}), CLASSIFIED: event.outcome.value}), event.outcome)
        case Phase.RESULT:
            return replace(was, result=_told(was.result or {}, event.data))
        case Phase.ENDED:
            return _end(was, event)
        case _:
            return was if was.ref or event.ref is None else replace(was, ref=event.ref)


def extracted(result: Mapping[str, Any]) -> Any:
    """What a call found out, by its result: name → value; None: nothing. What is no such thing is left as it is."""
    told, asked = result.get(EXTRACTED), result.get(TRANSCRIPT_SAYS)
    if not isinstance(asked, Mapping) or not isinstance(told, Mapping | None):
        return told
    said = {name: value for name, value in (told or {}).items() if value not in (None, "", [])}
    return {**(told or {}), **asked, **said}


def _told(before: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """With what is told on top of what was; extracted fields may come in parts."""
    both = [each[EXTRACTED] for each in (before, data) if isinstance(each.get(EXTRACTED), Mapping)]
    parts = {EXTRACTED: {**both[0], **both[1]}} if len(both) > 1 else {}
    return {**before, **data, **parts}


def _end(was: Progress, event: CallEvent) -> Progress:
    said = event.outcome or Outcome.UNKNOWN
    outcome = _exactly(was, said)
    if was.state is AttemptState.ENDED and not _tells_more(was.outcome, outcome):
        return was
    return replace(
        was,
        state=AttemptState.ENDED,
        outcome=outcome,
        # The carrier judged by what it said. Of a machine it called answered, or a person whose end it missed, we know better.
        fault=event.fault if event.fault is not None and outcome is said else presumed_fault(outcome),
        cause=event.cause,
        ref=was.ref or event.ref,
        ended_at=was.ended_at or event.at,
    )


def _known_better(was: Progress, outcome: Outcome) -> Progress:
    """A call whose end came before what tells how it ended."""
    outcome = _exactly(was, outcome)
    if was.state is AttemptState.ENDED and _tells_more(was.outcome, outcome):
        return replace(was, outcome=outcome, fault=presumed_fault(outcome))
    return was


def _exactly(was: Progress, outcome: Outcome) -> Outcome:
    """With who picked up, or that somebody did, where that was told and the outcome leaves it open."""
    if outcome not in (Outcome.ANSWERED, Outcome.UNKNOWN):
        return outcome
    classified = (was.result or {}).get(CLASSIFIED)
    return Outcome(classified) if classified is not None else Outcome.ANSWERED if was.answered_at is not None else outcome


def _tells_more(was: Outcome | None, outcome: Outcome) -> bool:
    """Whether `outcome` says more exactly what `was` left open. What is known exactly is not corrected."""
    return (was is Outcome.UNKNOWN and outcome is not Outcome.UNKNOWN) or (was is Outcome.ANSWERED and outcome in _WHO)
