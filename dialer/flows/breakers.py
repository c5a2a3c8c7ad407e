"""Breakers: what carriers' answers say of a trunk or a campaign, kept where all processes see it.

A success is a note in memory and costs nothing else; only failures, probes and the success of a probe are written. What a
placement says is read off its failure in one place (`signs`). The fence and the release obey what is written here.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from adapters.causes import Override
from adapters.errors import Ambiguous, PlaceError, RateLimited, Rejected, TooLate, Unavailable
from adapters.events import Fault
from dialer.domain import meaning
from dialer.domain.attempt import Progress
from dialer.domain.breaker import Breaker, BreakerState, Cause, Failure, absolved, failed, probing
from dialer.domain.conclude import Standing
from dialer.domain.machine import AttemptState
from dialer.domain.preflight import Reason
from dialer.domain.storm import Ending, Endings
from dialer.flows.ring import Ringer
from dialer.store import breakers, storms
from dialer.store.attempts import Permit
from dialer.store.database import Pool
from dialer.telemetry import metrics
from scheduler.clock import Clock

REASONS = {
    Cause.TRUNK: Reason.TRUNK_BREAKER,
    Cause.RATE: Reason.RATE,
    Cause.CONFIG: Reason.TRUNK_CONFIG,
    Cause.REQUEST: Reason.TRUNK_CONFIG,
    Cause.ENDINGS: Reason.TRUNK_BREAKER,
}
"""What a contact waits for that an open breaker holds back."""

LEVELS = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}

NOTHING_READ: Mapping[str, Sequence[Override]] = {}

REMEMBERED = 10_000
"""Keys of which a success is noted."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signs:
    """What a placement says of its trunk and of its campaign: a `Failure`, True = well, None = nothing."""

    trunk: Failure | bool | None
    campaign: Failure | bool | None


def signs(fault: PlaceError | None, enrolment: str) -> Signs:
    """Of a placement that failed so, or was accepted (None)."""
    match fault:
        case None:
            return Signs(True, True)
        case TooLate():
            return Signs(None, None)
        case RateLimited():
            return Signs(Failure(Cause.RATE, fault.retry_after), None)
        case Unavailable() | Ambiguous():
            return Signs(Failure(Cause.TRUNK, fault.retry_after), None)
        case Rejected(fault=Fault.CONFIG):
            return Signs(Failure(Cause.CONFIG, fault.retry_after), None)
        case Rejected(fault=Fault.TRUNK):
            return Signs(Failure(Cause.TRUNK, fault.retry_after), None)
        case Rejected(fault=Fault.REQUEST, cause=cause):
            # The carrier answered, and only this call displeases it; a defect of ours says nothing of it.
            return Signs(None if cause == DEFECT else True, Failure(Cause.REQUEST, who=enrolment))
        case _:
            return Signs(True, None)


DEFECT = "defect"
"""The cause of a refusal that was no carrier's: our own code could not make the call."""


@dataclass(frozen=True, slots=True)
class Probe:
    """`granted`: it may be placed. `held`: what it waits for; None when no breaker is open."""

    granted: bool
    held: Reason | None


def reason_of(held: Iterable[Breaker]) -> Reason | None:
    """What they make a contact wait for; None when none is open. The one that is tried last decides."""
    opened = [(each.probe_at, each.cause) for each in held if each.is_open and each.probe_at and each.cause]
    return REASONS[max(opened)[1]] if opened else None


class Breakers:
    """Of one process."""

    def __init__(
        self, pool: Pool, ringer: Ringer, clock: Clock, readings: Mapping[str, Sequence[Override]] = NOTHING_READ
    ) -> None:
        """`readings`: what the carriers of which trunks mean by their words."""
        self._pool = pool
        self._clock = clock
        self._ringer = ringer
        self._readings = readings
        self._well: dict[str, float] = {}
        """When the last success was, in monotonic seconds."""
        self._endings: defaultdict[str, Endings] = defaultdict(Endings)

    def believe(self, was: Standing, became: Progress, now: datetime) -> Progress:
        """What to make of a call's ending: as it is told, as the trunk's configuration reads it, or as the trunk's fault while
        all its calls end so. Anything else stays as it is. Then `report`."""
        if became.state is not AttemptState.ENDED or was.progress.state is AttemptState.ENDED:
            return became
        became = meaning.of_ending(became, self._readings.get(was.trunk, ()))
        return self._endings[was.trunk].believe(was.attempt, was.to_number, became, now)

    def read(self, trunk: str, fault: PlaceError) -> PlaceError:
        """A placement that failed, as the trunk's configuration reads it."""
        return meaning.of_refusal(fault, self._readings.get(trunk, ()))

    async def report(self, *trunks: str) -> None:
        """Open the breakers of those of these trunks (none named: of all) whose endings say so, and note the storm, so that whom
        it took before it was seen comes back."""
        for trunk in trunks or tuple(self._endings):
            if trunk in self._endings and self._endings[trunk].blamed:
                await self._blame(trunk, self._endings[trunk])

    async def _blame(self, trunk: str, endings: Endings) -> None:
        suspects, endings.suspects, endings.blamed = endings.suspects, set(), False
        try:
            await storms.note(self._pool, trunk, suspects, self._clock.now())
            await self.failed(f"trunk:{trunk}", Failure(Cause.ENDINGS))
        except Exception:  # the endings themselves are written
            endings.suspects |= suspects
            endings.blamed = True
            log.exception("trunk %s: that all its calls fail could not be kept; its next ending tries again", trunk)

    async def tell(self, permit: Permit, fault: PlaceError | None) -> Reason | None:
        """A placement came to this (None = accepted). What its contact waits for now, None while no breaker that it speaks of
        is open."""
        said = signs(fault, permit.enrolment)
        told = [(f"trunk:{permit.trunk}", said.trunk), (f"campaign:{permit.campaign}", said.campaign)]
        held = []
        for key, sign in told:
            if isinstance(sign, Failure):
                held.append(await self.failed(key, sign, probing=key in permit.probes))
            elif sign:
                self.well(key)
        good = [key for key, sign in told if sign is True and key in permit.probes]
        if good:
            await self.close(good)
        if fault is None:
            self._endings[permit.trunk].note(Ending(permit.attempt, permit.to_number, Fault.NONE))
        await self.report(permit.trunk)
        return reason_of(held)

    def well(self, key: str) -> None:
        if len(self._well) > REMEMBERED:
            self._well.clear()  # costs one failure counted too many
        self._well[key] = self._clock.monotonic()

    async def failed(self, key: str, failure: Failure, *, probing: bool = False) -> Breaker:
        success = self._well.pop(key, None)
        heard = self._clock.monotonic()

        def turn(was: Breaker, now: datetime) -> Breaker:
            told = failure
            if failure.retry_after is not None:  # from the carrier's answer on, not from when it was our turn to write it down
                told = replace(failure, retry_after=failure.retry_after - (self._clock.monotonic() - heard))
            # One from before another process's failure does not begin the count anew.
            well = success is not None and (was.failed_at is None or since(success, now) > was.failed_at)
            return failed(was, told, now, well=well, probing=probing)

        def since(success: float, now: datetime) -> datetime:
            return now - timedelta(seconds=self._clock.monotonic() - success)

        was, became = await breakers.change(self._pool, key, turn)
        if became.is_open and (not was.is_open or was.cause is not became.cause):
            assert became.cause is not None
            metrics.BREAKER_OPENINGS.labels(key.partition(":")[0], became.cause).inc()
            log.error("breaker of %s is open (%s): nothing is dialled there but a probe, next at %s", key, became.cause,
                      became.probe_at)  # fmt: skip
        if became.probe_at != was.probe_at:
            await self._ringer.wake([key])  # so that the schedulers know when it is to be tried
        return became

    async def absolve(self, campaign: str, enrolment: str) -> None:
        """A contact is given up because its own calls are refused: the campaign bears nothing of it."""
        key = f"campaign:{campaign}"
        was, became = await breakers.change(self._pool, key, lambda was, now: absolved(was, enrolment))
        if was.is_open and not became.is_open:
            log.warning("breaker of %s is closed again: contacts were refused for their own sake", key)
            await self._ringer.wake([key])

    async def probe(self, attempt: str, campaign: str, trunk: str) -> Probe:
        """Whether this queued attempt, which the fence refused, may be the probe."""
        keys = (f"campaign:{campaign}", f"trunk:{trunk}")
        held, taken = await breakers.take(self._pool, keys, lambda was, now: probing(was, attempt, now))
        if held and taken:
            log.info("attempt %s is the probe of %s", attempt, ", ".join(held))
        return Probe(bool(held) and taken, reason_of(held.values()))

    async def close(self, keys: Collection[str], *, proven: bool = False) -> None:
        """They are well again: whoever waits for them is dialled at once. `proven`: a call's ending says so, not only that it was
        accepted."""
        closed = await breakers.close(self._pool, keys, proven=proven)
        for each in closed:
            if each.seconds is not None:
                log.warning("breaker of %s is closed again after %.1f s", each.key, each.seconds)
        await self._ringer.wake([each.key for each in closed])

    async def started(self, trunks: Collection[str]) -> None:
        """This process holds the configuration of these trunks, which may be another one than before."""
        if retried := await breakers.retry_now(self._pool, [f"trunk:{name}" for name in trunks]):
            await self._ringer.wake(retried)

    async def watch(self, trunks: Collection[str]) -> None:
        """Tell how the breakers stand; close those of which the ledger knows meanwhile that calls get through."""
        if proven := await breakers.proven(self._pool):
            await self.close(proven, proven=True)
        found = await breakers.all_of(self._pool)
        for name in trunks:
            known = found.get(f"trunk:{name}")
            metrics.BREAKER_STATE.labels(name).set(LEVELS[known.state] if known else 0)
        metrics.CAMPAIGN_BREAKERS.set(sum(each.is_open for key, each in found.items() if key.startswith("campaign:")))
