"""What other services ask for through the queue instead of HTTP: run a campaign, dial a contact.

The flows are those of the HTTP routes, and so are the receipts: a key that was used through one door is used up for the other.
The team is the campaign's own, for whoever can write to the queue is trusted with all of them.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dialer.domain.errors import Conflict, NotFound
from dialer.domain.idempotency import Fingerprint, checked
from dialer.flows.campaigns.means import Running, Wake
from dialer.flows.campaigns.run import run_campaign
from dialer.flows.enrolment import enrol_contacts
from dialer.store import campaigns, contacts, receipts
from dialer.store.claims import Claimed, Prospect
from dialer.store.database import Database
from dialer.store.receipts import AlreadyDone, Receipt, UnderWay
from dialer.store.transaction import reading
from scheduler.clock import Clock

ANY_SCOPE = ["*"]


@dataclass(frozen=True, slots=True)
class Desk:
    """`Running`, for whoever has no HTTP."""

    database: Database
    clock: Clock
    ringer: Wake
    trunks: Mapping[str, Any]
    pause: Callable[[float], Awaitable[None]]
    release: Callable[[str], Awaitable[Sequence[Claimed]]]
    preview: Callable[[str, int | None], Awaitable[Sequence[Prospect]]]


class Unready(Exception):
    """The same request is being carried out elsewhere at this moment; ask again."""


async def run_requested(means: Running, campaign: str, max_calls: int | None, key: str) -> bool:
    """As POST `/campaigns/{id}/run`. False when the key says that it was done before. Raises `Refused`, `Unready`."""

    async def work(team: str) -> None:
        await run_campaign(means, team, "job:run_campaign", campaign, max_calls=max_calls)

    return await _once(means, campaign, key, ("run_campaign", campaign, max_calls), work)


async def dial_requested(means: Running, campaign: str, contact: str, priority: int, key: str) -> bool:
    """Enrol a contact, due at once; one that is enrolled already stays as it is. False when the key says that it was done before.
    Raises `Refused`, `Unready`."""

    async def work(team: str) -> None:
        async with reading(means.database) as on:  # beforehand, for what was refused must leave no receipt
            if await contacts.find(on, team, contact) is None:
                raise NotFound("contact_id: there is no such contact in the campaign's team.")
        await enrol_contacts(means, team, "job:dial_contact", campaign, [contact], priority)

    return await _once(means, campaign, key, ("dial_contact", campaign, contact, priority), work)


async def _once(
    means: Running, campaign: str, key: str, said: tuple[object, ...], work: Callable[[str], Awaitable[None]]
) -> bool:
    checked([key])
    team = await campaigns.team_of(means.database.pool, campaign)
    if team is None:
        raise NotFound("campaign_id: there is no such campaign.")
    mark = Fingerprint("JOB", json.dumps(said))
    kept = await receipts.find(means.database.pool, team, key)
    if kept is None:
        try:
            with receipts.carried(Receipt(team, key, mark, ANY_SCOPE)):
                await work(team)
        except UnderWay as fault:
            raise Unready from fault
        except AlreadyDone:
            kept = await receipts.find(means.database.pool, team, key)
        else:
            return True
    if kept is None or kept.fingerprint != mark.digest():
        raise Conflict("idempotency_key: this key was used for another request; draw a new key for each request.")
    return False
