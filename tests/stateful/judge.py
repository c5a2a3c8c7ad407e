"""The judge: what the carrier's books say, held against what was promised. It asks the ledger only who an attempt belongs to."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import asyncpg

from adapters.simulated.carrier.journal import Entry
from dialer.domain.campaign import CLOCK_MARGIN_SECONDS
from dialer.domain.fence import FENCE_SECONDS
from scheduler.windows import daily
from tests.stateful.world import NUMBER_CAP, TEAM_CAP, TRUNK_CAP, World
from tests.support.laws import too_often
from tests.unit.scheduler.wall import shows_open

MARGIN = timedelta(seconds=30 + CLOCK_MARGIN_SECONDS)
"""How long before the window's end the last call may start: the ring timeout, and what clocks may differ by."""
FENCE = timedelta(seconds=FENCE_SECONDS)
SLACK = timedelta(seconds=3)
"""From a claim to its transmission, at the most."""


async def transmissions(world: World, known: Counter[str]) -> list[str]:
    """The attempts that the carrier was asked for since `known`, each judged by what holds at this moment. Updates `known`."""
    new = [attempt for attempt, times in world.carrier.requests.items() if times > known[attempt]]
    for attempt in new:
        assert world.carrier.requests[attempt] == 1, "the carrier was asked twice for one attempt"
        known[attempt] = 1
        row = await world.attempt(attempt)
        assert row is not None, "the carrier was asked for an attempt that is not in the book"
        _no_was_heard(world, row)
        _inside_the_window(world, row)
        await _not_dead(world, row)
        _when_it_was_asked_for(world, row)
        if entries := world.carrier.journal.by_attempt(attempt):
            _never_twice_and_never_over(world, row, entries[0])
    return new


def _no_was_heard(world: World, row: asyncpg.Record) -> None:
    promises, now = world.promises, world.moment.now()
    contact, campaign, number = row["contact_id"], row["campaign_id"], row["to_number"]
    assert contact not in promises.no_contact, "somebody was dialled after the answer to their do-not-call"
    assert campaign not in promises.stopped, "a campaign dialled after the answer to its pause or cancel"
    assert (contact, number) not in promises.replaced, "a number was dialled that is not the contact's any more"
    second = number == promises.seconds.get(contact)
    assert not (second and campaign in promises.first_only), "a second number was dialled after the answer that none is called"
    for scope, owner in (("global", None), ("team", world.team), ("campaign", campaign)):
        until = promises.suppressed.get((scope, owner, number), now)
        assert until is not None and until <= now, f"a number was dialled after the answer to its suppression ({scope})"


async def _not_dead(world: World, row: asyncpg.Record) -> None:
    dead = await world.pool.fetchval(
        """select count(*) from call_attempts where campaign_contact_id = $1 and to_number = $2 and attempt_no < $3
           and state = 'ended' and fault = 'number'""",
        row["campaign_contact_id"], row["to_number"], row["attempt_no"],
    )  # fmt: skip
    assert not dead, "a number was dialled again that nobody has"


def _when_it_was_asked_for(world: World, row: asyncpg.Record) -> None:
    now = world.moment.now()
    agreed = world.promises.callbacks.get((row["campaign_id"], row["contact_id"]), [])
    kept = any(since <= now and (until is None or now <= until + SLACK) for since, until in agreed)
    assert row["reason"] != "callback" or kept, "a callback before its time, or after it"


def zone_of(world: World, contact: str, number: str) -> str:
    """Where the number rings: in the contact's own zone, else where it says itself."""
    own = world.promises.zones.get(contact)
    return own or ("America/New_York" if number.startswith("+1") else "Europe/Berlin")


def _inside_the_window(world: World, row: asyncpg.Record) -> None:
    now = world.moment.now()
    zone = zone_of(world, row["contact_id"], row["to_number"])
    windows = [daily(*window) for window in world.promises.windows[row["campaign_id"]]]
    assert any(all(shows_open(w, zone, at) for at in (now, now + MARGIN - FENCE)) for w in windows), (
        "dialled outside the call window"
    )


def _never_twice_and_never_over(world: World, row: asyncpg.Record, entry: Entry) -> None:
    assert not entry.same_attempt, "a second call for one attempt"
    assert not entry.beside_live, "a second call to somebody who is in one"
    entries = world.entries()
    campaign, contact = row["campaign_id"], row["contact_id"]
    talked = [e for e in entries if e.answered_by == "human" and e.campaign == campaign and e.labels["contact"] == contact]
    asked_for = len(world.promises.callbacks.get((campaign, contact), []))
    assert len(talked) <= asked_for, "somebody was dialled again whom this campaign had reached, and who had not asked for it"
    live = [e for e in entries if e.ended is None]
    assert len([e for e in live if e.labels["contact"] == contact]) == 1, "two live calls to one person"
    assert len(live) <= min(TRUNK_CAP, TEAM_CAP), "over the cap of the trunk or team by the carrier's count"
    assert len([e for e in live if e.caller_id == entry.caller_id]) <= NUMBER_CAP, "over the cap of a caller ID"
    assert any(all(entry.attempt not in too_often(entries, cap) for cap in caps) for caps in world.promises.frequencies), (
        "somebody was called more often than the team's frequency caps let"
    )
    own = len([e for e in live if e.campaign == campaign])
    assert own <= max(world.promises.caps[campaign]), "over the cap of the campaign by the carrier's count"


async def slots_are_held(world: World) -> None:
    """Whoever is in a call by the carrier's books holds a slot; whoever was taken back is in none and never was."""
    up = [e.attempt for e in world.entries() if e.ended is None]
    gone = await world.pool.fetch("select id from call_attempts where id = any($1) and ended_at is not null", up)
    assert gone == [], "a slot was given back while its call is up"
    had = [e.attempt for e in world.entries()]
    back = await world.pool.fetch("select id from call_attempts where id = any($1) and state = 'recalled'", had)
    assert back == [], "an attempt was taken back although the carrier has its call"


async def nobody_lost(world: World) -> None:
    rows = await world.pool.fetch("select campaign_id, contact_id from campaign_contacts")
    assert {(r["campaign_id"], r["contact_id"]) for r in rows} == world.promises.enrolled, (
        "somebody is lost, or came from nowhere"
    )


async def at_rest(world: World) -> None:
    """Nothing is under way, and nobody is left in between."""
    assert world.carrier.journal.live == 0
    rows = await world.pool.fetch(
        "select id from campaign_contacts where status not in ('pending', 'completed', 'failed', 'skipped')"
    )
    assert rows == [], "somebody is left in between"


def open_now(world: World, campaign: str, zone: str, at: datetime) -> bool:
    return any(shows_open(daily(*window), zone, at) for window in world.promises.windows[campaign])
