"""Enrolment: contacts become a campaign's queue.

Who may not be called is enrolled too, as skipped, so that the list shows why. A number that is suppressed for a while is put off
until then. Enrolling somebody twice changes nothing. Allowed while a campaign may still call; under its lock, so that a campaign
that is about to complete either sees the newcomers or refuses them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dialer.domain.errors import Conflict, Invalid, NotFound
from dialer.domain.machine import FINAL_CAMPAIGN, CampaignStatus
from dialer.flows import contacts
from dialer.flows.campaigns.look import held
from dialer.flows.campaigns.means import Means
from dialer.flows.second_numbers import place_second_numbers
from dialer.store import campaigns, enrolments, second_numbers
from dialer.store import contacts as people
from dialer.store.enrolments import Audience
from dialer.store.receipts import promised
from dialer.store.transaction import Transaction, transaction

HIGHEST_PRIORITY = 99
MOST_AT_ONCE = 100_000
"""How many contacts one request may enrol."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """`added` wait for their call. `skipped` may not be called, or were in the campaign already. `invalid` are no contacts of the
    team."""

    added: int
    skipped: int
    invalid: tuple[Mapping[str, str], ...]
    message: str


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A contact that was created and enrolled at once."""

    contact: Mapping[str, Any]
    enrolment: str
    status: str
    sums: Enrolled


async def enrol_contacts(
    means: Means, team: str, actor: str, campaign: str, contact_ids: Sequence[str], priority: int = 0
) -> Enrolled:
    """Enrol these contacts in this order; `priority` 0–99. Raises `Invalid`, `NotFound`, or `Conflict` for a campaign that has
    ended."""
    ids = list(dict.fromkeys(contact_ids))
    _check(priority, len(ids), "contactIds")
    now = means.clock.now()
    await _ready(means, team, campaign)
    async with transaction(means.database, actor) as on:
        row = await _open(on, team, campaign)
        born = await enrolments.enrol_these(on, campaign, team, ids, priority, now)
        strangers = await enrolments.strangers(on, team, ids)  # afterwards: whoever was deleted meanwhile is one of them
        added = born.get("pending", 0)
        invalid = tuple({"contact_id": id, "reason": "there is no such contact"} for id in strangers)
        sums = promised(_answer(added, len(ids) - len(strangers) - added, invalid))
    await _ring(means, row)
    return sums


async def enrol_audience(means: Means, team: str, actor: str, campaign: str, audience: Audience, priority: int = 0) -> Enrolled:
    """Enrol whoever matches and is not in the campaign yet, oldest contact first, without reading them here. Raises as
    `enrol_contacts`."""
    _check(priority, audience.most, "audience.maxToAdd")
    now = means.clock.now()
    await _ready(means, team, campaign)
    async with transaction(means.database, actor) as on:
        row = await _open(on, team, campaign)
        if audience.company is not None and not await campaigns.has_company(on, team, audience.company):
            raise NotFound(f"audience.companyId: there is no company {audience.company}; send the id of one of your team.")
        born = await enrolments.enrol_audience(on, campaign, team, audience, priority, now)
        sums = promised(_answer(born.get("pending", 0), born.get("skipped", 0), ()))
    await _ring(means, row)
    return sums


async def enrol_new(means: Means, team: str, actor: str, campaign: str, values: Mapping[str, Any], priority: int = 0) -> Newcomer:
    """Create a contact and enrol it, both or neither. `values` are columns, as for `contacts.create`. Raises as `enrol_contacts`
    and `contacts.create`."""
    _check(priority, 1, "contact")
    now = means.clock.now()
    prepared = await contacts.prepare(means.database, team, values)
    async with transaction(means.database, actor) as on:
        row = await _open(on, team, campaign)
        contact = await contacts.add(on, prepared)
        born = await enrolments.enrol_these(on, campaign, team, [contact], priority, now)
        created = await people.find(on, team, contact)
        enrolment = await enrolments.of_contact(on, campaign, contact)
        assert created is not None
        added = born.get("pending", 0)
        newcomer = promised(Newcomer(created, enrolment["id"], enrolment["status"], _answer(added, 1 - added, ())))
    await _ring(means, row)
    return newcomer


async def _ready(means: Means, team: str, campaign: str) -> None:
    """Whoever has only a second number is enrolled with it: so that its place is known."""
    if await second_numbers.are_called(means.database.pool, campaign):
        await place_second_numbers(means.database.pool, team, rounds=None)


def _check(priority: int, count: int, field: str) -> None:
    if not 0 <= priority <= HIGHEST_PRIORITY:
        raise Invalid({"priority": f"is {priority}; send a number from 0 to {HIGHEST_PRIORITY}"})
    if not 1 <= count <= MOST_AT_ONCE:
        raise Invalid({field: f"asks for {count}; send 1 to {MOST_AT_ONCE}"})


async def _open(on: Transaction, team: str, campaign: str) -> Mapping[str, Any]:
    row = await held(on, team, campaign)
    if row["status"] in FINAL_CAMPAIGN:
        raise Conflict(f"The campaign is {row['status']}; contacts can only be added to one that may still call.")
    return row


async def _ring(means: Means, row: Mapping[str, Any]) -> None:
    if row["status"] == CampaignStatus.RUNNING:
        await means.ringer.wake([f"campaign:{row['id']}"])


def _answer(added: int, skipped: int, invalid: tuple[Mapping[str, str], ...]) -> Enrolled:
    parts = [f"{added} added"]
    if skipped:
        parts.append(f"{skipped} skipped (may not be called, or in the campaign already)")
    if invalid:
        parts.append(f"{len(invalid)} invalid")
    return Enrolled(added, skipped, invalid, ", ".join(parts) + ".")
