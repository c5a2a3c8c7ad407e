"""Storms: whom a trunk's storm took before it was seen comes back. Done by the sweep, from what is noted in the ledger, so that
neither a crash nor the number of processes matters; what follows for a contact `dialer.domain.reinstate` decides."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dialer.domain.campaign import CampaignRules, rules_of
from dialer.domain.machine import FINAL_CAMPAIGN, ContactStatus
from dialer.domain.reinstate import Killed, reinstate
from dialer.domain.retry import CallAgain, Record
from dialer.flows.campaigns.means import Wake
from dialer.store import callbacks, claims, storms
from dialer.store.database import Pool
from dialer.store.rows import Row
from dialer.store.storms import Correction, Struck

AT_ONCE = 500
"""Calls that a sweep corrects; the next one goes on."""

log = logging.getLogger(__name__)


class Storms:
    def __init__(self, pool: Pool, ringer: Wake) -> None:
        self._pool = pool
        self._ringer = ringer

    async def clear_up(self, now: datetime) -> int:
        """Correct what storms were believed; how many contacts are called again."""
        back: dict[str, int] = {}
        for campaign, attempts in (await storms.stormed(self._pool, AT_ONCE)).items():
            try:
                back[campaign] = await self._clear(campaign, attempts, now)
            except Exception:  # one campaign that is stuck must not hold up the others
                log.exception("campaign %s: whom a storm took could not be brought back; it is tried again", campaign)
        if called := {campaign: n for campaign, n in back.items() if n}:
            log.warning("called again after a storm: %s", ", ".join(f"{n} of {id}" for id, n in sorted(called.items())))
            await self._ringer.wake(f"campaign:{campaign}" for campaign in called)
        if back:
            await claims.rest(self._pool, back, now)
        for trunk in await storms.end(self._pool):
            log.info("the storm on trunk %s is over", trunk)
        return sum(back.values())

    async def _clear(self, campaign: str, attempts: Sequence[str], now: datetime) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            await callbacks.lock(connection, [campaign])
            row = await callbacks.campaign(connection, campaign)
            struck = await storms.blame(connection, attempts)
            found = await storms.found(connection, struck, now)
            corrections = [_correction(each, struck[each["id"]], row, now) for each in found]
            await storms.correct(connection, corrections, now)
        return sum(each.at is not None for each in corrections)


def _correction(found: Row, struck: Struck, campaign: Mapping[str, Any], now: datetime) -> Correction:
    if found["status"] != ContactStatus.FAILED or found["attempt_seq"] != struck.newest:
        return Correction(found["id"], struck)
    decision = reinstate(
        Killed(
            Record(found["attempts"] - struck.counted, storms.excused_today(found, now) + struck.calls - 1),
            found["created_at"],
            found["number"] is not None,
            found["until"],
            found["do_not_call"],
            campaign["status"] in FINAL_CAMPAIGN,
            _rules(campaign),
        ),
        now,
    )
    if not isinstance(decision, CallAgain):
        return Correction(found["id"], struck, decision.reason)
    return Correction(found["id"], struck, decision.reason, decision.at, found["number"], found["place"])


def _rules(campaign: Mapping[str, Any]) -> CampaignRules | None:
    try:
        return rules_of(campaign)
    except ValueError:
        return None
