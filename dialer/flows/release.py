"""Release: from what is due to queued attempts and dial jobs. The scheduler's `Book`, on the ledger.

Owns the reading of campaigns' rules (kept until their version changes) and of place sets (which never change). A campaign whose
rules cannot be read is not dialled and is said so, once per version. While Redis cannot be rung, or nobody knows what time it
is, nothing is released.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from dialer.domain.campaign import CampaignRules, rules_of
from dialer.flows.heads import Heads
from dialer.flows.paced import Paced
from dialer.flows.ring import Ringer
from dialer.queue import SHARE
from dialer.store import caps, claims
from dialer.store.claims import Claim, Claimed, DueCampaign, Prospect, Taken, slots
from dialer.store.database import Pool
from dialer.telemetry import metrics
from scheduler.clock import Clock
from scheduler.pacing import Allowance
from scheduler.places import Place
from scheduler.planner import CampaignView, Lane, Plan, Release, Snapshot, plan
from scheduler.ticker import Carried

REMEMBERED = 100_000
"""Campaigns whose rules are kept: more than are likely to run at once, for of more some would be read in every round."""

log = logging.getLogger(__name__)


class RulesReader:
    """Campaigns' rules and place sets, read once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._rules: dict[str, tuple[int, CampaignRules | None]] = {}
        self._places: dict[int, Place] = {}

    async def rules(self, versions: Mapping[str, int]) -> dict[str, CampaignRules]:
        """Campaign id → rules at this version or a newer one; unreadable ones are left out."""
        unknown = [id for id, version in versions.items() if self._rules.get(id, (0, None))[0] < version]
        for row in await claims.rules(self._pool, unknown) if unknown else ():
            self._rules[row["id"]] = (row["rules_version"], _read(row))
        found = {id: self._rules[id][1] for id in versions if id in self._rules}
        while len(self._rules) > REMEMBERED:  # each direct call is a campaign of its own
            del self._rules[next(iter(self._rules))]
        return {id: rules for id, rules in found.items() if rules is not None}

    async def places(self, place_sets: Collection[int]) -> Mapping[int, Place]:
        """Place set → place; more than was asked for, perhaps."""
        unknown = set(place_sets) - self._places.keys()
        if unknown:
            self._places |= await claims.places(self._pool, unknown)
        return self._places


def _read(row: Mapping[str, object]) -> CampaignRules | None:
    try:
        return rules_of(row)
    except ValueError as fault:
        log.error("campaign %s is not dialled: its rules cannot be read: %s", row["id"], fault)
        return None


class LedgerBook:
    """`scheduler.ticker.Book` on the ledger, for one task: it remembers what the last snapshot saw. `trunks` are the configured
    ones; campaigns of others wait. Without `paced`, calls per second are left to the workers alone. `doubling`:
    seconds in which slow start doubles calls at once, 0 = it is off."""

    def __init__(
        self,
        pool: Pool,
        ringer: Ringer,
        clock: Clock,
        trunks: Collection[str],
        rules: RulesReader,
        paced: Paced | None = None,
        doubling: float = 0,
    ) -> None:
        self._pool = pool
        self._doubling = doubling
        self._paced = paced
        self._ringer = ringer
        self._clock = clock
        self._trunks = frozenset(trunks)
        self._rules = rules
        self._seen: dict[str, tuple[DueCampaign, CampaignRules]] = {}
        self._locked: frozenset[str] = frozenset()
        self._heads = Heads()

    async def snapshot(self, dirty: frozenset[str] | None, as_if: str | None = None) -> Snapshot:
        now = self._clock.now()
        due = [c for c in await claims.due(self._pool, now, dirty, as_if, self._doubling) if c.trunk in self._trunks]
        if not due:
            self._seen = {}
            return Snapshot(now, (), {})
        rules = await self._rules.rules({c.id: c.version for c in due})
        places = await self._rules.places({place for c in due for place, _, _ in c.lanes})
        self._seen = {c.id: (c, rules[c.id]) for c in due if c.id in rules}
        views: list[CampaignView] = []
        free: dict[str, int] = {}
        reopens: dict[str, float] = {}
        for c, own in self._seen.values():
            views.append(_view(c, own, places))
            free.update(c.rooms)
            reopens.update((key, wait) for key, wait in c.held.items() if wait > 0)
        paced = await self._paced.look(views) if self._paced is not None and as_if is None else {}
        return Snapshot(now, tuple(views), free, reopens, paced)

    async def release(self, made: Plan) -> Carried:
        """Claim and ring. The campaigns whose locks somebody else held come back as keys; the next round does not wait for these
        again, for everybody else would wait with it. So do those whose rate another scheduler has used up meanwhile."""
        if not made.releases or not await self._may():
            return Carried()
        wanted = self._claims(made if self._paced is None else replace(made, releases=await self._paced.take(made.releases)))
        locked = [c for c in wanted if c.campaign.id in self._locked]
        claimed = await self._claim([c for c in wanted if c.campaign.id not in self._locked])
        claimed += await self._claim(locked, wait=False)
        got = Counter(each.campaign for each in claimed)
        short = [c for c in wanted if got[c.campaign.id] < c.release.count]
        if short:
            lanes = claims.lanes_of(short)
            self._heads.forget(lanes)
            await self._give_back(short, got)
            await claims.tighten(self._pool, lanes)
        self._locked = frozenset(c.campaign.id for c in short if c.campaign.id not in got)
        late = {release.campaign for release in made.releases} - {c.campaign.id for c in wanted}
        return Carried(frozenset(f"campaign:{id}" for id in self._locked | late), _shown(wanted, claimed))

    async def run(self, campaign: str) -> list[Claimed]:
        """Release for one running campaign now, what its free slots take."""
        seen = await self.snapshot(frozenset({f"campaign:{campaign}"}))
        made = plan(seen, Allowance({key: left.calls for key, left in seen.paced.items()}))
        mine = tuple(each for each in made.releases if each.campaign == campaign)
        if not mine or not await self._may():
            return []
        wanted = self._claims(replace(made, releases=mine if self._paced is None else await self._paced.take(mine)))
        self._heads.forget(claims.lanes_of(wanted))  # its answer says who could be called: nobody is left out
        claimed = await self._claim(wanted, lasting=True)
        await self._give_back(wanted, Counter(each.campaign for each in claimed))
        return claimed

    async def _give_back(self, wanted: Sequence[Claim], claimed: Mapping[str, int]) -> None:
        if self._paced is not None:
            await self._paced.give_back([c.release for c in wanted], claimed)

    async def _may(self) -> bool:
        """Whether anybody may be called at all: the hour is certain, and workers hear of it."""
        return self._clock.sure and await self._ringer.heard()

    async def preview(self, campaign: str, most: int | None) -> list[Prospect]:
        """What `run` would take if the campaign were running and its run limited to `most`; writes nothing."""
        snapshot = await self.snapshot(frozenset({f"campaign:{campaign}"}), as_if=campaign)
        mine = [each for each in self._claims(plan(snapshot)) if each.campaign.id == campaign]
        return await claims.peek(self._pool, mine[0], most, snapshot.now) if mine else []

    def _claims(self, made: Plan) -> list[Claim]:
        return [Claim(release, *self._seen[release.campaign]) for release in made.releases]

    async def _claim(self, wanted: Sequence[Claim], *, wait: bool = True, lasting: bool = False) -> list[Claimed]:
        """Claim and ring. Where frequency caps hold somebody back at the head of a line, whoever is behind that they hold back
        too is put off as well, and what was not taken is claimed once more, of those who then come first."""
        if not wanted:
            return []
        taken = await self._take(wanted, wait, lasting)
        if not taken.held:
            return taken.claimed
        await caps.hold(self._pool, [c for c in wanted if c.campaign.id in taken.held], self._clock.now())
        left = [replace(c, release=_left(c, taken.claimed)) for c in wanted if c.campaign.id in taken.held]
        left = [c for c in left if c.release.count]
        return taken.claimed + ((await self._take(left, wait, lasting)).claimed if left else [])

    async def _take(self, wanted: Sequence[Claim], wait: bool, lasting: bool) -> Taken:
        heads = self._heads.at(self._clock.monotonic())
        taken = await claims.claim(self._pool, wanted, self._clock.now(), heads, wait=wait, lasting=lasting)
        self._heads.note(taken.heads)
        if taken.claimed:
            metrics.RELEASES.inc(len(taken.claimed))
            await self._ringer.dial(taken.claimed)
        return taken


def _left(claim: Claim, claimed: Sequence[Claimed]) -> Release:
    """What is left of a release after these were claimed."""
    release, ids = claim.release, {number.number: number.id for number in claim.campaign.numbers}
    shown = Counter(ids[each.from_number] for each in claimed if each.campaign == claim.campaign.id)
    numbers = Counter(number for number, _, _ in list(slots(claim))[shown.total() :])
    return replace(
        release,
        count=release.count - shown.total(),
        caller_ids=tuple(sorted(numbers.items())),
        had={**release.had, **{number: release.had.get(number, 0.0) + n for number, n in shown.items()}},
        most={number: most - shown[number] for number, most in release.most.items() if most > shown[number]},
    )


def _shown(wanted: Sequence[Claim], claimed: Sequence[Claimed]) -> dict[str, Counter[str]]:
    """Campaign → number → how often it was shown, of those whose contacts may be tied to numbers."""
    shown = {c.campaign.id: Counter[str]() for c in wanted if c.release.most}
    if shown:
        ids = {c.campaign.id: {number.number: number.id for number in c.campaign.numbers} for c in wanted if c.release.most}
        for each in claimed:
            if each.campaign in shown:
                shown[each.campaign][ids[each.campaign][each.from_number]] += 1
    return shown


def _view(c: DueCampaign, rules: CampaignRules, places: Mapping[int, Place]) -> CampaignView:
    return CampaignView(
        id=c.id,
        team=c.team,
        trunk=c.trunk,
        weight=rules.weight,
        hours=rules.hours,
        margin=rules.margin,
        scopes=c.scopes,
        run_remaining=None,  # the campaign's scope holds what is left of a run, and its room says so
        # As many as the workers' buckets let through: of more, those that waited in vain would be taken back.
        calls_per_second=None if rules.calls_per_second is None else SHARE * rules.calls_per_second,
        caller_ids=c.numbers,
        lanes=tuple(Lane(place, places[place], priority, pending) for place, priority, pending in c.lanes),
        live=c.live,
        last_start=rules.last_start,
        ties=rules.local_presence or (rules.sticky and c.retries),
        caps=rules.caps,
    )
