"""Place: from a dial job to a call the carrier has accepted, or to the knowledge that it has not.

The order is the promise: a token of the trunk's rate, then fence and intent in one committed statement, then one transmission,
then what we know of it. No transaction is open while the carrier is spoken to. A worker that dies anywhere in between leaves a
row from which the carrier can be asked; nothing here is done twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.base import Call, Departure, TelephonyAdapter
from adapters.errors import Ambiguous, PlaceError, RateLimited, Rejected, TooLate, Unavailable
from adapters.events import Fault, Outcome
from adapters.failpoints import failpoint
from dialer.domain.attempt import Progress, Turn
from dialer.domain.conclude import Standing, conclude, excuse, recall
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.machine import UNFINISHED_PLACING, AttemptState
from dialer.domain.preflight import Reason
from dialer.domain.retry import NEVER_REFUSED, Refusals
from dialer.flows.breakers import DEFECT, Breakers, signs
from dialer.flows.caution import Caution
from dialer.flows.gather import Gather
from dialer.flows.recall import BREATH, put_back, refuse
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

    def __init__(
        self,
        pool: Pool,
        settler: Settler,
        rates: RateBuckets,
        trunks: Mapping[str, Trunk],
        breakers: Breakers,
        clock: Clock,
        *,
        first: int = 1,
    ) -> None:
        self._pool = pool
        self._breakers = breakers
        self._cautions = {name: Caution(clock, first) for name in trunks}
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

    async def place(self, attempt: str, campaign: str, trunk: str, pace: float | None = None) -> None:
        """Dial one released attempt. Harmless for one that is not queued any more, however often it is called. `pace`: its
        campaign's calls per second, None = no limit of its own."""
        configured = self._trunks.get(trunk)
        if not self._clock.sure:
            await self._clock.sleep(BREATH.total_seconds())  # else claim and refusal chase each other
            await self._settler.settle(attempt, put_back)
            return
        if configured is None or not await self._cautions[trunk].enter():
            await self._settler.settle(attempt, refuse)
            return
        well: bool | None = None
        try:
            if not await self._token(trunk, configured.rate, campaign, pace):
                await self._settler.settle(attempt, lambda case: refuse(case, Reason.RATE))
                return
            passed, held = await self._pass(attempt, campaign, trunk)
            if passed is None:
                await self._settler.settle(attempt, lambda case: refuse(case, held))
                return
            permit, since = passed
            if permit.trunk != trunk:  # not a job of ours: the book would ask another carrier for this call
                await self._failed(permit, TooLate())
                return
            well = await self._dial(permit, configured, since + FENCE_SECONDS)
        finally:
            self._cautions[trunk].leave(well)

    async def _pass(self, attempt: str, campaign: str, trunk: str) -> tuple[tuple[Permit, float] | None, Reason | None]:
        """Through the fence, or what an open breaker makes the attempt wait for."""
        if (passed := await self._fence((attempt, campaign))) is not None:
            return passed, None
        probe = await self._breakers.probe(attempt, campaign, trunk)
        return await self._fence((attempt, campaign)) if probe.granted else None, probe.held

    async def _dial(self, permit: Permit, trunk: Trunk, start_before: float) -> bool | None:
        """One transmission, and what it came to; whether the carrier is well, None = nobody knows."""
        started = self._clock.monotonic()
        departure = Departure()
        failpoint("K1")
        try:
            ref = await trunk.adapter.place(_call(permit, trunk.callback_url, start_before, departure))
        except PlaceError as fault:
            return await self._failed(permit, fault)
        except Exception as fault:
            log.exception("adapter of trunk %s failed in an unforeseen way", permit.trunk)
            if departure.begun:
                return await self._failed(permit, Ambiguous(type(fault).__name__))
            return await self._failed(permit, Rejected(type(fault).__name__, fault=Fault.REQUEST, cause=DEFECT))
        else:
            metrics.PLACEMENTS.labels("placed").inc()
            failpoint("K4")
            await self._accepted((permit.attempt, ref))
            failpoint("K5")
            await self._tell(permit, None)
            return True
        finally:
            metrics.PLACE_SECONDS.labels(permit.trunk).observe(self._clock.monotonic() - started)

    async def _token(self, trunk: str, rate: float | None, campaign: str, pace: float | None) -> bool:
        """Wait for a moment at which both rates allow a call; False when there is none in time."""
        rates = [(key, each) for key, each in ((f"trunk:{trunk}", rate), (f"campaign:{campaign}", pace)) if each is not None]
        if not rates:
            return True
        try:
            waits = await self._rates.take(*rates[0], own=rates[1] if len(rates) > 1 else None)
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

    async def _failed(self, permit: Permit, fault: PlaceError) -> bool | None:
        """Settle what was not placed, or maybe; whether the carrier is well, None = nobody knows."""
        fault = self._breakers.read(permit.trunk, fault)
        metrics.PLACEMENTS.labels(_label(fault)).inc()
        if not isinstance(fault, TooLate):
            log.warning("attempt %s: %s: %s", permit.attempt, type(fault).__name__, fault)
        held = await self._tell(permit, fault)
        refusals = NEVER_REFUSED
        if isinstance(fault, Rejected) and fault.fault is Fault.REQUEST:
            refusals = await attempts.refusals(self._pool, permit.attempt)
            held = None if refusals.others else held
            if refusals.last and held is None:
                await self._breakers.absolve(permit.campaign, permit.enrolment)
        believe = self._breakers.believe
        await self._settler.settle(permit.attempt, lambda case: after_failure(case, fault, held, refusals, believe))
        await self._breakers.report(permit.trunk)
        sign = signs(fault, permit.enrolment).trunk
        return sign if isinstance(sign, bool) or sign is None else False

    async def _tell(self, permit: Permit, fault: PlaceError | None) -> Reason | None:
        try:
            return await self._breakers.tell(permit, fault)
        except Exception:  # what became of the call has to be written all the same
            log.exception("attempt %s: what it says of its trunk could not be kept", permit.attempt)
            return None


def after_failure(
    case: Case,
    fault: PlaceError,
    held: Reason | None,
    refusals: Refusals,
    believe: Callable[[Standing, Progress, datetime], Progress],
) -> Turn | None:
    """What a failed placement makes of its attempt; None when an event has told more already. `held`: why a breaker is open now,
    which then paces what comes, and the contact bears nothing of it; `refusals`: those before of just this contact's calls;
    `believe` judges a verdict on the number."""
    standing, now = case.stand.standing, case.now
    if standing.progress.state not in UNFINISHED_PLACING:
        return None
    match fault:
        case Ambiguous():
            if standing.progress.state is AttemptState.UNKNOWN:
                return None
            return conclude(standing, replace(standing.progress, state=AttemptState.UNKNOWN), case.rules, now)
        case TooLate():
            return recall(standing, "stale", now, now)
        case Rejected(fault=Fault.NUMBER | Fault.CALLEE as blamed, cause=cause):
            became = replace(
                standing.progress,
                state=AttemptState.ENDED,
                outcome=Outcome.INVALID_NUMBER,
                fault=blamed,
                cause=cause,
                ended_at=now,
            )
            return conclude(standing, believe(standing, became, now), case.rules, now, case.rng)
        case Rejected(fault=blamed, cause=cause):
            if held is not None:
                return recall(standing, held, now, now, fault=blamed, cause=cause)
            return excuse(standing, blamed, "rejected", now, cause=cause, refusals=refusals)
        case RateLimited() if held is None:
            return recall(standing, "rate", now + BREATH * (fault.retry_after or 1), now)
        case _:
            if held is not None:
                return recall(standing, held, now, now, fault=Fault.TRUNK)
            return excuse(standing, Fault.TRUNK, "unavailable", now)


def _label(fault: PlaceError) -> str:
    names = {Rejected: "rejected", RateLimited: "rate_limited", Unavailable: "unavailable", TooLate: "too_late"}
    return names.get(type(fault), "ambiguous")


def _call(permit: Permit, callback_url: str, start_before: float, departure: Departure) -> Call:
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
        departure=departure,
        labels={"campaign": permit.campaign, "contact": permit.contact},
        variables={"first_name": permit.first_name, "last_name": permit.last_name},
    )
