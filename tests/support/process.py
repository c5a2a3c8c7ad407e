"""One process of the engine that can be killed between two statements: its flows on stores that stop where they are told to.

`Gates` are named by what is about to happen or has just happened: "place:before" and "place:after" stand on both sides of the
statement `place` of queries.sql. A killed process writes nothing any more, not even while its tasks unwind: what a real kill
leaves behind is what its last statement committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random
from typing import Any, TypeVar, cast

from dialer.api.context import ApiContext
from dialer.app import House, api_context
from dialer.flows.breakers import Breakers
from dialer.flows.follow import Follower
from dialer.flows.gaps import Gaps
from dialer.flows.place import Placer, Trunk
from dialer.flows.reconcile import Reconciler
from dialer.flows.release import LedgerBook, RulesReader
from dialer.flows.ring import QUEUE, Ringer
from dialer.flows.settle import Settler
from dialer.flows.sweep import Sweeper
from dialer.queue import Bell, JobQueue, RateBuckets
from dialer.settings import Settings
from dialer.store.database import Database, Pool
from dialer.store.statements import names, statement
from scheduler.clock import Clock, SteadyClock

T = TypeVar("T")

MANY = 1000
"""Placements that a trunk may have before it has answered: the order in which calls go out is the story's to choose."""

_NAMES = {statement(name, skip_locked=skip): name for name in names() for skip in (False, True)}


class Killed(ConnectionError):
    """The process is dead; it reaches nobody any more."""


class Gates:
    """Where a process stops. One that is closed stops whoever comes first; the others pass."""

    def __init__(self) -> None:
        self._closed: dict[str, asyncio.Future[None]] = {}
        self.dead = False

    def close(self, name: str) -> asyncio.Future[None]:
        """Stop the next one who comes to `name`; the answer is done when somebody has come."""
        return self._closed.setdefault(name, asyncio.get_running_loop().create_future())

    def open_all(self) -> None:
        """Stop nobody any more; whoever stands somewhere stays there."""
        self._closed.clear()

    async def come_to(self, name: str) -> None:
        if self.dead:
            raise Killed
        if (somebody := self._closed.pop(name, None)) is not None:
            somebody.set_result(None)
            await asyncio.get_running_loop().create_future()  # only a kill ends it


class _GatedPool:
    """A pool with a gate on both sides of each named statement, which knows whether anything is under way."""

    def __init__(self, pool: Pool, gates: Gates) -> None:
        self._pool = pool
        self._gates = gates
        self.busy = 0

    @asynccontextmanager
    async def _doing(self) -> AsyncIterator[None]:
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1

    async def fetch(self, query: str, *args: Any) -> Any:
        name = _NAMES.get(query, "")
        await self._gates.come_to(f"{name}:before")
        async with self._doing():
            rows = await self._pool.fetch(query, *args)
        await self._gates.come_to(f"{name}:after")
        return rows

    async def fetchrow(self, query: str, *args: Any) -> Any:
        await self._gates.come_to("")
        return await self._pool.fetchrow(query, *args)

    async def execute(self, query: str, *args: Any) -> Any:
        await self._gates.come_to("")
        return await self._pool.execute(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        await self._gates.come_to("")
        return await self._pool.fetchval(query, *args)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        await self._gates.come_to("")
        async with self._doing(), self._pool.acquire() as connection:
            yield connection


class _Jobs(JobQueue):
    """A story takes dials up from the ledger: its jobs lie in Redis for ever, by a clock that no story can move."""

    async def waited(self) -> float:
        return 0.0


class Process:
    """Scheduler, worker and API in one, as `dialer.app` composes them."""

    def __init__(self, settings: Settings, database: Database, redis: Any, clock: Clock, trunks: Mapping[str, Trunk]) -> None:
        self.gates = Gates()
        self._pool = _GatedPool(database.pool, self.gates)
        pool = cast(Pool, self._pool)
        ringer = Ringer(Bell(redis), _Jobs(redis, QUEUE))
        rules = RulesReader(pool)
        settler = Settler(pool, ringer, rules, clock, Random(0))
        breakers = Breakers(pool, ringer, clock)
        follower = Follower(pool, settler, breakers)
        both = Database(pool, database.engine)
        gaps = Gaps(pool, clock)
        house = House(settings, SteadyClock(clock), both, redis, Bell(redis), ringer, rules, settler, follower, breakers, gaps)
        self.api: ApiContext = replace(api_context(house, trunks), pause=self._wait_out_the_fence)
        self._clock = clock
        self._at_the_fence: asyncio.Future[float] | None = None
        self.book = LedgerBook(pool, ringer, clock, trunks, rules)
        self.follower = follower
        self.placer = Placer(pool, settler, RateBuckets(redis), trunks, breakers, clock, first=MANY)
        self.sweeper = Sweeper(both, settler, follower, ringer, clock)
        self.reconciler = Reconciler(pool, settler, follower, trunks, clock)
        self._tasks: set[asyncio.Task[Any]] = set()
        for work in (settler.run(), settler.run_rest(), self.placer.run_fence(), self.placer.run_accepted()):
            self.start(work)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that dies with the process."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def ask(self, work: Coroutine[Any, Any, T]) -> tuple[asyncio.Task[T], float]:
        """Start `work` of the API; returns when it is done or has committed and waits out the fence, with the time (monotonic) at
        which that is over. What it raises before that is raised."""
        fence = self._at_the_fence = asyncio.get_running_loop().create_future()
        task = self.start(work)
        await asyncio.wait({task, fence}, return_when=asyncio.FIRST_COMPLETED)
        self._at_the_fence = None
        if task.done():
            task.result()
        return task, fence.result() if fence.done() else self._clock.monotonic()

    async def _wait_out_the_fence(self, seconds: float) -> None:
        if self._at_the_fence is not None:
            self._at_the_fence.set_result(self._clock.monotonic() + seconds)
        await self._clock.sleep(seconds)

    async def die_at(self, gate: str, work: Coroutine[Any, Any, Any]) -> bool:
        """Do `work` and die at `gate`; False when it was done without coming there, and the process lives."""
        stopped = self.gates.close(gate)
        task = self.start(work)
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        self.gates.open_all()
        if not stopped.done():
            await task
            return False
        await self.kill()
        return True

    async def still(self) -> None:
        """Return when everything that could go on has gone on, as far as the ledger can tell."""
        quiet = 0
        while quiet < 5:
            await asyncio.sleep(0)
            quiet = 0 if self._pool.busy else quiet + 1

    async def kill(self) -> None:
        self.gates.dead = True
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
