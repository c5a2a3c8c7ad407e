"""Recall: an attempt that was claimed and may not, or cannot, be placed goes back, and why is asked of the preflight."""

from __future__ import annotations

from datetime import timedelta

from dialer.domain.attempt import Turn
from dialer.domain.conclude import expire, recall
from dialer.domain.machine import AttemptState
from dialer.domain.outcome import Disposition
from dialer.domain.preflight import Facts, Go, Never, Reason, Verdict, Wait, preflight
from dialer.flows.settle import Case, expires_at

BREATH = timedelta(seconds=1)
"""How long a contact rests that nothing speaks against: its claim came too late, or its rules had just changed."""


def refuse(case: Case, held: Reason | None = None) -> Turn | None:
    """The turn for a queued attempt that the fence did not let through; None when it is not queued any more. `held`: an open
    breaker makes it wait."""
    standing = case.stand.standing
    if standing.progress.state is not AttemptState.QUEUED:
        return None
    match verdict(case, held):
        case Go():
            return recall(standing, "stale", case.now + BREATH, case.now)
        case Wait(Reason.SUPPRESSED as reason):
            return recall(standing, reason, case.now + BREATH, case.now)
        case Wait(reason, until, rule):
            return recall(standing, reason, until or case.now + BREATH, case.now, rule=rule)
        case Never(Reason.DO_NOT_CALL | Reason.SUPPRESSED as reason):
            return recall(standing, reason, case.now, case.now)
        case Never(Reason.NO_PHONE as reason):
            return recall(standing, reason, case.now, case.now, never=Disposition.INVALID_NUMBER)
        case Never(Reason.EXPIRED) if (expires := expires_at(case)) is not None and expires <= case.now:
            return expire(standing, case.now)
        case Never(reason, rule):
            return recall(standing, reason, case.now + BREATH, case.now, rule=rule)


def put_back(case: Case) -> Turn | None:
    """The turn for a queued attempt where nobody knows what hour it is: the contact is as due as it was when it was claimed. By a
    wrong hour it would be put off for a day. None when it is not queued any more."""
    standing = case.stand.standing
    return recall(standing, "hour", None, case.now) if standing.progress.state is AttemptState.QUEUED else None


def verdict(case: Case, held: Reason | None = None) -> Verdict:
    """What the preflight says of an attempt that holds its slots already."""
    stand = case.stand
    facts = Facts(
        campaign_status=stand.campaign_status,
        pause_reason=stand.pause_reason,
        rules=case.rules,
        place=case.place,
        to_number=stand.phone,
        do_not_call=stand.standing.do_not_call,
        suppressed_until=stand.standing.suppressed_until,
        next_attempt_at=case.now,
        free=None,
        budget=None,
        caller_ids=1 if stand.caller_id_active else 0,
        trunk_ready=stand.assistant_enabled,
        held=held,
        expires_at=expires_at(case),
        capped_until=stand.capped_until,
    )
    return preflight(facts, case.now)
