"""The whole engine in the test's own process: scheduler, worker and callbacks on real stores, dialling a simulated carrier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from adapters.base import Hook
from adapters.simulated.carrier.script import Script
from adapters.simulated.carrier.server import Carrier
from dialer.app import Duties, House, book_of, house, repeat, ticker_of, trunks
from dialer.flows.extractions import Extractions
from dialer.flows.place import Placer, Trunk
from dialer.flows.reconcile import Reconciler
from dialer.flows.release import LedgerBook
from dialer.flows.ring import QUEUE
from dialer.flows.sweep import Sweeper
from dialer.queue import DoorbellWorker, RateBuckets
from dialer.settings import Settings
from dialer.store.database import Pool
from dialer.worker import FUNCTIONS
from tests.support.carrier import API_KEY, SIGNING_SECRET, carrier

TRUNK = "sim"
SWEEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Engine:
    """`duties` holds the running tasks; `wait` waits for what the ledger says."""

    house: House
    carrier: Carrier
    trunks: Mapping[str, Trunk]
    book: LedgerBook
    placer: Placer
    sweeper: Sweeper
    reconciler: Reconciler
    duties: Duties

    @property
    def pool(self) -> Pool:
        return self.house.database.pool

    async def until(self, query: str, *args: object, timeout: float = 60) -> object:
        """The first value of `query` that is true, asked every 20 ms: the ledger has no other way to tell."""
        async with asyncio.timeout(timeout):
            while not (value := await self.pool.fetchval(query, *args)):
                self.duties.check()
                await asyncio.sleep(0.02)
        return value


def settings_for(database_url: str, redis_url: str, base_url: str, **trunk: object) -> Settings:
    return Settings.model_validate(
        {
            "database": {"url": database_url},
            "redis": {"url": redis_url},
            "adapters": {
                TRUNK: {
                    "kind": "simulated",
                    "base_url": base_url,
                    "api_key": API_KEY,
                    "signing_secret": SIGNING_SECRET,
                    **trunk,
                }
            },
        }
    )


@asynccontextmanager
async def engine(
    database_url: str,
    redis_url: str,
    script: Script,
    *,
    running: bool = True,
    tick: float = 0.5,
    schedulers: int = 1,
    workers: int = 1,
    limit: int | None = None,
    slow_start: float = 0,
    base_url: str | None = None,
    **trunk: object,
) -> AsyncIterator[Engine]:
    """`running` False: everything is built, and nothing ticks, takes jobs or sweeps by itself. `tick`: seconds. `schedulers` and
    `workers`, each of which knows only itself. `limit` of all calls at once; `slow_start`: seconds. `base_url`: of another
    carrier than the one that is started; `trunk`: further options of the trunk."""
    async with AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(carrier(script))
        hooks, url = await stack.enter_async_context(_callbacks())
        settings = settings_for(database_url, redis_url, base_url or simulated.url, **trunk)
        http = settings.http.model_copy(update={"public_url": url})
        own = {"tick_seconds": tick, "max_concurrent_calls": limit, "slow_start_seconds": slow_start}
        settings = settings.model_copy(update={"http": http, "scheduler": settings.scheduler.model_copy(update=own)})
        h = await stack.enter_async_context(house(settings))
        await h.declare()
        await h.redis.flushdb()
        carriers = await stack.enter_async_context(trunks(settings))
        hooks["trunks"], hooks["house"] = carriers, h
        placer = Placer(h.database.pool, h.settler, RateBuckets(h.redis), carriers, h.breakers, h.clock)
        book = book_of(h)
        sweeper = Sweeper(h.database, h.settler, h.follower, h.ringer, h.clock)
        reconciler = Reconciler(h.database.pool, h.settler, h.follower, carriers, h.clock)
        duties = Duties()
        for name, work in (
            ("settle", h.settler.run()),
            ("gaps", h.gaps.run()),
            ("rest", h.settler.run_rest()),
            ("fence", placer.run_fence()),
            ("accepted", placer.run_accepted()),
        ):
            duties.start(name, work)
        if running:
            for _ in range(schedulers):
                duties.start("tick", ticker_of(h, _raise).run(duties.stop))
            duties.start("jobs", DoorbellWorker(h.redis, FUNCTIONS, queue_name=QUEUE, ctx={"placer": placer}).run())
            for _ in range(workers - 1):
                another = Placer(h.database.pool, h.settler, RateBuckets(h.redis), carriers, h.breakers, h.clock)
                duties.start("fence", another.run_fence())
                duties.start("accepted", another.run_accepted())
                duties.start("jobs", DoorbellWorker(h.redis, FUNCTIONS, queue_name=QUEUE, ctx={"placer": another}).run())
            watch = repeat("breakers", SWEEP_SECONDS, lambda: h.breakers.watch(settings.adapters), h.clock, duties.stop)
            duties.start("breakers", watch)
            duties.start("sweep", repeat("sweep", SWEEP_SECONDS, sweeper.sweep, h.clock, duties.stop))
            told = Extractions(h.database.pool, h.clock)
            duties.start("extractions", repeat("extractions", SWEEP_SECONDS, told.judge, h.clock, duties.stop))
        try:
            yield Engine(h, simulated, carriers, book, placer, sweeper, reconciler, duties)
        finally:
            duties.stop.set()
            await duties.end()


def _raise(fault: Exception) -> None:
    raise fault


@asynccontextmanager
async def _callbacks() -> AsyncIterator[tuple[dict[str, object], str]]:
    """A place for callbacks that does what the API's hooks do: verify, translate, follow, and only then answer."""
    parts: dict[str, object] = {}

    async def hear(request: web.Request) -> web.Response:
        name = request.match_info["trunk"]
        carriers, h = parts["trunks"], parts["house"]
        assert isinstance(carriers, Mapping) and isinstance(h, House)
        headers = {key.lower(): value for key, value in request.headers.items()}
        hook = Hook(request.method, str(request.url), headers, await request.read(), datetime.now(UTC))
        events, reply = carriers[name].adapter.receive(hook)
        await h.follower.follow(name, events)
        return web.Response(status=reply.status, body=reply.body)

    app = web.Application()
    app.router.add_post("/hooks/{trunk}", hear)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield parts, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
