"""Calls as people see them: attempts with their events and their history. Rows out, no decisions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, select

from dialer.domain.cursor import After
from dialer.store.rows import Row, all_rows, row_or_none
from dialer.store.tables import call_attempts, call_events, callback_asks, campaigns, extractions, history, transcripts
from dialer.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Which:
    """Filters; None = any. `outcomes` are the carrier's words; `since` ≤ released < `until`."""

    campaign: str | None = None
    contact: str | None = None
    outcomes: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None


def _calls() -> Select[Any]:
    """Attempts with the `kind` of their campaign, and the `metadata` of a direct call."""
    return select(call_attempts, campaigns.c.kind, campaigns.c.metadata).join(
        campaigns, campaigns.c.id == call_attempts.c.campaign_id
    )


async def listing(
    on: Transaction, team: str, which: Which, *, limit: int, offset: int, after: After | None = None
) -> tuple[list[Row], int]:
    """One page, newest first, and how many there are in all. An attempt that was taken back was no call."""
    c = call_attempts.c
    wanted = [c.team_id == team, c.state != "recalled"]
    if which.campaign is not None:
        wanted.append(c.campaign_id == which.campaign)
    if which.contact is not None:
        wanted.append(c.contact_id == which.contact)
    if which.outcomes is not None:
        wanted.append(c.outcome.in_(list(which.outcomes)))
    if which.since is not None:
        wanted.append(c.claimed_at >= which.since)
    if which.until is not None:
        wanted.append(c.claimed_at < which.until)
    count = await on.scalar(select(func.count()).select_from(call_attempts).where(and_(*wanted)))
    if after is not None:
        wanted.append(c.id < after[0])
    page = _calls().where(and_(*wanted)).order_by(c.id.desc()).limit(limit).offset(offset)
    return all_rows(await on.execute(page)), count or 0


async def recent(on: Transaction, campaign: str, limit: int) -> list[Row]:
    """The campaign's newest calls."""
    c = call_attempts.c
    wanted = _calls().where(c.campaign_id == campaign, c.state != "recalled").order_by(c.id.desc()).limit(limit)
    return all_rows(await on.execute(wanted))


async def find(on: Transaction, team: str, call: str) -> Row | None:
    wanted = _calls().where(call_attempts.c.id == call, call_attempts.c.team_id == team)
    return row_or_none(await on.execute(wanted))


async def events(on: Transaction, call: str) -> list[Row]:
    """All that the carrier told, in the order in which it was written down."""
    wanted = select(call_events).where(call_events.c.attempt_id == call).order_by(call_events.c.id)
    return all_rows(await on.execute(wanted))


async def callback_asked(on: Transaction, call: str) -> Row | None:
    """What became of the callback that the call asked for: `verdict` (null = not judged yet) and `callback_at`."""
    c = callback_asks.c
    return row_or_none(await on.execute(select(c.verdict, c.callback_at).where(c.attempt_id == call)))


async def told_of_contact(on: Transaction, call: str) -> list[Row]:
    """What the call told of its contact, an event a row: `event_id`, `at`, `adapter`, `told`, and `verdicts` (null: not
    yet judged)."""
    x, e = extractions.c, call_events.c
    wanted = select(x.event_id, e.at, e.adapter, e.data["extracted"].label("told"), x.verdicts).join(
        call_events, e.id == x.event_id
    )
    return all_rows(await on.execute(wanted.where(x.attempt_id == call)))


async def transcript_asked(on: Transaction, call: str) -> Row | None:
    """What became of asking the call's newest transcript: `outcome` (null = not yet), `tries`, `asked_at`, `fault`, `dropped`."""
    c = transcripts.c
    wanted = select(c.outcome, c.tries, c.asked_at, c.fault, c.dropped).where(
        c.attempt_id == call, c.outcome.is_distinct_from("superseded")
    )
    return row_or_none(await on.execute(wanted.order_by(c.event_id.desc()).limit(1)))


async def turns(on: Transaction, call: str) -> list[Row]:
    """Every change of the attempt: when, from, to, why and by whom."""
    wanted = select(history).where(history.c.entity_id == call).order_by(history.c.id)
    return all_rows(await on.execute(wanted))
