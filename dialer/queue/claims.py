"""Which worker runs which job: claiming, renewing and settling, many jobs in one script each.

A claim writes the worker's name into arq's in-progress key for a lease and moves the job's score to the lease's end. So a
running job is outside everybody's scan, a dead worker's job comes due by itself, and who lost a lease can settle nothing.
Jobs that a stock arq worker runs (it neither names itself nor moves the score) are moved out of the scan in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from dialer.queue.connection import REPLY_SECONDS, BoundedRedis, Script
from dialer.queue.layout import LUA, dead_key, wake_key

MOST_AT_ONCE: Final = 500
"""Jobs per script: Redis serves nobody else meanwhile, and Lua cannot unpack much more than 2,000 values."""

CLAIM: Final = (
    LUA
    + """
local queue, me = KEYS[1], ARGV[1]
local want, lease, horizon = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local ids, scores, records = {}, {}, {}
while #ids < want do
  local due = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', 0, want - #ids)
  if #due == 0 then break end
  local moved = {}
  for i = 1, #due, 2 do
    local id, until_ms = due[i], lease
    if redis.call('SET', PROGRESS .. id, me, 'PX', lease, 'NX') then
      ids[#ids + 1], scores[#scores + 1], records[#records + 1] = id, due[i + 1], JOB .. id
    else
      local left = redis.call('PTTL', PROGRESS .. id)
      if left > 0 and left < lease then until_ms = left end
    end
    moved[#moved + 1] = now + until_ms
    moved[#moved + 1] = id
  end
  redis.call('ZADD', queue, unpack(moved))
end
local wait = until_head(queue, horizon)
local reply = {now, wait}
if #ids > 0 then
  records = redis.call('MGET', unpack(records))
  for i, id in ipairs(ids) do
    local try = redis.pcall('INCR', RETRY .. id)
    if type(try) == 'table' then try = 1 end  -- not a number: somebody else's rubbish
    if try == 1 then redis.call('SET', RETRY .. id, '1', 'PX', RECORD_MS) end
    local n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = id, records[i], try, scores[i]
  end
  -- Full: whatever else comes due before this worker looks again is for another one.
  if #ids == want and wait < horizon then push(KEYS[2]) end
end
return reply
"""
)

RENEW: Final = (
    LUA
    + """
local me, lease = ARGV[1], tonumber(ARGV[2])
local keys, kept, lost = {}, {}, {}
for i = 3, #ARGV do keys[#keys + 1] = PROGRESS .. ARGV[i] end
for i, owner in ipairs(redis.call('MGET', unpack(keys))) do
  local id = ARGV[i + 2]
  if owner == me then
    redis.call('PEXPIRE', keys[i], lease)
    kept[#kept + 1] = now + lease
    kept[#kept + 1] = id
  else
    lost[#lost + 1] = id
  end
end
if #kept > 0 then redis.call('ZADD', KEYS[1], 'XX', unpack(kept)) end
return lost
"""
)

SETTLE: Final = (
    LUA
    + """
local queue, me, horizon = KEYS[1], ARGV[1], tonumber(ARGV[2])
local keys, gone, members, dead, freed = {}, {}, {}, false, #ARGV == 2
for i = 3, #ARGV, 3 do keys[#keys + 1] = PROGRESS .. ARGV[i] end
local owners = #keys > 0 and redis.call('MGET', unpack(keys)) or {}
for i, owner in ipairs(owners) do
  if owner == me then
    local id, how, detail = ARGV[3 * i], ARGV[3 * i + 1], ARGV[3 * i + 2]
    gone[#gone + 1] = keys[i]
    if how == 'done' or how == 'dead' then
      gone[#gone + 1] = JOB .. id
      gone[#gone + 1] = RETRY .. id
      members[#members + 1] = id
      if how == 'dead' then
        redis.call('LPUSH', KEYS[3], detail)
        dead = true
      end
    else
      freed = true
      if how == 'back' then redis.pcall('DECR', RETRY .. id) end
      redis.call('ZADD', queue, 'XX', now + tonumber(detail), id)
    end
  end
end
if #gone > 0 then redis.call('DEL', unpack(gone)) end
if #members > 0 then redis.call('ZREM', queue, unpack(members)) end
if dead then redis.call('LTRIM', KEYS[3], 0, DEAD_KEPT - 1) end
if freed and until_head(queue, horizon) < horizon then push(KEYS[2]) end
"""
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that is ours for a lease. `record` is None when it has expired; `score` and `now` are unix ms."""

    id: bytes
    record: bytes | None
    tried: int
    score: int
    now: int


class How(StrEnum):
    """How a claim ends."""

    DONE = "done"
    """It has run; it goes."""
    DEAD = "dead"
    """It is refused; it goes, and a dead letter stays."""
    RETRY = "retry"
    """It asked to run again later."""
    BACK = "back"
    """It did not run to its end through no fault of its own; the try does not count."""


@dataclass(frozen=True, slots=True)
class Ending:
    """`detail` is the dead letter of `DEAD`, and the delay in ms of `RETRY` and `BACK`."""

    id: bytes
    how: How
    detail: bytes | int = 0


class Claims:
    """The claims of one worker. `me` is unlike any other worker's name, `lease` and `horizon` are seconds; `horizon` is how
    long an idle worker may wait without looking."""

    def __init__(self, redis: BoundedRedis, queue_name: str, *, me: str, lease: float, horizon: float) -> None:
        self._keys = (queue_name, wake_key(queue_name), dead_key(queue_name))
        self._own_wake = f"{wake_key(queue_name)}:{me}"
        self._me = me
        self._lease_ms = round(lease * 1000)
        self._horizon_ms = round(horizon * 1000)
        self._redis = redis
        self._claim = Script(redis, CLAIM)
        self._renew = Script(redis, RENEW)
        self._settle = Script(redis, SETTLE)

    async def claim(self, want: int) -> tuple[list[Claim], float]:
        """Up to `want` due jobs, oldest first, and the seconds until it is worth looking again. Raises RedisError."""
        return _read(await self._claim(self._keys, self._asking(want)))

    async def claim_when_pushed(self, want: int, seconds: float) -> tuple[list[Claim], float]:
        """The same as soon as somebody pushes or `unblock` is called, or after `seconds` (> 0). Both are sent at once, so that a
        job that is pushed to an idle worker costs it one round trip less. Raises RedisError."""
        listen = ("BLPOP", self._own_wake, self._keys[1], seconds)
        claim = ("EVAL", CLAIM, len(self._keys), *self._keys, *self._asking(want))
        _, reply = await self._redis.converse(listen, claim, seconds=seconds + REPLY_SECONDS)
        return _read(reply)

    async def unblock(self) -> None:
        """End a `claim_when_pushed` of this worker. Raises RedisError."""
        await self._redis.lpush(self._own_wake, 1)
        await self._redis.pexpire(self._own_wake, self._lease_ms)

    def _asking(self, want: int) -> list[str | int]:
        return [self._me, min(want, MOST_AT_ONCE), self._lease_ms, self._horizon_ms]

    async def renew(self, ids: Iterable[bytes]) -> list[bytes]:
        """Hold the jobs for another lease; returns those that are not ours any more. Raises RedisError."""
        lost: list[bytes] = []
        rest = iter(ids)
        while some := list(islice(rest, MOST_AT_ONCE)):
            lost += await self._renew(self._keys, [self._me, self._lease_ms, *some])
        return lost

    async def settle(self, endings: Sequence[Ending]) -> None:
        """Write down how claims ended, at most 500 at once; endings of claims that are not ours any more are passed over. Wakes
        a worker when this makes a job due now or soon; without endings, when any job is. Raises RedisError."""
        args: list[str | bytes | int] = [self._me, self._horizon_ms]
        for ending in endings:
            args += (ending.id, ending.how.value, ending.detail)
        await self._settle(self._keys, args)


def _read(reply: Sequence[Any]) -> tuple[list[Claim], float]:
    """What the claiming script answers: its clock, the ms until it is worth looking again, and four fields per job."""
    now, wait, *rest = reply
    fields = iter(rest)
    claims = [
        Claim(id=id_, record=record, tried=tried, score=int(float(score)), now=now)
        for id_, record, tried, score in zip(fields, fields, fields, fields, strict=True)
    ]
    return claims, wait / 1000
