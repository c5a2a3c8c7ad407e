"""Opt-outs: whoever says in a call that they do not want to be called again is taken out of every campaign.

That nobody dials them any more is the ledger's own doing, in the commit that keeps what the carrier told. What is left to do is
that they do not stand anywhere as waiting: their enrolments are skipped, and campaigns that have nobody else left come to an end.
"""

from __future__ import annotations

import logging

from dialer.domain.fence import FENCE_SECONDS
from dialer.flows.campaigns.means import Wake
from dialer.flows.returned import refuse_returned
from dialer.store import claims, opt_outs
from dialer.store.database import Database
from scheduler.clock import Clock

AT_ONCE = 50
"""Opt-outs that a sweep looks at; the next one goes on."""

ACTOR = "call"
"""Who is to blame for what follows from a call."""

log = logging.getLogger(__name__)


class OptOuts:
    """What the sweep does for them."""

    def __init__(self, database: Database, ringer: Wake, clock: Clock) -> None:
        self._database = database
        self._ringer = ringer
        self._clock = clock

    async def withdraw(self) -> int:
        """Skip those who wait although they opted out, once whatever was decided before has been written; how many opt-outs were
        looked at."""
        found = await opt_outs.unheard(self._database.pool, FENCE_SECONDS, AT_ONCE)
        if not found:
            return 0
        people = {contact for each in found for contact in each.contacts}
        scopes = await refuse_returned(self._database, self._clock.now(), ACTOR, people, for_all=True)
        await opt_outs.withdrawn(self._database.pool, [each.attempt for each in found], self._clock.now())
        log.info("opted out in a call: %s", ", ".join(each.attempt for each in found))
        campaigns = [scope.partition(":")[2] for scope in scopes if scope.startswith("campaign:")]
        await claims.rest(self._database.pool, campaigns, self._clock.now())
        await self._ringer.wake(scopes)
        return len(found)
