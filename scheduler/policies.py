"""Policy packs: dated, versioned rules of the law, as data, and what they make of a campaign's hours. Not legal advice.

A pack says for regions when they may be called and how often. Owns what that means: a rule holds for every candidate of a place
that could be in one of its regions, its hours are read on that candidate's clock, and of all rules that hold the strictest wins,
because all have to be open. They only ever take from a campaign's own window. Promises that of a place where nobody knows which
rules hold, nothing is open. The packs of this process are reference data like the tz database: the shipped ones, and those of the
operator once `adopt` was called. Reads no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Final, Literal, TypeAlias, get_args

from scheduler.frequency import FrequencyCap
from scheduler.places import Candidate, Place, could_be
from scheduler.windows import CallWindow, Wall, Walls

ZonePolicy: TypeAlias = Literal["strictest", "require_explicit_zone", "campaign_zone"]
ZONE_POLICIES: Final[tuple[ZonePolicy, ...]] = get_args(ZonePolicy)

OWN: Final = "campaign"
"""The rule that is the campaign's own window."""

UNKEPT: Final[Mapping[str, str]] = {
    "abandonment-3pct": "needs the share of abandoned calls to be measured",
    "uk-ofcom": "needs the share of abandoned calls to be measured",
    "dnc-freshness": "needs the age of registry copies to be known",
}
"""Packs that are known by name, and what this version lacks to keep them."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """What a pack says of `regions` (ISO 3166-1 or 3166-2). `name` tells it from the pack's other rules; `window` None = no hours
    of its own."""

    name: str
    regions: tuple[str, ...]
    window: CallWindow | None
    caps: tuple[FrequencyCap, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """One version of a pack, in force from the beginning of `effective_from` (UTC) until a later version of it is."""

    id: str
    version: str
    effective_from: date
    source: str
    rules: tuple[Rule, ...]

    def label(self, rule: Rule) -> str:
        """As decisions record it: "us-states/2024-06 AL"."""
        return label(self.id, self.version, rule.name)


def label(id: str, version: str, rule: str) -> str:
    return f"{id}/{version} {rule}".strip()


_adopted: tuple[Pack, ...] = ()


def adopt(packs: Iterable[Pack]) -> None:
    """Make the operator's own packs known to this process, once, before anything is decided."""
    global _adopted  # noqa: PLW0603  (reference data of the process, like the tz database)
    _adopted = tuple(packs)
    _versions.cache_clear()
    _in_force.cache_clear()
    _walls.cache_clear()


@cache
def _versions() -> Mapping[str, tuple[Pack, ...]]:
    from scheduler.packs import shipped

    found: dict[str, list[Pack]] = {}
    for pack in (*shipped(), *_adopted):
        found.setdefault(pack.id, []).append(pack)
    return {id: tuple(sorted(packs, key=lambda pack: (pack.effective_from, pack.version))) for id, packs in found.items()}


def known() -> tuple[str, ...]:
    """The ids of all packs, sorted."""
    return tuple(sorted(_versions()))


def check(id: str) -> None:
    """Raises ValueError where there is no such pack."""
    if id in UNKEPT:
        raise ValueError(f"{id}: {UNKEPT[id]}, which this version does not do; remove it")
    _versions_of(id)


def _versions_of(id: str) -> tuple[Pack, ...]:
    if id not in _versions():
        raise ValueError(f"there is no policy pack {id!r}; known are {', '.join(known())}")
    return _versions()[id]


def in_force(ids: Collection[str], on: date) -> tuple[Pack, ...]:
    """Of each of these packs the version that is in force on a day, if any is. Raises ValueError for an unknown one."""
    return _in_force(tuple(ids), on)


@lru_cache(maxsize=1024)
def _in_force(ids: tuple[str, ...], on: date) -> tuple[Pack, ...]:
    found = []
    for id in ids:
        found += [pack for pack in _versions_of(id) if pack.effective_from <= on][-1:]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class CallHours:
    """A campaign's own window, and what else holds.

    `zone` set: the window is read there; None: at every candidate of a contact's place. `campaign_zone` is the zone that the
    policy of the same name falls back to. `packs` are ids; their hours are read where the contact is, whatever `zone` says.
    """

    window: CallWindow
    zone: str | None = None
    campaign_zone: str | None = None
    zone_policy: ZonePolicy = "strictest"
    packs: tuple[str, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        told = (self.window, self.zone, self.campaign_zone, self.zone_policy, self.packs)
        object.__setattr__(self, "_hash", hash(told))

    def __hash__(self) -> int:
        """Worked out once: it is looked up for every lane."""
        return self._hash

    def walls(self, place: Place, now: datetime) -> Walls:
        """The clocks that must show an open time before somebody at `place` is called, by what is in force at `now`. None of
        them = never open."""
        return _walls(self, place, _in_force(self.packs, now.date()) if self.packs else ())

    def refused(self, place: Place) -> str | None:
        """The rule by which a place has no walls at all; None where it has some, or where its zone is what nobody knows."""
        return "zone_policy require_explicit_zone" if place.candidates and not _explicit(self, place) else None

    def caps(self, place: Place, now: datetime) -> tuple[FrequencyCap, ...]:
        """The packs' frequency caps that hold at `place`."""
        return caps_for(_in_force(self.packs, now.date()), _regions(place)) if self.packs else ()


@lru_cache(maxsize=16_384)
def kept(walls: Walls) -> tuple[str, ...]:
    """The rules of policy packs that are among these walls."""
    return tuple(dict.fromkeys(wall.rule for wall in walls.each if wall.rule != OWN))


@lru_cache(maxsize=65_536)
def _walls(hours: CallHours, place: Place, packs: tuple[Pack, ...]) -> Walls:
    candidates = _candidates(hours, place)
    if not _explicit(hours, place) or (packs and not candidates):
        return Walls(())
    zones = dict.fromkeys(each.zone for each in candidates) if hours.zone is None else (hours.zone,)
    walls = [Wall(hours.window, zone, OWN) for zone in zones]
    for pack in packs:
        for rule in pack.rules:
            if rule.window is not None:
                walls += [Wall(rule.window, each.zone, pack.label(rule)) for each in candidates if _holds(rule, each)]
    return Walls(tuple(dict.fromkeys(walls)))


def _explicit(hours: CallHours, place: Place) -> bool:
    return hours.zone_policy != "require_explicit_zone" or place.source == "contact"


def _candidates(hours: CallHours, place: Place) -> tuple[Candidate, ...]:
    """Where the contact may be, as far as the campaign's owner lets it be known."""
    told = place.candidates and place.source != "country"
    if hours.zone_policy != "campaign_zone" or told or hours.campaign_zone is None:
        return place.candidates
    return tuple(Candidate(hours.campaign_zone, region) for region in _regions(place))


def _regions(place: Place) -> tuple[str, ...]:
    return tuple(sorted({each.region for each in place.candidates})) or ("",)


def _holds(rule: Rule, candidate: Candidate) -> bool:
    return any(could_be(candidate, region) for region in rule.regions)


@lru_cache(maxsize=65_536)
def caps_for(packs: tuple[Pack, ...], regions: tuple[str, ...]) -> tuple[FrequencyCap, ...]:
    """The frequency caps of `packs` that hold for somebody who may be in any of `regions`, written as `scheduler.places` does: of
    a country whose part is not known, those of all its parts."""
    candidates = [Candidate("", region) for region in regions]
    rules = (rule for pack in packs for rule in pack.rules if any(_holds(rule, each) for each in candidates))
    return tuple(dict.fromkeys(cap for rule in rules for cap in rule.caps))
