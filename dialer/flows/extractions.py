"""Extractions: what a call told of its contact becomes the contact's, beside the calls.

The ledger notes it in the commit that keeps what the carrier told; here it is judged by `dialer.domain.extracted` as the contact
stands by then, under the contact's lock: against a change by a person it comes wholly before or wholly after, and that person's
word stays. It writes what a call may change and what is noted with that, and nothing that decides whom, where or when to call.
Told again, late or in parts, it is written once, and audited by the names of the fields. Nothing that dials waits for it.
"""

from __future__ import annotations

import logging

from dialer.domain import extracted
from dialer.store import extractions
from dialer.store.database import Pool
from scheduler.clock import Clock

EVERY_SECONDS = 1.0
AT_ONCE = 100
"""Events that are looked at in one statement."""
MOST = 2_000
"""Events of one round; the next one goes on."""

log = logging.getLogger(__name__)


class Extractions:
    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def judge(self) -> int:
        """Judge what was told since; of how many calls. A contact that somebody else holds is left for the next round, and so is
        what cannot be judged; it holds up nothing behind it."""
        after = done = seen = 0
        while seen < MOST:
            found = await extractions.unjudged(self._pool, after, AT_ONCE)
            for attempt in dict.fromkeys(attempt for _, attempt in found):
                try:
                    done += await self._judge(attempt)
                except Exception:
                    log.exception("attempt %s: what it told of its contact could not be judged; it is tried again", attempt)
            seen += len(found)
            if len(found) < AT_ONCE:
                break
            after = found[-1][0]
        return done

    async def _judge(self, attempt: str) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            held = await extractions.hold(connection, attempt)
            if held is None:
                return False
            told = await extractions.tellings(connection, attempt)
            if all(each.lines is not None for each in told):
                return False  # another scheduler has
            names = {name for each in told for name in each.values}
            fields, extractable = await extractions.definitions(connection, held.team, names)
            judgement = extracted.judge(held.call, told, held.person, fields, extractable)
            await extractions.write(connection, held, judgement, self._clock.now())
        return True
