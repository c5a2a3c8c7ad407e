"""Doorbells and dial jobs: what is said to Redis after a commit. All of it may be lost; the sweep says it again.

A Redis that cannot be reached is logged and never undoes what is committed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from dialer.queue import Bell, Job, JobQueue, QueueUnavailable
from dialer.store.claims import Claimed

QUEUE = "dialer:dials"
PLACE = "place"

PATIENCE_SECONDS = 2.0
"""A dial job that waits longer is in vain: the sweep recalls what was claimed so long ago and not placed."""

log = logging.getLogger(__name__)


class Ringer:
    """Wakes schedulers with scope keys, workers with dial jobs."""

    def __init__(self, bell: Bell, jobs: JobQueue) -> None:
        self._bell = bell
        self._jobs = jobs
        self._doubted = self._unheard = False

    def doubt(self) -> None:
        """Attempts were claimed and nobody took them up."""
        self._doubted = True

    async def heard(self) -> bool:
        """Whether workers can be told of new attempts and take them up; asks Redis only while that is in doubt.

        Without this a campaign whose workers are away would claim and recall as many attempts as it has slots every few seconds.
        """
        if self._doubted:
            try:
                waited = await self._jobs.waited()
            except QueueUnavailable:
                return False
            was, self._unheard = self._unheard, waited > PATIENCE_SECONDS
            if self._unheard and not was:
                log.warning("nobody is released until workers take up dial jobs: the oldest waits for %.0f s", waited)
            self._doubted = self._unheard
        return not self._doubted

    async def ping(self) -> None:
        """Raises `QueueUnavailable` when Redis does not answer."""
        await self._jobs.ping()

    async def wake(self, keys: Iterable[str]) -> None:
        """Something changed for these scope keys: a slot was freed, work became due."""
        try:
            await self._bell.ring(keys)
        except QueueUnavailable as fault:
            log.warning("doorbell not rung, the next tick finds it: %s", fault)

    async def dial(self, claimed: Iterable[Claimed]) -> bool:
        """One dial job per attempt, all in one round trip; False when nobody could be told."""
        jobs = [Job(PLACE, _dial(each), each.attempt, max_tries=1) for each in claimed]
        try:
            await self._jobs.enqueue(jobs)
        except QueueUnavailable as fault:
            self.doubt()
            log.warning("%d dial jobs not enqueued, their attempts will be recalled: %s", len(jobs), fault)
            return False
        return True


def _dial(claimed: Claimed) -> dict[str, Any]:
    """What the worker is told. The rate is named only where there is one: workers of the version before know no such field."""
    told = {"attempt": claimed.attempt, "campaign": claimed.campaign, "trunk": claimed.trunk}
    return told if claimed.calls_per_second is None else {**told, "calls_per_second": claimed.calls_per_second}
