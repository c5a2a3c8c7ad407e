"""The contacts of a campaign: who they are, what each one waits for, and taking them out again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dialer.domain.cursor import After
from dialer.domain.machine import ContactStatus
from dialer.domain.outcome import Disposition
from dialer.flows.campaigns.facts import Ground, ground_of
from dialer.flows.campaigns.look import alive, found
from dialer.flows.campaigns.means import Looking, Means
from dialer.flows.campaigns.waiting import contacts_wait
from dialer.store import campaigns, enrolments
from dialer.store.transaction import Transaction, reading, transaction

OWN = (
    "id", "status", "priority", "attempts", "outcome", "to_number", "callback_at", "last_attempt_at", "next_attempt_at",
    "completed_at", "created_at",
)  # fmt: skip
NOT_CALLED = frozenset({ContactStatus.PENDING, ContactStatus.SKIPPED, ContactStatus.FAILED})
PERSON = ("first_name", "last_name", "phone", "email", "timezone", "do_not_call")


@dataclass(frozen=True, slots=True)
class Members:
    """One page; `count` is of all that match, `by_status` of the whole campaign."""

    rows: tuple[Mapping[str, Any], ...]
    count: int
    by_status: Mapping[str, int]


async def list_members(
    means: Looking,
    team: str,
    campaign: str,
    *,
    status: ContactStatus | None = None,
    outcome: Disposition | None = None,
    limit: int = 50,
    offset: int = 0,
    after: After | None = None,
) -> Members:
    """Priority descending, then in the order of enrolment. Raises `NotFound`."""
    now = means.clock.now()
    async with reading(means.database) as on:
        await found(on, team, campaign)
        tallies = await enrolments.tallies(on, campaign)
        rows = await enrolments.listing(on, campaign, status=status, outcome=outcome, limit=limit, offset=offset, after=after)
        shown = await described(on, means, await ground_of(on, campaign, means.trunks, now), rows)
    count = sum(t["n"] for t in tallies if status in (None, t["status"]) and outcome in (None, t["outcome"]))
    return Members(tuple(shown), count, by_status(tallies))


def by_status(tallies: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Every status with its count, 0 too."""
    return {status.value: sum(t["n"] for t in tallies if t["status"] == status) for status in ContactStatus}


async def described(on: Transaction, means: Looking, ground: Ground, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of enrolments as the API shows them; those that are pending, skipped or failed with what stands against their call."""
    waits = await contacts_wait(on, means, ground, [row["id"] for row in rows if row["status"] in NOT_CALLED])
    return [
        {
            **{name: row[name] for name in OWN},
            "contact": {"id": row["contact_id"], **{name: row[name] for name in PERSON}},
            "waiting_for": waits.get(row["id"]),
        }
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Removal:
    removed: int
    message: str


async def remove_members(means: Means, team: str, actor: str, campaign: str, contacts: Collection[str]) -> Removal:
    """Take contacts out that wait, are queued and not yet placed, or were skipped; others stay. One that was called before keeps
    its calls and stays in the list as skipped. Raises `NotFound`, or `Conflict` for a deleted campaign."""
    now = means.clock.now()
    wanted = set(contacts)
    async with transaction(means.database, actor) as on:
        await found(on, team, campaign)
        scopes = await campaigns.lock_with_queued(on, [campaign])
        await alive(on, team, campaign)
        await campaigns.take_back_queued(on, campaign, scopes, "removed", now, contacts=wanted)
        removed = await enrolments.remove(on, campaign, wanted, now)
    await means.ringer.wake(scopes)
    stayed = len(wanted) - removed
    message = f"{removed} removed."
    if stayed:
        message += f" {stayed} stayed: not in the campaign, being called, or called to the end."
    return Removal(removed, message)
