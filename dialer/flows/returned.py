"""Who comes back to wait while a "no" is on its way to its answer.

What becomes of a contact after a call is decided by what is known before it is written: decided before the no and written after
it, the contact waits for a retry again. Nobody is dialled, for the dial asks once more; but until its time comes the contact
stands there as one that will be called. So whoever says no looks again after the fence, which is longer than it takes from a
decision to its writing; what takes longer, the dial finds. Of a long list only those are looked at who were in a call meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from dialer.store import callability, campaigns
from dialer.store.database import Database
from dialer.store.transaction import transaction


async def refuse_returned(
    database: Database, now: datetime, actor: str, contacts: Collection[str], *, for_all: bool = False
) -> list[str]:
    """Skip those of these contacts who wait although they may never be called; the scopes that were locked. `for_all`: the
    contacts may be of any team."""
    if not contacts:
        return []
    async with transaction(database, actor, for_all=for_all) as on:
        where = await callability.waiting_in(on, contacts)
        if not where:
            return []
        scopes = await campaigns.lock_with_queued(on, where)
        await callability.refuse_waiting(on, contacts, where, now)
    return scopes
