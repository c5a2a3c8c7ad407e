"""Calls per second at release: what all schedulers together may still release of each trunk's and each campaign's rate.

Asked before the planner shares out, so that its shares are fair; taken before the claim; given back where the claim found less.
So no more is released than the workers' buckets let through, however many schedulers there are, and recalls stay rare.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dialer.queue import Pace, QueueUnavailable
from scheduler.pacing import CAMPAIGN_SECONDS, Burst, Left
from scheduler.planner import CampaignView, Release

log = logging.getLogger(__name__)


class Paced:
    """Of one scheduler, or of whoever else releases. `trunks`: name → releases per second, of those that have a rate."""

    def __init__(self, pace: Pace, trunks: Mapping[str, float]) -> None:
        self._pace = pace
        self._trunks = trunks
        self._bursts: dict[str, Burst] = {}
        self._keys: dict[str, tuple[str, ...]] = {}

    async def look(self, campaigns: Iterable[CampaignView]) -> Mapping[str, Left]:
        """What is left of the rates that these campaigns are under. Nothing is known while Redis is away; then nothing is taken
        either."""
        self._bursts, self._keys = {}, {}
        for view in campaigns:
            keys = []
            if view.calls_per_second is not None:
                keys.append(f"campaign:{view.id}")
                self._bursts[keys[0]] = Burst.of(view.calls_per_second, CAMPAIGN_SECONDS)
            if view.trunk in self._trunks:
                keys.append(f"trunk:{view.trunk}")
                self._bursts.setdefault(keys[-1], Burst.of(self._trunks[view.trunk]))
            if keys:
                self._keys[view.id] = tuple(keys)
        try:
            return await self._pace.look(self._bursts)
        except QueueUnavailable:
            return {}

    async def take(self, releases: Sequence[Release]) -> tuple[Release, ...]:
        """As much of these releases as the rates still have, for others may have been quicker; nothing of those under a rate
        while Redis is away."""
        wanted = Counter[str]()
        for release in releases:
            wanted.update(dict.fromkeys(self._keys.get(release.campaign, ()), release.count))
        if not wanted:
            return tuple(releases)
        try:
            got = Counter(await self._pace.take(self._bursts, wanted))
        except QueueUnavailable as fault:
            log.warning("nothing is released under a limit of calls per second: %s", fault)
            got = Counter()
        if got == wanted:
            return tuple(releases)
        fitting: list[Release] = []
        for release in releases:
            keys = self._keys.get(release.campaign, ())
            count = min([release.count, *(got[key] for key in keys)])
            got.subtract(dict.fromkeys(keys, count))
            if count:
                fitting.append(shortened(release, count))
        await self._back(got)
        return tuple(fitting)

    async def give_back(self, releases: Iterable[Release], claimed: Mapping[str, int]) -> None:
        """Of these releases, which were taken, only so many (by campaign) came about."""
        unused = Counter[str]()
        for release in releases:
            left = release.count - claimed.get(release.campaign, 0)
            unused.update(dict.fromkeys(self._keys.get(release.campaign, ()), left))
        await self._back(unused)

    async def _back(self, unused: Counter[str]) -> None:
        if back := {key: -n for key, n in unused.items() if n > 0}:
            try:
                await self._pace.take(self._bursts, back)
            except QueueUnavailable as fault:  # they come back by themselves, within a second
                log.debug("not given back: %s", fault)


def shortened(release: Release, count: int) -> Release:
    """The same with `count` calls (1 or more, no more than it has), its numbers one after the other."""
    left = {number: 0 for number, _ in release.caller_ids}
    remaining = dict(release.caller_ids)
    while sum(left.values()) < count:
        for number in left:
            if remaining[number] and sum(left.values()) < count:
                left[number] += 1
                remaining[number] -= 1
    return replace(release, count=count, caller_ids=tuple((number, n) for number, n in left.items() if n))
