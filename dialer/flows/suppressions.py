"""Numbers that may not be called: add, list, take away.

Adding one stops the calls to it that are not placed yet, in the same transaction, and answers after the fence: from then on no
call to that number starts where the entry holds. An entry with an end puts its contacts off until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dialer.domain.cursor import After
from dialer.domain.errors import Invalid, NotFound
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.phone import phone_of
from dialer.flows.campaigns.look import found
from dialer.flows.campaigns.means import Means
from dialer.flows.returned import refuse_returned
from dialer.flows.teams import find_team
from dialer.store import audit, campaigns, suppressions
from dialer.store.database import Database
from dialer.store.receipts import promised
from dialer.store.suppressions import Entry, Scope
from dialer.store.transaction import reading, transaction


async def suppress(means: Means, actor: str, entry: Entry) -> Mapping[str, Any]:
    """The entry's row. `entry.number` may be spelled in any way that is read in the team's region; adding a number again
    overwrites reason, source and expiry. Raises `Invalid`, or `NotFound` for a campaign of another team."""
    now = means.clock.now()
    entry = replace(entry, number=await _e164(means.database, entry.team, entry.number))
    if entry.expires_at is not None and entry.expires_at <= now:
        raise Invalid({"expiresAt": "lies in the past; send a time to come, or leave it out for ever"})
    async with transaction(means.database, actor, for_all=entry.team is None) as on:
        if entry.scope == "campaign":
            if entry.campaign is None or entry.team is None:
                raise Invalid({"campaignId": "is required for the scope campaign"})
            await found(on, entry.team, entry.campaign)
        elif entry.campaign is not None:
            raise Invalid({"campaignId": "is only for the scope campaign; leave it out"})
        where = await suppressions.campaigns_to_call(on, entry)
        scopes = await campaigns.lock_with_queued(on, where)
        row = await suppressions.put(on, entry)
        people = await suppressions.contacts_at(on, entry)
        await suppressions.stop_calling(on, entry, where, scopes, now)
        detail = {"scope": entry.scope}
        await audit.record(on, team_id=entry.team, actor=actor, action="suppression.added", entity_id=row["id"], detail=detail)
        promised(row)
    await means.pause(FENCE_SECONDS)
    back = await refuse_returned(means.database, means.clock.now(), actor, people, for_all=entry.team is None)
    await means.ringer.wake({*scopes, *back})
    return row


async def list_suppressions(
    database: Database,
    team: str | None,
    *,
    number: str | None = None,
    campaign: str | None = None,
    scope: Scope | None = None,
    limit: int = 50,
    offset: int = 0,
    after: After | None = None,
) -> tuple[list[Mapping[str, Any]], int]:
    """One page of the team's own entries (None = of the global ones), newest first, and the count of all that match. Raises
    `Invalid` for a `number` that is none."""
    number = None if number is None else await _e164(database, team, number)
    async with reading(database, for_all=team is None) as on:
        return await suppressions.listing(
            on, team, number=number, campaign=campaign, scope=scope, limit=limit, offset=offset, after=after
        )


async def lift(means: Means, team: str | None, actor: str, suppression: str) -> Mapping[str, Any]:
    """Take an entry of a team away, or a global one (`team` None). Who was skipped because of it stays skipped; who was put off
    may be called again. Raises `NotFound`."""
    now = means.clock.now()
    async with transaction(means.database, actor, for_all=team is None) as on:
        row = await suppressions.remove(on, team, suppression)
        if row is None:
            raise NotFound(f"There is no suppression {suppression}; list your suppressions to find its id.")
        await audit.record(on, team_id=team, actor=actor, action="suppression.lifted", entity_id=suppression)
        entry = Entry(row["scope"], row["team_id"], row["campaign_id"], row["phone_number"], expires_at=row["expires_at"])
        where = await suppressions.campaigns_to_call(on, entry) if entry.expires_at is not None else []
        await campaigns.lock(on, [f"campaign:{campaign}" for campaign in where])
        await suppressions.call_again(on, entry, where, now)
    await means.ringer.wake(f"campaign:{campaign}" for campaign in where)
    return row


async def _e164(database: Database, team: str | None, written: str) -> str:
    """A global entry belongs to no team, so its number needs its country code."""
    region = "" if team is None else (await find_team(database, team)).default_region
    return phone_of(written, region, "phoneNumber")
