"""The state machines as tables: every status there is, and every turn that is allowed.

The migration writes the same tables into the ledger, whose triggers refuse any other turn; a test holds the two against
each other. A turn from None is a birth.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias


class CampaignStatus(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class ContactStatus(StrEnum):
    """Where the enrolment of one contact in one campaign stands."""

    PENDING = "pending"
    QUEUED = "queued"
    CALLING = "calling"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class AttemptState(StrEnum):
    QUEUED = "queued"
    PLACING = "placing"
    RINGING = "ringing"
    ANSWERED = "answered"
    UNKNOWN = "unknown"
    ENDED = "ended"
    RECALLED = "recalled"


Turns: TypeAlias = Mapping[str | None, frozenset[str]]

C, P, A = CampaignStatus, ContactStatus, AttemptState

CAMPAIGN_TURNS: Turns = {
    None: frozenset({C.DRAFT, C.SCHEDULED}),
    C.DRAFT: frozenset({C.SCHEDULED, C.RUNNING, C.CANCELLED}),
    C.SCHEDULED: frozenset({C.RUNNING, C.DRAFT, C.CANCELLED, C.PAUSED}),
    C.RUNNING: frozenset({C.PAUSED, C.COMPLETED, C.CANCELLED}),
    C.PAUSED: frozenset({C.RUNNING, C.CANCELLED}),
    C.COMPLETED: frozenset(),
    C.CANCELLED: frozenset(),
}

CONTACT_TURNS: Turns = {
    None: frozenset({P.PENDING, P.SKIPPED}),
    P.PENDING: frozenset({P.QUEUED, P.SKIPPED, P.FAILED}),
    P.QUEUED: frozenset({P.CALLING, P.PENDING, P.SKIPPED, P.FAILED}),
    P.CALLING: frozenset({P.PENDING, P.COMPLETED, P.FAILED, P.SKIPPED}),
    P.COMPLETED: frozenset({P.PENDING}),  # who asked to be called back
    # Who asked to be called back; whose number a trunk in a storm called invalid; of whom late evidence says that he was reached.
    P.FAILED: frozenset({P.PENDING, P.COMPLETED}),
    P.SKIPPED: frozenset(),
}

ATTEMPT_TURNS: Turns = {
    None: frozenset({A.QUEUED}),
    A.QUEUED: frozenset({A.PLACING, A.RECALLED}),
    A.PLACING: frozenset({A.RINGING, A.ANSWERED, A.ENDED, A.RECALLED, A.UNKNOWN}),
    A.UNKNOWN: frozenset({A.RINGING, A.ANSWERED, A.ENDED, A.RECALLED}),
    A.RINGING: frozenset({A.ANSWERED, A.ENDED}),
    A.ANSWERED: frozenset({A.ENDED}),
    A.ENDED: frozenset(),
    A.RECALLED: frozenset(),
}

TABLES: Mapping[str, Turns] = {"campaign": CAMPAIGN_TURNS, "contact": CONTACT_TURNS, "attempt": ATTEMPT_TURNS}

OPEN_CONTACT = frozenset({P.PENDING, P.QUEUED, P.CALLING})
FINAL_CAMPAIGN = frozenset({C.COMPLETED, C.CANCELLED})
UNFINISHED_PLACING = frozenset({A.PLACING, A.UNKNOWN})


def allowed(turns: Turns, before: str | None, after: str) -> bool:
    """Whether the table has this turn. Staying where one is is not a turn."""
    return after in turns.get(before, frozenset())
