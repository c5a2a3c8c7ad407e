"""Attempts in the ledger: the fence before a dial, what the carrier told, and every turn after it.

Rows in, values out, no decisions. Each call is one round trip and one commit for a whole batch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from adapters.events import CallEvent, Fault, Outcome, Phase
from dialer.domain.attempt import Progress, Turn
from dialer.domain.conclude import Standing
from dialer.domain.machine import AttemptState, CampaignStatus, ContactStatus
from dialer.domain.next_number import Number
from dialer.domain.reputation import sign_of
from dialer.domain.retry import Record, Refusals
from dialer.store.database import Pool
from dialer.store.statements import fetch, fetch_locking


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to dial one attempt now, and all that the dialling needs. `probes`: the open breakers it is the probe of."""

    attempt: str
    campaign: str
    enrolment: str
    contact: str
    trunk: str
    to_number: str
    from_number: str
    voice: str
    ring_seconds: int
    limit_seconds: int
    not_after: datetime
    first_name: str
    last_name: str
    probes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stand:
    """A `Standing` with what only the ledger and the preflight need beside it. `phone` is the number to call now, which may be
    another than the one that was claimed; None: the person has none that this campaign calls. `caller_id_active`: it may be
    shown, and does not rest. `capped_until` is for one that waits to be placed."""

    standing: Standing
    place_set: int
    enrolled_at: datetime
    campaign_version: int
    campaign_status: CampaignStatus
    pause_reason: str | None
    phone: str | None
    caller_id_active: bool
    assistant_enabled: bool
    capped_until: datetime | None


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A call that the carrier has or may have. `ref`: the carrier's id for it, None before it is known."""

    attempt: str
    trunk: str
    to_number: str
    ref: str | None
    placing_at: datetime


@dataclass(frozen=True, slots=True)
class Silent:
    """A live attempt about which the carrier must be asked."""

    attempt: str
    state: AttemptState
    trunk: str
    to_number: str
    ref: str | None
    placing_at: datetime
    ringing_at: datetime | None
    answered_at: datetime | None
    ring_seconds: int
    limit_seconds: int
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Turned:
    """A turn that was written. `bells` are the capped scopes it gave a slot back to."""

    attempt: str
    campaign: str
    freed: bool
    bells: tuple[str, ...]


async def place(pool: Pool, attempts: Mapping[str, str], now: datetime) -> list[Permit]:
    """Fence and intent: the permits of those of `attempts` (id → campaign id) that may be dialled. `now` is for the windows."""
    keys = sorted({f"campaign:{campaign}" for campaign in attempts.values()})
    rows = await fetch_locking(pool, "place", list(attempts), now, keys)
    return [
        Permit(
            r["id"], r["campaign_id"], r["campaign_contact_id"], r["contact_id"], r["trunk"], r["to_number"], r["from_number"],
            r["voice"], r["ring_seconds"], r["limit_seconds"], r["not_after"], r["first_name"], r["last_name"],
            tuple(r["probes"]),
        )
        for r in rows
    ]  # fmt: skip


async def accepted(pool: Pool, refs: Mapping[str, str]) -> None:
    """Keep the carrier's ids (attempt id → carrier's id)."""
    await fetch(pool, "accepted", list(refs), list(refs.values()))


async def refusals(pool: Pool, attempt: str) -> Refusals:
    """How a call to this attempt's enrolment was refused for its own sake before."""
    [r] = await fetch(pool, "refusals", attempt)
    return Refusals(r["n"], r["others"])


async def events_of(pool: Pool, attempts: Collection[str]) -> list[CallEvent]:
    """All that was ever told about these attempts, in the order in which it was written down."""
    return [
        CallEvent(
            Phase(r["phase"]), r["at"], r["attempt_id"], r["ref"], r["event_key"],
            outcome=Outcome(r["outcome"]) if r["outcome"] else None, fault=Fault(r["fault"]) if r["fault"] else None,
            cause=r["cause"], sip=r["sip"], q850=r["q850"], data=r["data"],
        )
        for r in await fetch(pool, "events_of", list(attempts))
    ]  # fmt: skip


async def standing(pool: Pool, attempts: Collection[str], now: datetime) -> dict[str, Stand]:
    """How these attempts stand; one that does not exist is not in the answer."""
    return {r["id"]: _stand(r, now) for r in await fetch(pool, "standing", list(attempts), now)}


def _stand(r: asyncpg.Record, now: datetime) -> Stand:
    progress = Progress(
        AttemptState(r["state"]),
        outcome=Outcome(r["outcome"]) if r["outcome"] else None,
        fault=Fault(r["fault"]) if r["fault"] else None,
        cause=r["cause"],
        ref=r["provider_ref"],
        ringing_at=r["ringing_at"],
        answered_at=r["answered_at"],
        ended_at=r["ended_at"],
        result=r["result"],
    )
    today = now.astimezone(UTC).date()
    return Stand(
        Standing(
            r["id"],
            r["campaign_id"],
            r["trunk"],
            r["to_number"],
            tuple(r["scopes"]),
            progress,
            ContactStatus(r["enrolment"]),
            Record(r["attempts"], r["excused"] if r["excused_day"] == today else 0),
            r["do_not_call"],
            r["suppressed_until"],
            r["both_numbers"],
            None if r["other"] is None else Number(r["other"], r["other_suppressed_until"], r["other_dead"]),
            r["replaced"],
            r["doubted"],
        ),
        r["place_set_id"],
        r["enrolled_at"],
        r["campaign_version"],
        CampaignStatus(r["campaign_status"]),
        r["pause_reason"],
        r["next_number"],
        r["caller_id_active"],
        r["outbound_enabled"],
        r["capped_until"],
    )


async def turn(pool: Pool, turns: Sequence[Turn], told: Sequence[tuple[str, CallEvent]], now: datetime) -> list[Turned]:
    """Write down what was `told` (trunk and event; of unknown attempts or by another trunk nothing is kept), and turns. A turn
    that is not in the answer lost a race, or its scope was locked: read again and decide again."""
    p = [t.progress for t in turns]
    events = (
        [e.attempt for _, e in told], [trunk for trunk, _ in told], [e.key for _, e in told], [e.phase for _, e in told],
        [e.at for _, e in told], [e.ref for _, e in told], [e.outcome for _, e in told], [e.fault for _, e in told],
        [e.cause for _, e in told], [e.sip for _, e in told], [e.q850 for _, e in told], [dict(e.data) for _, e in told],
    )  # fmt: skip
    if all(t.enrolment is None and t.progress.outcome is t.expected_outcome for t in turns):
        rows = await fetch_locking(
            pool, "advance", [t.attempt for t in turns], [t.expected for t in turns], [t.expected_outcome for t in turns],
            [q.state for q in p], [q.ref for q in p], [q.ringing_at for q in p], [q.answered_at for q in p],
            [_mapping(q.result) for q in p], *events,
        )  # fmt: skip
    else:
        rows = await fetch_locking(
            pool, "turn", now, sorted({key for t in turns if t.progress.ended_at is not None for key in t.scopes}),
            [t.attempt for t in turns], [t.expected for t in turns], [t.expected_outcome for t in turns], [q.state for q in p],
            [q.ref for q in p], [q.outcome for q in p], [q.fault for q in p], [q.cause for q in p], [t.reason for t in turns],
            [t.counted for t in turns], [q.ringing_at for q in p], [q.answered_at for q in p], [q.ended_at for q in p],
            [t.enrolment for t in turns], [t.enrolment_outcome for t in turns], [t.next_at for t in turns],
            [t.excused for t in turns], [t.reached for t in turns], [_mapping(q.result) for q in p],
            [None if q.outcome is None else sign_of(q.outcome) for q in p], [t.rule for t in turns],
            [t.to_number for t in turns], [t.both for t in turns], *events,
        )  # fmt: skip
    return [Turned(r["id"], r["campaign_id"], r["freed"], tuple(r["bells"])) for r in rows]


def _mapping(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else dict(value)


async def stale(pool: Pool) -> list[str]:
    """Attempts that were claimed more than two seconds ago and never placed."""
    return [r["id"] for r in await fetch(pool, "stale")]


async def unheard(pool: Pool) -> list[str]:
    """Live attempts whose ending is among their events."""
    return [r["id"] for r in await fetch(pool, "unheard")]


async def overdue(pool: Pool, silence: Mapping[str, float], now: datetime, *, most: int, every: float) -> list[Silent]:
    """Take on up to `most` attempts that have been silent for longer than their trunk's `silence` (seconds) allows, none more
    often than each `every` seconds. Whoever got it in the answer asks; nobody else does meanwhile."""
    rows = await fetch(pool, "overdue", list(silence), list(silence.values()), most, every, now)
    return [
        Silent(
            r["id"], AttemptState(r["state"]), r["trunk"], r["to_number"], r["provider_ref"], r["placing_at"], r["ringing_at"],
            r["answered_at"], r["ring_seconds"], r["limit_seconds"], r["not_after"],
        )
        for r in rows
    ]  # fmt: skip


async def gap(pool: Pool, trunks: Collection[str]) -> None:
    """Note that something which these trunks told until now may have been missed: what is live there becomes overdue once."""
    await fetch(pool, "gap", sorted(trunks))


async def under_way(pool: Pool, campaign: str) -> list[UnderWay]:
    """The calls of a campaign that the carrier has or may have."""
    rows = await fetch(pool, "calls_under_way", campaign)
    return [UnderWay(r["id"], r["trunk"], r["to_number"], r["provider_ref"], r["placing_at"]) for r in rows]


async def of_refs(pool: Pool, trunk: str, refs: Collection[str]) -> dict[str, str]:
    """The live attempts that this trunk's carrier knows by these ids: id of the carrier → attempt."""
    return {r["provider_ref"]: r["id"] for r in await fetch(pool, "attempts_of_refs", trunk, list(refs))}


async def newest_placed(pool: Pool, campaigns: Collection[str]) -> dict[str, datetime]:
    """When these campaigns' newest calls were placed; one that placed none lately is not in the answer."""
    return {r["id"]: r["at"] for r in await fetch(pool, "newest_placed", list(campaigns))}


async def hour(pool: Pool) -> datetime:
    """What the database's clock says."""
    [r] = await fetch(pool, "hour")
    told: datetime = r["hour"]
    return told


async def vitals(pool: Pool, now: datetime) -> tuple[int, int, float]:
    """Live attempts, those of them that are unknown, and by how many seconds `now` is ahead of the database's clock."""
    [r] = await fetch(pool, "vitals", now)
    return r["live"], r["unknown"], r["clock_offset"]
