"""The worker: woken by push, claims many jobs at once, keeps them by lease, survives Redis.

It is not a subclass of `arq.worker.Worker`. Of that class everything that touches Redis would have to be overridden (it polls,
spends four round trips on every id it reads, locks without owner or renewal, and its loop ends with the first lost
connection), and most of its thirty options (burst, poll_delay, queue_read_limit, keep_result, cron_jobs, ...) would be accepted
and mean nothing. What it keeps is what others rely on: arq's record layout, its function registry (`func`, `Function`), its
`ctx`, and `Retry`. Stock producers and stock workers can share the queue.

Promises: a job runs at least once, and again about one lease after its worker died; a job that cannot be understood is refused
with a log line and a dead letter; nothing that Redis does ends the worker. It keeps no results, knows no cron and no abort.
A stock producer does not push: its jobs are found within two seconds.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from arq.typing import WorkerCoroutine
from arq.worker import Function, Retry, RetryJob, func

from dialer.queue.claims import Claim, Claims, Ending, How
from dialer.queue.connection import BLOCK_SECONDS, REPLY_SECONDS, BoundedRedis
from dialer.queue.endings import Endings
from dialer.queue.outage import Outage, pause
from dialer.queue.payload import Malformed, Record, read

RECORD_SHOWN = 1024
"""Bytes of a refused record kept in its dead letter."""

CANCEL_SECONDS = 1.0
"""How long a cancelled job may take to end before drain stops waiting for it."""

FLUSH_SECONDS = 1.0
"""How long drain tries to write down what has ended while Redis is away."""

UNBLOCK_SECONDS = 0.5
"""How long drain waits for Redis to end a blocking command before it hangs up."""

AGAIN_MS = 1000
"""A job that this worker lost and claimed again while still running it is looked at again after this."""

log = logging.getLogger(__name__)


class DoorbellWorker:
    """Runs jobs of one queue in one event loop; `run` once, `drain` to end it.

    `max_jobs` run at once. `job_timeout` (seconds) and `max_tries` hold where the function, or the job, says nothing else: past
    the one the job is cancelled and failed, past the other it is refused. `lease` (seconds) is how long the jobs of a killed
    worker rest; it is renewed three times per lease, so a job must not block the event loop for longer than two thirds of it.
    """

    def __init__(
        self,
        redis: BoundedRedis,
        functions: Sequence[Function | WorkerCoroutine],
        *,
        queue_name: str,
        ctx: Mapping[str, Any] | None = None,
        max_jobs: int = 100,
        job_timeout: float = 10.0,
        max_tries: int = 3,
        lease: float = 15.0,
    ) -> None:
        self.functions: dict[str, Function] = {each.name: each for each in map(func, functions)}
        self.queue_name = queue_name
        self.complete = self.failed = self.retried = self.refused = 0
        self._redis = redis
        self._ctx = dict(ctx or {})
        self._max_jobs = max_jobs
        self._job_timeout = job_timeout
        self._max_tries = max_tries
        self._lease = lease
        self._claims = Claims(redis, queue_name, me=secrets.token_hex(8), lease=lease, horizon=BLOCK_SECONDS)
        self._endings = Endings(self._claims, Outage(f"worker of {queue_name}, settling"))
        self._running: dict[bytes, asyncio.Task[Ending]] = {}
        self._freed = asyncio.Event()
        self._draining = asyncio.Event()
        self._closing = asyncio.Event()
        self._over = asyncio.Event()
        self._listening: asyncio.Timeout | None = None
        self._grace = 0.0
        self._put_back = 0
        self._started = False

    @property
    def running(self) -> int:
        """Jobs running now."""
        return len(self._running)

    async def run(self) -> None:
        """Run jobs until drained. When cancelled instead, cancels its jobs, puts them back, and ends cancelled."""
        if self._started:
            raise RuntimeError("This worker has run already; make a new one.")
        self._started = True
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._endings.write())
                tasks.create_task(self._renew())
                await self._take(tasks)
                await self._finish()
                self._closing.set()
                self._endings.stop()
                await writer
                await self._close()  # not later: the group waits for jobs that resist being cancelled
        finally:
            if not self._over.is_set():
                await self._close()

    async def drain(self, timeout: float) -> int:
        """Take no job any more from this moment, give the running ones so many seconds to finish, then cancel them and put
        them back at the head of the queue; returns how many those were."""
        self._grace = timeout
        self._draining.set()
        self._freed.set()  # a full worker waits for this
        if not self._started:
            return 0
        if self._listening is not None:
            self._listening.reschedule(asyncio.get_running_loop().time() + UNBLOCK_SECONDS)
            await self._unblock()
        await self._over.wait()
        return self._put_back

    async def _take(self, tasks: asyncio.TaskGroup) -> None:
        """Claim whenever there is a free slot and something may be due; until drained."""
        outage = Outage(f"worker of {self.queue_name}, claiming")
        rest = 0.0
        while not self._draining.is_set():
            self._freed.clear()
            if (free := self._max_jobs - len(self._running)) <= 0:
                await self._freed.wait()
                rest = 0.0
                continue
            try:
                claims, rest = await (self._listen(free, rest) if rest > 0 else self._claims.claim(free))
                outage.over()
                for claim in claims:
                    self._start(claim, tasks)
            except Exception as error:
                rest = 0.0
                await pause(outage.failed(error), self._draining)

    async def _listen(self, free: int, seconds: float) -> tuple[list[Claim], float]:
        """What there is to claim once somebody has pushed, the time is over, or the worker is drained."""
        try:
            async with asyncio.timeout(seconds + REPLY_SECONDS) as self._listening:
                return await self._claims.claim_when_pushed(free, seconds)
        finally:
            self._listening = None

    async def _unblock(self) -> None:
        """Not by hanging up: Redis may just be answering with jobs, which would be nobody's until their lease is over."""
        try:
            async with asyncio.timeout(UNBLOCK_SECONDS):
                await self._claims.unblock()
        except Exception as error:
            log.warning("worker of %s: Redis is not told of the drain: %s", self.queue_name, type(error).__name__)

    async def _renew(self) -> None:
        outage = Outage(f"worker of {self.queue_name}, renewing")
        rest = self._lease / 3
        while True:
            await pause(rest, self._closing)
            if self._closing.is_set():
                return
            try:
                lost = await self._claims.renew([*self._running, *self._endings.ids()])
            except Exception as error:
                rest = outage.failed(error)
                continue
            outage.over()
            rest = self._lease / 3
            for id_ in lost:
                if id_ in self._running:
                    log.warning("job %s: its lease is lost, it may be running elsewhere too", show(id_))

    async def _finish(self) -> None:
        """Let running jobs finish in the time given, then cancel the others."""
        if not self._running:
            return
        await asyncio.wait(self._running.values(), timeout=self._grace)
        unfinished = dict(self._running)
        for task in unfinished.values():
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished.values(), timeout=CANCEL_SECONDS)
            for id_ in self._running:
                log.error("job %s resists being cancelled; it is left to its lease", show(id_))

    async def _close(self) -> None:
        self._closing.set()
        try:
            if unwritten := await self._endings.flush(FLUSH_SECONDS):
                log.warning("%d ended jobs could not be written down and will run again", unwritten)
        finally:
            self._over.set()

    def _start(self, claim: Claim, tasks: asyncio.TaskGroup) -> None:
        if self._draining.is_set():
            self._endings.add(Ending(claim.id, How.BACK))
            return
        if claim.id in self._running:
            self._endings.add(Ending(claim.id, How.BACK, AGAIN_MS))
            return
        try:
            if claim.record is None:
                raise Malformed("the record is missing or has expired")
            record = read(claim.record)
            function = self.functions.get(record.f)
            if function is None:
                raise Malformed("no such function is registered here")
            attempt = (record.t or 1) + claim.tried - 1
            most = record.m or function.max_tries or self._max_tries
            if attempt > most:
                raise Malformed(f"tried {most} times already")
        except Malformed as error:
            self._refuse(claim, str(error))
            return
        task = tasks.create_task(self._run_job(claim, record, function, attempt))
        self._running[claim.id] = task
        task.add_done_callback(partial(self._ended, claim.id))  # a task cancelled before its first step runs no code of its own

    def _ended(self, id_: bytes, task: asyncio.Task[Ending]) -> None:
        del self._running[id_]
        if task.cancelled() or task.exception() is not None:
            self._put_back += 1
            self._endings.add(Ending(id_, How.BACK))
        else:
            self._endings.add(task.result())
        self._freed.set()

    def _refuse(self, claim: Claim, why: str) -> None:
        self._endings.add(self._refused(claim, why))

    def _refused(self, claim: Claim, why: str) -> Ending:
        self.refused += 1
        log.error("job %s refused: %s", show(claim.id), why)
        letter = {
            "id": show(claim.id),
            "why": why,
            "at": claim.now,
            "record": None if claim.record is None else claim.record[:RECORD_SHOWN].decode(errors="replace"),
        }
        return Ending(claim.id, How.DEAD, msgspec.json.encode(letter))

    async def _run_job(self, claim: Claim, record: Record, function: Function, attempt: int) -> Ending:
        ctx = {
            **self._ctx,
            "job_id": show(claim.id),
            "job_try": attempt,
            "enqueue_time": datetime.fromtimestamp(record.et / 1000, UTC),
            "score": claim.score,
        }
        try:
            async with asyncio.timeout(self._job_timeout if function.timeout_s is None else function.timeout_s):
                await function.coroutine(ctx, *record.a, **record.k)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            self.retried += 1  # nobody cancelled the job: something it waited for was cancelled
            return Ending(claim.id, How.RETRY)
        except Malformed as error:
            return self._refused(claim, str(error))
        except (Retry, RetryJob) as error:
            self.retried += 1
            return Ending(claim.id, How.RETRY, getattr(error, "defer_score", None) or 0)
        except Exception as error:
            self.failed += 1
            log.exception("job %s: %s failed in try %d: %s", show(claim.id), function.name, attempt, type(error).__name__)
            return Ending(claim.id, How.DONE)
        self.complete += 1
        return Ending(claim.id, How.DONE)


def show(id_: bytes) -> str:
    """A job's id as text, whatever it is made of."""
    return id_.decode(errors="replace")
