"""What to release now: a pure function of a snapshot.

Owns the decision which campaigns may dial how many contacts of which places from which numbers. Promises: nothing outside
call hours or so late that it rings past its end; nothing beyond a free slot, a budget, a rate or the limit; the same plan
for the same snapshot, in whatever order it lists its campaigns. Chooses no contact, writes nothing, reads no clock.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scheduler.frequency import FrequencyCap
from scheduler.pacing import CAMPAIGN_SECONDS, Allowance, Burst, Claim, Left, share
from scheduler.places import Place
from scheduler.policies import CallHours, kept
from scheduler.windows import Walls, closes_at, next_start


@dataclass(frozen=True, slots=True)
class Lane:
    """The due contacts of a campaign at one place set. `pending` counts due contacts."""

    place_set: int
    place: Place
    priority: int
    pending: int


@dataclass(frozen=True, slots=True)
class CallerId:
    """A number a campaign may show. `weight` is its share among the campaign's numbers (0 = rests); `scope` its semaphore."""

    id: str
    number: str
    weight: int
    scope: str


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A running campaign that has due work, as the planner sees it.

    `weight` ≥ 1 is its share among campaigns. `hours` say when each lane's place is open. `margin` is the ring timeout in
    seconds. No call starts from `last_start` on (None = no such time). `scopes` are the semaphores besides
    the numbers' (campaign, team, trunk, assistant). `run_remaining` and `calls_per_second` None = no bound. `live` is its count
    of live attempts. `ties`: contacts may be tied to numbers (`scheduler.matching`). `caps` hold in all its lanes, besides
    those of its policy packs.
    """

    id: str
    team: str
    trunk: str
    weight: int
    hours: CallHours
    margin: int
    scopes: tuple[str, ...]
    run_remaining: int | None
    calls_per_second: float | None
    caller_ids: tuple[CallerId, ...]
    lanes: tuple[Lane, ...]
    live: int = 0
    last_start: datetime | None = None
    ties: bool = False
    caps: tuple[FrequencyCap, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the ledger says at `now` (UTC). `free`: scope key → free slots; an absent key is unlimited. `reopens`: scope key →
    seconds until it has room again, of those of which that is known. `paced`: scope key → what all schedulers together have
    left of its calls per second, where that is known."""

    now: datetime
    campaigns: tuple[CampaignView, ...]
    free: Mapping[str, int]
    reopens: Mapping[str, float] = field(default_factory=dict)
    paced: Mapping[str, Left] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenLane:
    """A place set that may be dialled now; nobody there may start to ring after `not_after`, nor be called more often than all of
    `caps` let. `rules`: those of policy packs that were kept."""

    place_set: int
    priority: int
    not_after: datetime
    rules: tuple[str, ...] = ()
    caps: tuple[FrequencyCap, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """Up to `count` contacts of one campaign, from these lanes (highest priority first), shown as these numbers in turn: pairs of
    number id and how many, which sum to `count`. `had`: how often each was shown so far. `most`: how often a number may be shown
    at the most, of all that have room, where contacts may be tied to one; empty where there is nothing to be tied to."""

    campaign: str
    count: int
    lanes: tuple[OpenLane, ...]
    caller_ids: tuple[tuple[str, int], ...]
    had: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """`shut`: (campaign, place set) → when a call may start there next; None = not before the campaign's end, or never."""

    releases: tuple[Release, ...]
    shut: Mapping[tuple[str, int], datetime | None]


NO_HISTORY = Allowance()
_LONG = timedelta(days=1)  # how far ahead a release may look where the window never closes; a claim lives two seconds


def plan(snapshot: Snapshot, allowance: Allowance = NO_HISTORY, limit: int = 2000) -> Plan:
    """Share out the free slots among the campaigns that may call now, at most `limit` in all.

    Rates: what `allowance` leaves for "campaign:<id>" and "trunk:<name>"; a campaign whose rate it does not know gets one
    burst.
    """
    room = dict(snapshot.free)
    for key, left in allowance.left.items():
        room[_rate(key)] = left
    full = {key for key, left in room.items() if left <= 0}
    hours = _Hours(snapshot.now)
    shut: dict[tuple[str, int], datetime | None] = {}
    lanes: dict[str, tuple[OpenLane, ...]] = {}
    claims: list[Claim] = []
    for view in snapshot.campaigns:
        lanes[view.id], due = _open_lanes(view, hours, shut)
        if due and full.isdisjoint(view.scopes):
            claims.append(_claim(view, due, allowance))
    given = share(claims, room, limit)
    most = _most([view for view in snapshot.campaigns if view.id in given], given, room)
    releases = tuple(
        Release(
            campaign,
            sum(numbers.values()),
            lanes[campaign],
            tuple(sorted(numbers.items())),
            allowance.used.get(campaign, {}),
            most.get(campaign, {}),
        )
        for campaign, numbers in sorted(given.items())
    )
    return Plan(releases, shut)


def _most(
    views: Sequence[CampaignView], given: Mapping[str, Mapping[str, int]], room: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """Campaign → number → how often it may be shown, for those whose contacts may be tied to one of several numbers. What room
    the turns leave to a number is shared out evenly, so that all together keep to it."""
    tied = sorted((view for view in views if view.ties and len(view.caller_ids) > 1), key=lambda view: view.id)
    sharers = Counter(number.scope for view in tied for number in view.caller_ids)
    spare = {scope: room[scope] for scope in sharers if scope in room}
    for view in views:
        for number in view.caller_ids:
            if number.scope in spare:
                spare[number.scope] -= given[view.id].get(number.id, 0)
    found: dict[str, dict[str, int]] = {}
    for view in tied:
        numbers = given[view.id]
        count = sum(numbers.values())
        most = found[view.id] = {}
        for number in view.caller_ids:
            own = numbers.get(number.id, 0)
            left = count
            if number.scope in spare:
                left = max(-(-spare[number.scope] // sharers[number.scope]), 0)
                spare[number.scope] -= left
                sharers[number.scope] -= 1
            if own + left > 0 and number.weight > 0:
                most[number.id] = min(own + left, count)
    return found


class _Hours:
    """When calls may start, asked once per walls and margin: many lanes of a snapshot share them."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._known: dict[tuple[Walls, int], tuple[datetime | None, datetime, tuple[str, ...]]] = {}

    def __call__(self, hours: CallHours, place: Place, margin: int) -> tuple[datetime | None, datetime, tuple[str, ...]]:
        """When a call may start next (now, if it may), until when one that starts now may ring at the latest, and by which rules
        of policy packs."""
        walls = hours.walls(place, self.now)
        key = (walls, margin)
        found = self._known.get(key)
        if found is None:
            closes = closes_at(walls, self.now)
            until = self.now + _LONG if closes is None else closes - timedelta(seconds=margin)
            found = self._known[key] = (next_start(walls, self.now, margin), until, kept(walls))
        return found


def _open_lanes(
    view: CampaignView, hours: _Hours, shut: dict[tuple[str, int], datetime | None]
) -> tuple[tuple[OpenLane, ...], int]:
    """The lanes that may be dialled now, in order, and their due contacts; the others are noted in `shut`."""
    found: list[OpenLane] = []
    due = 0
    for lane in view.lanes:
        starts, not_after, rules = hours(view.hours, lane.place, view.margin)
        if view.last_start is not None:
            starts = None if starts is None or starts >= view.last_start else starts
            not_after = min(not_after, view.last_start)
        if starts != hours.now:
            shut[view.id, lane.place_set] = starts
        elif lane.pending > 0:
            caps = view.caps + view.hours.caps(lane.place, hours.now)
            found.append(OpenLane(lane.place_set, lane.priority, not_after, rules, caps))
            due += lane.pending
    found.sort(key=lambda lane: (-lane.priority, lane.place_set))
    return tuple(found), due


def _claim(view: CampaignView, due: int, allowance: Allowance) -> Claim:
    want = due if view.run_remaining is None else min(due, view.run_remaining)
    own, trunk = f"campaign:{view.id}", f"trunk:{view.trunk}"
    if view.calls_per_second is not None and own not in allowance.left:
        want = min(want, Burst.of(view.calls_per_second, CAMPAIGN_SECONDS).calls)
    return Claim(
        id=view.id,
        weight=view.weight,
        live=view.live,
        served=allowance.served.get(view.id, -math.inf),
        want=want,
        scopes=(*view.scopes, *(_rate(key) for key in (own, trunk) if key in allowance.left)),
        numbers=view.caller_ids,
        used=allowance.used.get(view.id, {}),
    )


def _rate(key: str) -> str:
    """The key under which a rate shares the room with the semaphores: "rate/trunk:main" beside "trunk:main"."""
    return f"rate/{key}"
