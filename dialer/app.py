"""The composition root: builds every part once, owns every task, and ends them in order.

A role runs until SIGTERM or SIGINT, then drains: stop ticking, stop taking, finish placing, follow what was told, close. A task
that ends by itself ends the role with an error, so that whoever supervises it starts it anew.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from adapters.events import Phase
from adapters.failpoints import failpoint_during
from dialer import health
from dialer.extraction import asking
from dialer.flows.breakers import Breakers
from dialer.flows.extractions import EVERY_SECONDS as EXTRACTIONS_SECONDS
from dialer.flows.extractions import Extractions
from dialer.flows.follow import Follower
from dialer.flows.gaps import Gaps
from dialer.flows.hang_up import hang_up_campaign
from dialer.flows.keep_hour import keep_hour
from dialer.flows.paced import Paced
from dialer.flows.place import Placer, Trunk
from dialer.flows.reconcile import Reconciler
from dialer.flows.release import LedgerBook, RulesReader
from dialer.flows.requests import Desk
from dialer.flows.ring import QUEUE, Ringer
from dialer.flows.settle import Settler
from dialer.flows.sweep import Sweeper
from dialer.flows.transcripts import EVERY_SECONDS as TRANSCRIPTS_SECONDS
from dialer.flows.watch import EVERY_SECONDS as WATCH_SECONDS
from dialer.flows.watch import Watch
from dialer.queue import SHARE, Bell, DoorbellWorker, JobQueue, Pace, Quotas, RateBuckets, close, connect
from dialer.settings import Settings, own_packs
from dialer.store import claims, revision
from dialer.store.database import Database
from dialer.telemetry import metrics
from dialer.watchdog import Watchdog
from scheduler.clock import Clock, SteadyClock, SystemClock, unless_stopped
from scheduler.policies import adopt
from scheduler.ticker import Ticker

if TYPE_CHECKING:
    from dialer.api.context import ApiContext

DRAIN_SECONDS = 20.0
"""How long a worker's running dial jobs may take to end after SIGTERM."""

REQUESTS_AT_ONCE = 4
"""Requests of other services that one worker carries out at the same time."""

RECONCILE_SECONDS = 1.0
"""How often overdue attempts are looked for: what a slot of a dead process waits for beyond what its question may take."""

LOOK_SECONDS = 2.0
"""How often it is looked how the breakers stand."""

YOUNG_OBJECTS = 50_000
"""Objects that the scheduler makes before the collector looks through them. What a round over ten thousand campaigns reads is
gone after it, and at Python's 700 a third of the round was spent on looking through it."""

HOUR_SECONDS = 1.0
"""How often our clock is compared with the database's."""

log = logging.getLogger(__name__)


class NotMigrated(Exception):
    """The database has no schema, or one older than this version's; run `dialer migrate`."""


@dataclass(frozen=True, slots=True)
class House:
    """What every role is built from."""

    settings: Settings
    clock: SteadyClock
    database: Database
    redis: Any
    bell: Bell
    ringer: Ringer
    rules: RulesReader
    settler: Settler
    follower: Follower
    breakers: Breakers
    gaps: Gaps

    def duties(self, duties: Duties) -> None:
        """What runs in every role."""
        duties.start("settle", self.settler.run())
        duties.start("rest", self.settler.run_rest())
        hour = repeat("clock", HOUR_SECONDS, lambda: keep_hour(self.database.pool, self.clock), self.clock, duties.stop)
        duties.start("clock", hour)

    async def declare(self) -> None:
        """What the configuration of a role says to all. A command may have another one, or none, and says nothing."""
        await claims.declare_fleet(self.database.pool, self.settings.scheduler.max_concurrent_calls)

    async def ready(self) -> None:
        """Raises while one of the stores cannot be used."""
        await self.database.pool.fetchval("select 1")
        await self.ringer.ping()


@asynccontextmanager
async def house(settings: Settings) -> AsyncIterator[House]:
    """Open the stores. `settings` must hold both URLs. Raises `NotMigrated`, or `ConfigFaults` for policy packs."""
    assert settings.database.url is not None and settings.redis.url is not None
    url = settings.database.url.get_secret_value()
    if not await revision.usable(url):
        raise NotMigrated((NotMigrated.__doc__ or "").strip())
    adopt(own_packs(settings))
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            await Database.open(
                url, pool_size=settings.database.pool_size, statement_timeout=settings.database.statement_timeout_seconds
            )
        )
        redis = connect(settings.redis.url.get_secret_value())
        stack.push_async_callback(close, redis)
        await claims.declare_trunks(database.pool, {name: t.max_concurrent_calls for name, t in settings.adapters.items()})
        clock = SteadyClock(SystemClock())
        await keep_hour(database.pool, clock)
        bell = Bell(redis)
        ringer = Ringer(bell, JobQueue(redis, QUEUE))
        rules = RulesReader(database.pool)
        settler = Settler(database.pool, ringer, rules, clock, Random())
        readings = {name: trunk.readings for name, trunk in settings.adapters.items()}
        breakers = Breakers(database.pool, ringer, clock, readings)
        follower = Follower(database.pool, settler, breakers)
        gaps = Gaps(database.pool, clock)
        yield House(settings, clock, database, redis, bell, ringer, rules, settler, follower, breakers, gaps)


@asynccontextmanager
async def trunks(settings: Settings) -> AsyncIterator[Mapping[str, Trunk]]:
    """The configured carriers, connected. Raises ValueError when one's options are wrong."""
    from adapters.registry import build

    async with AsyncExitStack() as stack:
        built = {}
        for name, trunk in settings.adapters.items():
            adapter = await stack.enter_async_context(build(name, trunk.kind, trunk.options))
            built[name] = Trunk(adapter, trunk.calls_per_second, f"{settings.http.base_url}/hooks/{name}")
        yield built


class Duties:
    """The tasks of a role. One that ends before it is told to is a fault of the whole role."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self.stop = asyncio.Event()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)
        return task

    async def until_stopped(self) -> None:
        """Returns on SIGTERM or SIGINT. Raises when a task ended before that."""
        gc.collect()
        gc.freeze()  # what is there now stays until the end: looking through it again and again only makes pauses
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        told = asyncio.create_task(self.stop.wait(), name="until stopped")
        try:
            await asyncio.wait({told, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
        if not self.stop.is_set():
            self.check()

    def check(self) -> None:
        """Raises when a task has ended, what it raised or RuntimeError."""
        for task in self._tasks:
            if task.done():
                task.result()
                raise RuntimeError(f"the task {task.get_name()!r} ended by itself")

    async def end(self) -> None:
        """Cancel what is still running, the newest first."""
        for task in reversed(self._tasks):
            task.cancel()
            await asyncio.wait({task})


async def repeat(name: str, every: float, work: Callable[[], Awaitable[object]], clock: Clock, stop: asyncio.Event) -> None:
    """Do `work` each `every` seconds until `stop`; a failure is told and tried again."""
    while not stop.is_set():
        try:
            await work()
        except Exception:
            metrics.FAILURES.labels(name).inc()
            log.exception("%s failed; it is tried again in %s s", name, every)
        await unless_stopped(stop, clock.sleep(every))


def release_rates(settings: Settings) -> dict[str, float]:
    """Each trunk that has a rate → releases per second: as many as the workers' buckets let through. Of more, those that waited
    in vain would be taken back, and their campaigns would have to wait until it is their turn again."""
    rates = {name: trunk.calls_per_second for name, trunk in settings.adapters.items()}
    return {name: SHARE * rate for name, rate in rates.items() if rate is not None}


def book_of(h: House) -> LedgerBook:
    """What whoever releases works with; of one task."""
    paced = Paced(Pace(h.redis), release_rates(h.settings))
    slow = h.settings.scheduler.slow_start_seconds
    return LedgerBook(h.database.pool, h.ringer, h.clock, h.settings.adapters, h.rules, paced, slow)


def ticker_of(h: House, report: Callable[[Exception], None], took: Callable[[float], None] = lambda seconds: None) -> Ticker:
    """A scheduler's loop over a book of its own."""
    own = h.settings.scheduler
    rates = {f"trunk:{name}": rate for name, rate in release_rates(h.settings).items()}
    return Ticker(book_of(h), h.bell, h.clock, own.tick_seconds, report, rates, own.claim_limit, took)


def round_took(seconds: float) -> None:
    """What is told of a round of the scheduler."""
    metrics.ROUND_SECONDS.observe(seconds)
    log.debug("a round took %.4f s", seconds)


def _tick_failed(fault: Exception) -> None:
    metrics.FAILURES.labels("tick").inc()
    log.error("a tick failed and is tried again: %r", fault, exc_info=fault)


async def run_scheduler(settings: Settings) -> None:
    """The role `scheduler`."""
    own = settings.scheduler
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    async with (
        house(settings) as h,
        asking(settings, h.database.pool, h.clock) as transcripts,
        health.serving("scheduler.health_port", own.health_port, h.ready),
    ):
        ticker = ticker_of(h, _tick_failed, round_took)
        sweeper = Sweeper(h.database, h.settler, h.follower, h.ringer, h.clock)
        await h.declare()
        duties = Duties()
        h.duties(duties)
        duties.start("watchdog", Watchdog(h.clock).run())
        duties.start("sweep", repeat("sweep", own.sweep_seconds, sweeper.sweep, h.clock, duties.stop))
        told = Extractions(h.database.pool, h.clock)
        duties.start("extractions", repeat("extractions", EXTRACTIONS_SECONDS, told.judge, h.clock, duties.stop))
        if transcripts is not None:
            duties.start("transcripts", repeat("transcripts", TRANSCRIPTS_SECONDS, transcripts.ask, h.clock, duties.stop))
        duties.start("recount", repeat("recount", own.recount_seconds, sweeper.recount, h.clock, duties.stop))
        watch = repeat("breakers", LOOK_SECONDS, lambda: h.breakers.watch(settings.adapters), h.clock, duties.stop)
        duties.start("breakers", watch)
        looker = Watch(h.database.pool, LedgerBook(h.database.pool, h.ringer, h.clock, settings.adapters, h.rules), h.clock)
        duties.start("watch", repeat("watch", WATCH_SECONDS, looker.look, h.clock, duties.stop))
        ticking = duties.start("tick", ticker.run(duties.stop))
        try:
            await duties.until_stopped()
            await asyncio.wait({ticking})
        finally:
            await duties.end()


async def run_worker(settings: Settings) -> None:
    """The role `worker`."""
    from dialer.worker import FUNCTIONS, REQUEST_QUEUE, REQUESTS

    own = settings.worker
    async with house(settings) as h, trunks(settings) as carriers, health.serving("worker.health_port", own.health_port, h.ready):
        placer = Placer(h.database.pool, h.settler, RateBuckets(h.redis), carriers, h.breakers, h.clock)
        reconciler = Reconciler(h.database.pool, h.settler, h.follower, carriers, h.clock)
        worker = DoorbellWorker(h.redis, FUNCTIONS, queue_name=QUEUE, ctx={"placer": placer}, max_jobs=own.concurrency)
        asked = DoorbellWorker(h.redis, REQUESTS, queue_name=REQUEST_QUEUE, ctx={"desk": desk(h)}, max_jobs=REQUESTS_AT_ONCE)
        await h.breakers.started(carriers)
        await h.declare()
        duties = Duties()
        h.duties(duties)
        duties.start("watchdog", Watchdog(h.clock).run())
        duties.start("fence", placer.run_fence())
        duties.start("accepted", placer.run_accepted())
        duties.start("gaps", h.gaps.run())
        for name, trunk in carriers.items():
            duties.start(f"events of {name}", _listen(name, trunk, h.follower, h.gaps, duties.stop))
        duties.start("reconcile", repeat("reconcile", RECONCILE_SECONDS, reconciler.sweep, h.clock, duties.stop))
        duties.start("jobs", worker.run())
        duties.start("requests", asked.run())
        try:
            await duties.until_stopped()
            await failpoint_during("K12", asyncio.gather(worker.drain(DRAIN_SECONDS), asked.drain(DRAIN_SECONDS)))
        finally:
            await duties.end()


async def _listen(name: str, trunk: Trunk, follower: Follower, gaps: Gaps, stop: asyncio.Event) -> None:
    """Follow the events of a carrier that speaks by socket; one that calls back has none, and then this only waits."""
    async for event in trunk.adapter.events():
        if event.phase is Phase.GAP:
            gaps.suspect([name])
            continue
        await follower.follow(name, [event])
    await stop.wait()


async def run_api(settings: Settings) -> None:
    """The role `api`."""
    from dialer.api.app import build
    from dialer.serve import serve

    async with (
        house(settings) as h,
        trunks(settings) as carriers,
        health.serving("http.metrics_port", settings.http.metrics_port, h.ready),
    ):
        await h.declare()
        duties = Duties()
        h.duties(duties)
        duties.start("gaps", h.gaps.run())
        app = build(api_context(h, carriers, duties.stop))
        missed = partial(h.gaps.suspect, carriers)  # nobody heard what was told before it listened, or while it stood still
        duties.start("watchdog", Watchdog(h.clock, missed).run())
        serving = duties.start("http", serve(app, settings.http.host, settings.http.port, duties.stop, on_listening=missed))
        try:
            await duties.until_stopped()
            await asyncio.wait({serving})
        finally:
            await duties.end()


def desk(h: House) -> Desk:
    """What flows that decide a run work with, whoever asked for it."""

    return Desk(
        database=h.database,
        clock=h.clock,
        ringer=h.ringer,
        trunks=h.settings.adapters,
        pause=h.clock.sleep,
        release=lambda campaign: book_of(h).run(campaign),
        preview=lambda campaign, most: book_of(h).preview(campaign, most),
    )


def api_context(h: House, carriers: Mapping[str, Trunk], stopping: asyncio.Event | None = None) -> ApiContext:
    """What the API's routes work with; `stopping` ends the streams that would never end by themselves."""
    from dialer.api.context import ApiContext

    own = desk(h)
    adapters = {name: trunk.adapter for name, trunk in carriers.items()}
    return ApiContext(
        database=h.database,
        clock=h.clock,
        settings=h.settings,
        ringer=h.ringer,
        quotas=Quotas(h.redis),
        trunks=adapters,
        pause=h.clock.sleep,
        release=own.release,
        preview=own.preview,
        hang_up=lambda campaign: hang_up_campaign(h.database.pool, adapters, campaign),
        follow=h.follower.follow,
        suspect=h.gaps.suspect,
        imports=asyncio.Semaphore(h.settings.http.large_imports),
        stopping=stopping or asyncio.Event(),
    )


ROLES: Mapping[str, Callable[[Settings], Coroutine[Any, Any, None]]] = {
    "scheduler": run_scheduler,
    "worker": run_worker,
    "api": run_api,
}
