"""What becomes of contacts whose number was called invalid, when it turns out that their trunk was in a storm. Pure.

A storm is seen at its fifth invalid number (`dialer.domain.storm`). Until then each process has believed four, and each of these
ended a contact and struck a number dead. There are two ways to kill none.

- To believe no such ending before the trunk has proven itself. It would have to do so after the call, for one that was well a
  moment ago may be ill now: each invalid number would wait in a state of its own for another call to ring, at the cost of a look
  and a write, a campaign that has only such contacts left would not end, and no process alone could say when.
- To believe it, and to take it back where that was wrong. This costs nothing while all is well, the ledger knows the endings of
  all processes, and what a crash interrupts the next sweep does.

So it is the second. While a storm is noted in the ledger (migration 0020; from a minute before its first call until a minute
after its trunk's breaker is closed), each call of the trunk that was called invalid and did not ring is corrected: unreachable by
the trunk's fault, for the reason `storm`, not counted as an attempt. Its number is dead no longer. Its contact waits again as
after any failure of the trunk, within the same bound of the day, if this was its last call and ended it, and nothing forbids
another. Whoever was called again meanwhile, waits for his other number or for a callback, or was skipped, is left where he is.

The calls that showed the storm are corrected also where the carrier was not certain that nobody has the number: such a word would
else be the first of the two by which it is believed. Their contacts wait already, and keep their day.

A campaign does not end while such a call of it is not corrected. One that had ended before the storm was seen has ended: its
contacts stay failed, with the outcome `error` instead of `invalid_number`. A contact that waits again waits in its usual place,
also where the call was a callback.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from adapters.events import Fault
from dialer.domain.campaign import CampaignRules
from dialer.domain.machine import ContactStatus
from dialer.domain.preflight import Reason, for_ever
from dialer.domain.retry import CallAgain, Decision, Done, Record, excused

STORM = "storm"
"""Why a call or a contact was corrected."""


@dataclass(frozen=True, slots=True)
class Killed:
    """A contact that such a call has ended, as it stands under its campaign's lock once its calls are corrected. `record`: what
    was tried before the last of them. `callable`: it has a number that this campaign may call; `suppressed_until` None: which is
    on no list. `over`: the campaign calls nobody any more. `rules` None: they cannot be read."""

    record: Record
    enrolled_at: datetime
    callable: bool
    suppressed_until: datetime | None
    do_not_call: bool
    over: bool
    rules: CampaignRules | None


def reinstate(found: Killed, now: datetime) -> Decision:
    """Called again, or `failed` as before, and why."""
    again = excused(Fault.TRUNK, found.record, now)
    if isinstance(again, Done):
        return again
    if (why := _forbidden(found)) is not None:
        return _stays(why)
    assert found.rules is not None
    at = max(again.at, found.suppressed_until or again.at)
    expires_at = found.rules.expires(found.enrolled_at)
    if expires_at is not None and expires_at <= at:
        return _stays(Reason.EXPIRED)
    return CallAgain(at, STORM, counted=False, excused=True)


def _forbidden(found: Killed) -> str | None:
    if found.over:
        return STORM
    if found.do_not_call:
        return Reason.DO_NOT_CALL
    if found.rules is None:
        return "unreadable_rules"
    if not found.callable:
        return Reason.NO_PHONE
    return Reason.SUPPRESSED if found.suppressed_until is not None and for_ever(found.suppressed_until) else None


def _stays(why: str) -> Done:
    return Done(ContactStatus.FAILED, why, counted=False, excused=True)
