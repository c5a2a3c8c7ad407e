"""From how an attempt stands and what is now known of it to the turn that has to be written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random

from adapters.events import Fault, Outcome
from dialer.domain.attempt import Progress, Turn
from dialer.domain.campaign import CampaignRules
from dialer.domain.machine import OPEN_CONTACT, AttemptState, ContactStatus
from dialer.domain.next_number import Next, Number, next_number
from dialer.domain.outcome import Disposition, disposition, perhaps_invalid, reached
from dialer.domain.preflight import Reason
from dialer.domain.retry import NEVER_REFUSED, CallAgain, Record, Refusals, decide, excused, refused

LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """An attempt, its enrolment and its campaign, as the ledger has them at one moment. `suppressed_until` None: the number is on
    no list. `both`: the campaign uses the contact's second number too; `other`: the one that was not called, None where there
    is none to call; `replaced`: the one that was called is not the contact's any more; `doubted`: a call to the number before, on
    another day (24 hours) or over another trunk, ended as invalid."""

    attempt: str
    campaign: str
    trunk: str
    to_number: str
    scopes: tuple[str, ...]
    progress: Progress
    enrolment: ContactStatus
    record: Record
    do_not_call: bool
    suppressed_until: datetime | None
    both: bool = False
    other: Number | None = None
    replaced: bool = False
    doubted: bool = False

    def next(self, at: datetime, *, alternate: bool = False, invalid: bool = False) -> Next | None:
        """Whom to call next, not before `at`; None: this contact may not be called again. `invalid`: nobody has the number that
        was called."""
        if self.do_not_call:
            return None
        gone = invalid or (self.replaced and self.other is not None)
        return next_number(Number(self.to_number, self.suppressed_until, gone), self.other, at, alternate=alternate)


def conclude(
    was: Standing, became: Progress, rules: CampaignRules | None, now: datetime, rng: Random | None = None
) -> Turn | None:
    """The turn from `was` to `became`, None where nothing changed. Without readable rules nothing is tried again; without `rng`
    there is no jitter.

    A retry's delay runs from `now`, the time at which we learn of the ending: the carrier's own clock is not ours to trust.
    """
    if became == was.progress:
        return None
    became = _certain(was, became)
    turn = _turn(was, became)
    if became.state is not AttemptState.ENDED:
        return turn
    assert became.outcome is not None
    if became.outcome is was.progress.outcome:
        return turn  # only the result came
    if was.progress.state is AttemptState.ENDED:
        return _late(turn, was, became.outcome)
    return _ended(turn, was, became.outcome, became.fault or Fault.CALLEE, rules, now, rng)


def _certain(was: Standing, became: Progress) -> Progress:
    """A carrier that is not certain that nobody has the number says so twice, on different days or over different trunks."""
    if perhaps_invalid(became.outcome, became.fault) and was.doubted and was.progress.state is not AttemptState.ENDED:
        return replace(became, fault=Fault.NUMBER)
    return became


def _turn(was: Standing, became: Progress, reason: str | None = None) -> Turn:
    return Turn(
        was.attempt, was.campaign, was.scopes, was.progress.state, was.progress.outcome, became, reason=reason, both=was.both
    )


def _late(turn: Turn, was: Standing, outcome: Outcome) -> Turn:
    """Evidence of a call that had been given up as unknown: the books are corrected, nothing is dialled again. Whoever waits for
    a callback meanwhile is left as he is."""
    word = disposition(outcome)
    good = was.enrolment is ContactStatus.FAILED and word in (Disposition.ANSWERED, Disposition.VOICEMAIL)
    return replace(
        turn,
        counted=False,
        reached=reached(outcome),
        reason=word,
        enrolment=None if was.enrolment in OPEN_CONTACT else ContactStatus.COMPLETED if good else was.enrolment,
        enrolment_outcome=word,
    )


def _ended(
    turn: Turn,
    was: Standing,
    outcome: Outcome,
    fault: Fault,
    rules: CampaignRules | None,
    now: datetime,
    rng: Random | None,
) -> Turn:
    word = disposition(outcome)
    if rules is None:
        return replace(turn, counted=True, reason="unreadable_rules", enrolment=ContactStatus.FAILED, enrolment_outcome=word)
    elsewhere = was.other is not None and was.other.callable
    decision = decide(outcome, fault, rules.retry, was.record, now, rng, elsewhere=elsewhere)
    turn = replace(
        turn,
        counted=decision.counted,
        excused=decision.excused,
        reached=reached(outcome),
        reason=decision.reason,
        enrolment_outcome=word,
    )
    if not isinstance(decision, CallAgain):
        return replace(turn, enrolment=decision.status)
    following = was.next(decision.at, alternate=decision.counted, invalid=fault is Fault.NUMBER)
    if following is None:
        return replace(turn, enrolment=ContactStatus.SKIPPED, enrolment_outcome=Disposition.DO_NOT_CALL, reason="do_not_call")
    return replace(turn, enrolment=ContactStatus.PENDING, next_at=following.at, to_number=following.number)


def recall(
    was: Standing,
    reason: str,
    at: datetime | None,
    now: datetime,
    *,
    never: Disposition | None = None,
    fault: Fault | None = None,
    cause: str | None = None,
    rule: str | None = None,
) -> Turn:
    """Take back an attempt that was certainly not placed: no attempt counted; the contact waits until `at` (None: it is as due as
    it was), for a call to the same number if that may be made by then, or is skipped: by `never`, or because it was forbidden
    meanwhile. `rule`: whose window it is, where that is the reason."""
    became = replace(was.progress, state=AttemptState.RECALLED, outcome=None, fault=fault, cause=cause, ended_at=now)
    turn = replace(_turn(was, became, reason), rule=rule)
    if never is not None:
        return replace(turn, enrolment=ContactStatus.SKIPPED, enrolment_outcome=never)
    following = was.next(at or LONG_AGO)
    if following is None:
        return replace(turn, enrolment=ContactStatus.SKIPPED, enrolment_outcome=Disposition.DO_NOT_CALL)
    due = None if following.at == LONG_AGO else following.at
    return replace(turn, enrolment=ContactStatus.PENDING, next_at=due, to_number=following.number)


def expire(was: Standing, now: datetime) -> Turn:
    """Take back an attempt whose contact has expired since it was released: skipped, by the outcome it had."""
    return replace(recall(was, Reason.EXPIRED, now, now), enrolment=ContactStatus.SKIPPED, next_at=None)


def in_time(turn: Turn, expires_at: datetime | None) -> Turn:
    """The turn of a contact that is not called any more from `expires_at` on (None = never): what would bring it back only then
    ends as expired."""
    if turn.enrolment is not ContactStatus.PENDING or turn.next_at is None or expires_at is None or turn.next_at < expires_at:
        return turn
    return replace(turn, enrolment=ContactStatus.SKIPPED, reason=Reason.EXPIRED, next_at=None)


def excuse(
    was: Standing,
    fault: Fault,
    reason: str,
    now: datetime,
    *,
    cause: str | None = None,
    refusals: Refusals = NEVER_REFUSED,
) -> Turn:
    """Take back an attempt that the carrier or the way to it refused: not counted, but bounded. `refusals`: those before of just
    this contact's calls."""
    decision = refused(refusals, was.record, now) if fault is Fault.REQUEST else excused(fault, was.record, now)
    turn = recall(was, reason, decision.at if isinstance(decision, CallAgain) else now, now, fault=fault, cause=cause)
    if isinstance(decision, CallAgain):
        return replace(turn, excused=True)
    return replace(
        turn, excused=True, enrolment=decision.status, enrolment_outcome=Disposition.ERROR, reason=decision.reason, next_at=None
    )
