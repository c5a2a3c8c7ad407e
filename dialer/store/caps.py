"""Frequency caps in the ledger: how a lane's caps are written down, whom they hold back, and the calls they count."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from dialer.store.claims import Claim, literal
from dialer.store.database import Pool
from dialer.store.statements import fetch, fetch_locking
from dialer.store.transaction import Transaction
from dialer.store.written import written
from scheduler.frequency import FrequencyCap, History, Past

HOLD_FIRST = 32
"""Contacts of a campaign that are looked at first: mostly one call was made elsewhere, and one of them waits for it."""

HOLD_AT_ONCE = 2000
"""Contacts that are looked at in one statement at the most, behind which the campaign's claims wait."""

HOLD_ROUNDS = 10
"""How many such statements one release makes; the next one goes on."""

LONGEST_CALL = timedelta(hours=25)
"""A call may last a day (`maxCallDurationMinutes`), and it is its end from which a conversation counts."""


async def hold(pool: Pool, claims: Sequence[Claim], now: datetime) -> int:
    """Put off those at the heads of these claims' lines whom a cap holds back, until there are as many whom none does as each
    claim wants, in ever longer steps; how many were put off."""
    put_off, left = 0, list(claims)
    most = min(max(HOLD_FIRST, *(2 * c.release.count for c in left)), HOLD_AT_ONCE)
    for _ in range(HOLD_ROUNDS):
        lanes = [(c.campaign.id, lane.place_set, lane.priority, literal(lane.caps)) for c in left for lane in c.release.lanes]
        rows = await fetch_locking(
            pool, "hold", now, sorted(f"campaign:{c.campaign.id}" for c in left), [c.campaign.id for c in left],
            [c.rules.version for c in left], *([lane[i] for lane in lanes] for i in range(4)), most,
        )  # fmt: skip
        put_off += sum(r["held"] for r in rows)
        met = {r["campaign_id"]: r["held"] for r in rows if r["held"] and r["seen"] == most}
        left = [c for c in left if c.campaign.id in met and most - met[c.campaign.id] < c.release.count]
        if not left:
            break
        most = min(4 * most, HOLD_AT_ONCE)
    return put_off


async def histories(
    pool: Pool, team: str, pairs: Sequence[tuple[str, str]], caps: Collection[FrequencyCap], now: datetime
) -> list[History]:
    """For each pair of a number and a person of the team, the calls that any of `caps` may count at `now`."""
    if not caps or not pairs:
        return [History()] * len(pairs)
    since = now - max(cap.span for cap in caps) - LONGEST_CALL
    rows = await fetch(pool, "calls_counted", team, [number for number, _ in pairs], [person for _, person in pairs], since)
    of_number: list[list[Past]] = [[] for _ in pairs]
    of_person: list[list[Past]] = [[] for _ in pairs]
    for r in rows:
        past = Past(r["placed"], r["spoken"])
        if r["of_number"]:
            of_number[r["nth"] - 1].append(past)
        if r["of_person"]:
            of_person[r["nth"] - 1].append(past)
    return [History(tuple(number), tuple(person)) for number, person in zip(of_number, of_person, strict=True)]


async def look_again(on: Transaction, campaigns: Collection[str], now: datetime) -> int:
    """Those of these campaigns, which are locked, whom a cap held back until later are due again, and the claim decides anew by
    the caps that now hold: how many. They were due when they were put off."""
    statement = written("""
        update campaign_contacts set next_attempt_at = :now, reason = null
        where campaign_id = any(:campaigns) and waiting and reason = 'frequency_cap' and next_attempt_at > :now""")
    return (await on.execute(statement, {"campaigns": list(campaigns), "now": now})).rowcount
