"""Place: from a dial job to a call the carrier has accepted, or to the knowledge that it has not.

The order is the promise: a token of the trunk's rate, then fence and intent in one committed statement, then one transmission,
then what we know of it. No transaction is open while the carrier is spoken to. A worker that dies anywhere in between leaves a
row from which the carrier can be asked; nothing here is done twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adapters.base import Call, TelephonyAdapter
from adapters.errors import Ambiguous, PlaceError, RateLimited, Rejected, TooLate, Unavailable
from adapters.events import Fault, Outcome
from adapters.failpoints import failpoint
from dialer.domain.attempt import Turn
from dialer.domain.conclude import conclude, excuse, recall
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.machine import UNFINISHED_PLACING, AttemptState
from dialer.flows.gather import Gather
from dialer.flows.recall import BREATH, refuse
from dialer.flows.settle import Case, Settler
from dialer.queue import QueueUnavailable, RateBuckets
from dialer.store import attempts
from dialer.store.attempts import Permit
from dialer.store.database import Pool
from dialer.telemetry import metrics
from scheduler.clock import Clock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trunk:
    """A configured carrier as the flows use it: `rate` in calls per second, None = no limit of ours."""

    adapter: TelephonyAdapter
    rate: float | None
    callback_url: str


class Placer:
    """`run_fence` and `run_accepted` have to be running."""

    def __init__(self, pool: Pool, settler: Settler, rates: RateBuckets, trunks: Mapping[str, Trunk], clock: Clock) -> None:
        self._pool = pool
        self._settler = settler
        self._rates = rates
        self._trunks = trunks
        self._clock = clock
        self._fence: Gather[tuple[str, str], tuple[Permit, float] | None] = Gather(self._pass_fence)
        self._accepted: Gather[tuple[str, str], None] = Gather(self._write_accepted)

    async def run_fence(self) -> None:
        await self._fence.run()

    async def run_accepted(self) -> None:
        await self._accepted.run()

    async def place(self, attempt: str, campaign: str, trunk: str) -> None:
        """Dial one released attempt. Harmless for one that is not queued any more, however often it is called."""
        configured = self._trunks.get(trunk)
        if configured is None or not await self._token(trunk, configured.rate):
            await self._settler.settle(attempt, refuse)
            return
        passed = await self._fence((attempt, campaign))
        if passed is None:
            await self._settler.settle(attempt, refuse)
            return
        permit, since = passed
        if permit.trunk != trunk:  # not a job of ours: the book would ask another carrier for this call
            await self._failed(attempt, TooLate())
            return
        started = self._clock.monotonic()
        failpoint("K1")
        try:
            ref = await configured.adapter.place(_call(permit, configured.callback_url, since + FENCE_SECONDS))
        except PlaceError as fault:
            await self._failed(attempt, fault)
        except Exception as fault:
            log.exception("adapter of trunk %s failed in an unforeseen way; the call counts as maybe placed", trunk)
            await self._failed(attempt, Ambiguous(repr(fault)))
        else:
            metrics.PLACEMENTS.labels("placed").inc()
            failpoint("K4")
            await self._accepted((attempt, ref))
            failpoint("K5")
        finally:
            metrics.PLACE_SECONDS.labels(trunk).observe(self._clock.monotonic() - started)

    async def _token(self, trunk: str, rate: float | None) -> bool:
        if rate is None:
            return True
        try:
            waits = await self._rates.take(f"trunk:{trunk}", rate)
        except QueueUnavailable as fault:
            log.warning("no rate token for trunk %s: %s", trunk, fault)
            return False
        if waits:
            await self._clock.sleep(waits[0])
        return bool(waits)

    async def _pass_fence(self, wanted: Sequence[tuple[str, str]]) -> list[tuple[Permit, float] | None]:
        since = self._clock.monotonic()
        permits = {p.attempt: p for p in await attempts.place(self._pool, dict(wanted), self._clock.now())}
        # An attempt that is asked for twice in one batch is still dialled once.
        return [(permits.pop(attempt), since) if attempt in permits else None for attempt, _ in wanted]

    async def _write_accepted(self, refs: Sequence[tuple[str, str]]) -> list[None]:
        await attempts.accepted(self._pool, dict(refs))
        return [None] * len(refs)

    async def _failed(self, attempt: str, fault: PlaceError) -> None:
        metrics.PLACEMENTS.labels(_label(fault)).inc()
        if not isinstance(fault, TooLate):
            log.warning("attempt %s: %s: %s", attempt, type(fault).__name__, fault)
        await self._settler.settle(attempt, lambda case: after_failure(case, fault))


def after_failure(case: Case, fault: PlaceError) -> Turn | None:
    """What a failed placement makes of its attempt; None when an event has told more already."""
    standing, now = case.stand.standing, case.now
    if standing.progress.state not in UNFINISHED_PLACING:
        return None
    match fault:
        case Rejected(fault=Fault.NUMBER, cause=cause):
            became = replace(
                standing.progress,
                state=AttemptState.ENDED,
                outcome=Outcome.INVALID_NUMBER,
                fault=Fault.NUMBER,
                cause=cause,
                ended_at=now,
            )
            return conclude(standing, became, case.rules, now)
        case Rejected(fault=blamed):
            return excuse(standing, blamed, "rejected", now)
        case RateLimited(retry_after=seconds):
            return recall(standing, "rate", now + (BREATH * seconds if seconds else BREATH), now)
        case Unavailable():
            return excuse(standing, Fault.TRUNK, "unavailable", now)
        case TooLate():
            return recall(standing, "stale", now, now)
        case _:
            if standing.progress.state is AttemptState.UNKNOWN:
                return None
            return conclude(standing, replace(standing.progress, state=AttemptState.UNKNOWN), case.rules, now)


def _label(fault: PlaceError) -> str:
    names = {Rejected: "rejected", RateLimited: "rate_limited", Unavailable: "unavailable", TooLate: "too_late"}
    return names.get(type(fault), "ambiguous")


def _call(permit: Permit, callback_url: str, start_before: float) -> Call:
    return Call(
        attempt=permit.attempt,
        to=permit.to_number,
        caller_id=permit.from_number,
        voice=permit.voice,
        ring=permit.ring_seconds,
        limit=permit.limit_seconds,
        not_after=permit.not_after,
        callback_url=callback_url,
        start_before=start_before,
        labels={"campaign": permit.campaign, "contact": permit.contact},
        variables={"first_name": permit.first_name, "last_name": permit.last_name},
    )
