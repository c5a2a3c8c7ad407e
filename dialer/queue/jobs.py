"""Enqueueing: a whole batch in one round trip, in arq's own record layout.

An id that is already queued or running is refused, so it may be enqueued as often as one likes. Kept results of stock workers
are not looked at: stock arq refuses an id while its result is kept, and a wake-up is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dialer.queue.connection import BoundedRedis, Script, reaching
from dialer.queue.layout import LUA, wake_key
from dialer.queue.payload import open_record

ENQUEUE: Final = (
    LUA
    + """
local stamp = string.format('%.0f}', now)
local new, due = 0, {}
for i = 1, #ARGV, 3 do
  local id, at = ARGV[i], tonumber(ARGV[i + 2])
  if at == 0 then at = now end
  local keep = string.format('%.0f', math.max(at - now, 0) + RECORD_MS)
  if redis.call('SET', JOB .. id, ARGV[i + 1] .. stamp, 'PX', keep, 'NX') then
    new = new + 1
    due[#due + 1] = at
    due[#due + 1] = id
    if #due == 1000 then
      redis.call('ZADD', KEYS[1], unpack(due))
      due = {}
    end
  end
end
if #due > 0 then redis.call('ZADD', KEYS[1], unpack(due)) end
if new > 0 then push(KEYS[2]) end
return new
"""
)

WAITED: Final = (
    LUA
    + """
local head = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return head[2] and math.max(0, now - math.floor(tonumber(head[2]))) or 0
"""
)


@dataclass(frozen=True, slots=True)
class Job:
    """A call of `function(ctx, **payload)` by a worker. `id` is unique over all queues; `payload` is what JSON can carry."""

    function: str
    payload: Mapping[str, Any]
    id: str
    defer_until: datetime | None = None
    """Not before this moment; with a time zone."""
    max_tries: int | None = None
    """Bound on tries of this job; None leaves it to the function or the worker."""

    def __post_init__(self) -> None:
        if self.defer_until is not None and self.defer_until.tzinfo is None:
            raise ValueError("defer_until has no time zone; give it one.")
        if self.max_tries is not None and self.max_tries < 1:
            raise ValueError(f"max_tries is {self.max_tries}; it must be at least 1.")


class JobQueue:
    """Where jobs are put for the workers of the same `queue_name`."""

    def __init__(self, redis: BoundedRedis, queue_name: str) -> None:
        self._redis = redis
        self._keys = (queue_name, wake_key(queue_name))
        self._enqueue = Script(redis, ENQUEUE)
        self._waited = Script(redis, WAITED)

    async def ping(self) -> None:
        """Raises `QueueUnavailable` when Redis does not answer."""
        with reaching("asking whether Redis is there"):
            await self._redis.ping()

    async def waited(self) -> float:
        """For how many seconds the oldest job that nobody runs could have been taken up; 0 when there is none.

        Raises `QueueUnavailable`.
        """
        with reaching("asking how long jobs wait"):
            return int(await self._waited(self._keys[:1])) / 1000

    async def enqueue(self, jobs: Sequence[Job]) -> int:
        """Put all jobs in the queue in one step and wake a worker; returns how many were new.

        Redis serves nobody else meanwhile (about 10 ms per 1,000 jobs). Raises `QueueUnavailable`, and TypeError for a
        payload that JSON cannot carry.
        """
        if not jobs:
            return 0
        args: list[str | bytes | int] = []
        for job in jobs:
            due = 0 if job.defer_until is None else max(1, round(job.defer_until.timestamp() * 1000))
            args += (job.id, open_record(job.function, job.payload, job.max_tries), due)
        with reaching("enqueueing jobs"):
            return int(await self._enqueue(self._keys, args))
