"""The scheduler's half of the ledger: what could be dialled, and the claim that takes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import asyncpg

from adapters.failpoints import failpoint_during
from dialer.domain.campaign import CampaignRules
from dialer.store.database import Pool
from dialer.store.places import place_of
from dialer.store.statements import fetch, fetch_locking
from scheduler.areas import area_of
from scheduler.frequency import FrequencyCap
from scheduler.matching import Callee, Offer, match, turns
from scheduler.places import Place
from scheduler.planner import CallerId, Release
from scheduler.slow_start import allowed

FLEET = "fleet"
"""The key of the semaphore of all calls, which exists only where it is configured."""

EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Before anybody was enrolled."""

LaneKey: TypeAlias = tuple[str, int, int]
"""Campaign, place set, priority."""

Head: TypeAlias = tuple[datetime, str]
"""Who a lane's line begins with: when that enrolment is due, and its id."""

FRONT: Head = (EVER, "")

EXPIRE_AT_ONCE = 2000
"""Contacts that expire in one statement, behind which their campaigns' claims wait."""

EXPIRE_ROUNDS = 10
"""How many such statements make a sweep; the next one goes on."""


@dataclass(frozen=True, slots=True)
class DueCampaign:
    """A running campaign with due lanes and a free slot. `lanes`: (place set, priority, pending). `numbers`: its active caller
    IDs of its trunk. `scopes`: the semaphores that all its attempts take, besides their caller ID's. `rooms`: scope key → free
    slots, for those that are limited. `held`: scope key → seconds until its open breaker is tried next. `retries`: somebody waits
    who was called before, and may have been shown one of several numbers."""

    id: str
    team: str
    assistant: str
    trunk: str
    version: int
    live: int
    lanes: tuple[tuple[int, int, int], ...]
    numbers: tuple[CallerId, ...]
    scopes: tuple[str, ...]
    rooms: Mapping[str, int]
    held: Mapping[str, float]
    retries: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A release with what its attempts inherit from the campaign."""

    release: Release
    campaign: DueCampaign
    rules: CampaignRules


@dataclass(frozen=True, slots=True)
class Claimed:
    """`calls_per_second`: the campaign's limit, None where it has none."""

    attempt: str
    enrolment: str
    campaign: str
    contact: str
    trunk: str
    to_number: str
    from_number: str
    calls_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a claim took: the attempts that now exist, and who each of their lanes began with. `held`: the campaigns in which it
    met somebody whom a frequency cap holds back, and put off."""

    claimed: list[Claimed]
    heads: dict[LaneKey, Head]
    held: frozenset[str]


async def due(
    pool: Pool, now: datetime, bells: Collection[str] | None, as_if: str | None = None, doubling: float = 0
) -> list[DueCampaign]:
    """Campaigns that have something due and a free slot; `bells` None = all, else those that wait on one of these keys. The
    campaign `as_if` is looked at as if it were running and its run unlimited. `doubling`: seconds in which slow start doubles
    calls at once, 0 = it is off."""
    rows = await fetch(pool, "due", now, None if bells is None else list(bells), as_if)
    shared: dict[tuple[str, ...], tuple[CallerId, ...]] = {}
    return [_due(r, shared, doubling) for r in rows]


def _due(r: asyncpg.Record, shared: dict[tuple[str, ...], tuple[CallerId, ...]], doubling: float) -> DueCampaign:
    """`shared`: the caller IDs of the rows before, for ten thousand campaigns have few that differ."""
    ids = tuple(r["ids"])
    numbers = shared.get(ids)
    if numbers is None:
        numbers = shared[ids] = tuple(
            CallerId(id, number, weight, f"number:{id}")
            for id, number, weight in zip(ids, r["numbers"], r["weights"], strict=True)
        )
    rooms = {number.scope: room for number, room in zip(numbers, r["number_rooms"], strict=True) if room is not None}
    scopes = (f"assistant:{r['assistant_id']}", f"campaign:{r['id']}", f"team:{r['team_id']}", f"trunk:{r['trunk']}", FLEET)
    own_room = _slow(r["campaign_room"], r["live"], r["began"], doubling)
    trunk_room = _slow(r["trunk_room"], r["trunk_live"], r["trunk_began"], doubling)
    shared_rooms = (r["assistant_room"], own_room, r["team_room"], trunk_room, r["fleet_room"])
    rooms |= {key: room for key, room in zip(scopes, shared_rooms, strict=True) if room is not None}
    held: dict[str, float] = {}
    if r["held"]:
        held = dict(zip(r["held"], r["held_for"], strict=True))
        rooms |= _probes(held, rooms)
    return DueCampaign(
        r["id"],
        r["team_id"],
        r["assistant_id"],
        r["trunk"],
        r["rules_version"],
        r["live"],
        tuple(zip(r["place_sets"], r["priorities"], r["pending"], strict=True)),
        numbers,
        scopes,
        rooms,
        held,
        r["retries"],
    )


def _slow(room: int | None, live: int, began: float | None, doubling: float) -> int | None:
    """The room of a scope that began anew so many seconds ago."""
    most = None if began is None else allowed(began, doubling)
    if most is None:
        return room
    return max(most - live, 0) if room is None else min(max(most - live, 0), room)


def _probes(held: Mapping[str, float], rooms: Mapping[str, int]) -> dict[str, int]:
    """The room of scopes whose breaker is open: one for the probe when its time has come."""
    return {key: 0 if wait > 0 or rooms.get(key) == 0 else 1 for key, wait in held.items()}


async def rules(pool: Pool, campaigns: Collection[str]) -> list[asyncpg.Record]:
    """The rows `dialer.domain.campaign.rules_of` reads."""
    return await fetch(pool, "rules", list(campaigns))


async def places(pool: Pool, place_sets: Collection[int]) -> dict[int, Place]:
    return {r["id"]: place_of(r) for r in await fetch(pool, "places", list(place_sets))}


async def claim(
    pool: Pool,
    claims: Sequence[Claim],
    now: datetime,
    heads: Mapping[LaneKey, Head],
    *,
    wait: bool = True,
    lasting: bool = False,
) -> Taken:
    """Release. Fewer than asked for where slots, contacts or locks were taken meanwhile; without `wait` a lock that somebody
    has is one that was taken. Who comes before a lane's head in `heads` is not looked at.

    `lasting`: they have survived a crash of Postgres when this returns. Else they will have by the time one is placed, for that
    commit waits for the disk and for all before it; a crash before leaves the contacts as if they had never been claimed.
    """
    keys = {key for c in claims for key in c.campaign.scopes}
    keys |= {f"number:{number}" for c in claims for number, _ in c.release.caller_ids}
    keys |= {f"number:{number}" for c in claims for number in c.release.most}
    lanes = [(c.campaign.id, lane) for c in claims for lane in c.release.lanes]
    begin = [heads.get((campaign, lane.place_set, lane.priority), FRONT) for campaign, lane in lanes]
    ranked = [(c.campaign.id, rank, *slot) for c in claims for rank, slot in enumerate(slots(c), start=1)]
    offered = [
        (c.campaign.id, o.id, numbers[o.id], o.weight, o.most, o.had, o.area, o.sticky)
        for c in claims if c.release.most for numbers in [_numbers(c)] for o in offers(c)
    ]  # fmt: skip
    work = fetch_locking(
        pool, "claim", now, sorted(keys),
        *_columns([
            (c.campaign.id, c.release.count, c.campaign.team, c.campaign.trunk, c.campaign.assistant, c.rules.version,
             c.rules.ring_seconds, c.rules.limit_seconds) for c in claims
        ], 8),
        *_columns([(campaign, lane.place_set, lane.priority, lane.not_after) for campaign, lane in lanes], 4),
        *_columns([slot[:4] for slot in ranked], 4), lasting, [_enrolled_after(c.rules, now) for c in claims],
        *_columns(begin, 2), [turn for *_, turn in ranked], *_columns(offered, 8),
        any(c.rules.local_presence for c in claims if c.release.most),
        [", ".join(lane.rules) or None for _, lane in lanes], [literal(lane.caps) for _, lane in lanes], wait=wait,
    )  # fmt: skip
    rows = await failpoint_during("K9", work)
    paces = {c.campaign.id: c.rules.calls_per_second for c in claims}
    claimed = [
        Claimed(
            r["id"], r["campaign_contact_id"], r["campaign_id"], r["contact_id"], r["trunk"], r["to_number"], r["from_number"],
            paces[r["campaign_id"]],
        )
        for r in rows
        if r["id"] is not None
    ]  # fmt: skip
    seen = {(r["campaign_id"], r["place_set_id"], r["priority"]): (r["first_at"], r["first_id"]) for r in rows if r["id"]}
    return Taken(claimed, seen, frozenset(r["campaign_id"] for r in rows if r["id"] is None))


def lanes_of(claims: Iterable[Claim]) -> list[LaneKey]:
    """The lanes that these claims look into."""
    return [(c.campaign.id, lane.place_set, lane.priority) for c in claims for lane in c.release.lanes]


def literal(caps: Collection[FrequencyCap]) -> str | None:
    """Caps as `held_until` of the ledger reads them: calls, seconds, by person, conversations; None = none."""
    if not caps:
        return None
    rows = {(c.calls, int(c.span.total_seconds()), int(c.per == "person"), int(c.counts == "conversations")) for c in caps}
    return "{" + ",".join("{" + ",".join(map(str, row)) + "}" for row in sorted(rows)) + "}"


@dataclass(frozen=True, slots=True)
class Prospect:
    """A call that a release would make now."""

    enrolment: str
    contact: str
    to_number: str
    from_number: str


async def peek(pool: Pool, claim: Claim, most: int | None, now: datetime) -> list[Prospect]:
    """What `claim` would take now, in its order, of a run that has `most` calls left (None = no limit). Takes nothing and locks
    nothing."""
    lanes = claim.release.lanes
    count = claim.release.count if most is None else min(most, claim.release.count)
    rows = await fetch(pool, "peek", now, claim.campaign.id, count, [o.place_set for o in lanes], [o.priority for o in lanes],
                       _enrolled_after(claim.rules, now), [literal(o.caps) for o in lanes])  # fmt: skip
    callees = [Callee(r["to_number"], r["last_number_id"]) for r in rows]
    shown = match(callees, offers(claim), [number for number, _, _ in slots(claim)])
    numbers = _numbers(claim)
    return [
        Prospect(r["id"], r["contact_id"], r["to_number"], numbers[number])
        for r, number in zip(rows, shown, strict=True)
        if not r["busy"]
    ]


def _enrolled_after(rules: CampaignRules, now: datetime) -> datetime:
    """Whoever was enrolled after this has not expired."""
    return EVER if rules.expiry is None else now - rules.expiry


def _numbers(claim: Claim) -> dict[str, str]:
    return {number.id: number.number for number in claim.campaign.numbers}


def slots(claim: Claim) -> Iterable[tuple[str, str, int]]:
    """The caller IDs in turn, by their weights, so that a short claim is spread over them as well: id, number, and which turn of
    this number it is, from 1."""
    release, numbers = claim.release, _numbers(claim)
    weights = {number.id: number.weight for number in claim.campaign.numbers}
    passed: Counter[str] = Counter()
    for number in turns(release.caller_ids, weights, release.had):
        passed[number] += 1
        yield number, numbers[number], passed[number]


def offers(claim: Claim) -> list[Offer]:
    """The numbers to which contacts of the campaign may be tied; none where nothing ties them."""
    release, rules = claim.release, claim.rules
    return [
        Offer(
            number.id,
            number.weight,
            release.most[number.id],
            release.had.get(number.id, 0.0),
            area_of(number.number) if rules.local_presence else None,
            rules.sticky,
        )
        for number in claim.campaign.numbers
        if number.id in release.most
    ]


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    columns: list[list[Any]] = [[] for _ in range(width)]
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns


async def tighten(pool: Pool, lanes: Sequence[LaneKey]) -> None:
    """Set when these lanes have something due next, after a claim found them emptier than they looked. Without it they would be
    read in vain at every tick."""
    columns = _columns(lanes, 3)
    async with pool.acquire() as connection, connection.transaction():
        await fetch(connection, "lock_lanes", *columns)
        await fetch(connection, "tighten", *columns)


async def start_scheduled(pool: Pool, now: datetime) -> list[str]:
    """Campaigns whose appointed time has come, now running."""
    starting = [r["id"] for r in await fetch(pool, "starting", now)]
    if not starting:
        return []
    async with pool.acquire() as connection, connection.transaction():
        await fetch(connection, "lock_scopes", [f"campaign:{campaign}" for campaign in sorted(starting)])
        return [r["id"] for r in await fetch(connection, "start_scheduled", starting, now)]


async def end(pool: Pool, now: datetime) -> list[str]:
    """Campaigns whose end has come, now paused. What is released of them is not placed any more and taken back."""
    ending = [r["id"] for r in await fetch(pool, "ending", now)]
    if not ending:
        return []
    async with pool.acquire() as connection, connection.transaction():
        await fetch(connection, "lock_scopes", [f"campaign:{campaign}" for campaign in sorted(ending)])
        return [r["id"] for r in await fetch(connection, "end", ending, now)]


async def expire(pool: Pool, now: datetime) -> dict[str, int]:
    """Skip whoever has waited too long, in several commits: campaign id → how many."""
    gone: Counter[str] = Counter()
    for _ in range(EXPIRE_ROUNDS):
        late = [r["id"] for r in await fetch(pool, "expiring", now)]
        if not late:
            break
        async with pool.acquire() as connection, connection.transaction():
            await fetch(connection, "lock_scopes", [f"campaign:{campaign}" for campaign in late])
            gone.update(r["campaign_id"] for r in await fetch(connection, "expire", late, now, EXPIRE_AT_ONCE))
    return gone


async def rest(pool: Pool, campaigns: Collection[str], now: datetime) -> dict[str, str]:
    """Complete those of these campaigns in which nothing is left, pause those whose run is used up: id → new status."""
    ended = [r["id"] for r in await fetch(pool, "quiet", list(campaigns))]
    if not ended:
        return {}
    async with pool.acquire() as connection, connection.transaction():
        await fetch(connection, "lock_scopes", [f"campaign:{campaign}" for campaign in sorted(ended)])
        return {r["id"]: r["status"] for r in await fetch(connection, "rest", ended, now)}


async def declare_trunks(pool: Pool, caps: Mapping[str, int | None]) -> None:
    """Give every configured trunk its semaphore, with the cap the config file says."""
    await fetch(pool, "declare_trunks", [f"trunk:{name}" for name in caps], list(caps.values()))


async def declare_fleet(pool: Pool, cap: int | None) -> None:
    """Give all calls together their semaphore, with the cap the config file says; None = no limit, and none is made. Calls that
    were released before it was made are not counted by it."""
    await fetch(pool, "declare_fleet", FLEET, cap)
