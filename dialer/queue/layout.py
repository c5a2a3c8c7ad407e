"""Names of the keys, shared by those who write and those who read: arq's own, and three of ours beside its queue.

arq keeps a queue as a sorted set of job ids by due time (unix ms), the record in `arq:job:<id>`, who runs it in
`arq:in-progress:<id>` and the number of tries in `arq:retry:<id>`. Ours are `<queue>:wake`, a list of at most one token that
idle workers block on, and `<queue>:dead`, a bounded list of refused jobs.
"""

from __future__ import annotations

from arq.constants import expires_extra_ms, in_progress_key_prefix, job_key_prefix, retry_key_prefix

RECORD_MS = expires_extra_ms
"""How long past its due time a record is kept."""

DEAD_KEPT = 1000
"""Dead letters kept per queue; the oldest go first."""

LUA = f"""
local JOB, PROGRESS, RETRY = '{job_key_prefix}', '{in_progress_key_prefix}', '{retry_key_prefix}'
local RECORD_MS, DEAD_KEPT = {RECORD_MS}, {DEAD_KEPT}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function push(wake)
  if redis.call('LLEN', wake) == 0 then redis.call('LPUSH', wake, '1') end
end

local function until_head(queue, most)  -- ms until the earliest job is due
  local head = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  return head[2] and math.max(0, math.min(most, math.ceil(tonumber(head[2]) - now))) or most
end
"""
"""Opens every script on jobs. Redis' clock is the only one: hosts may disagree about the time, workers must not."""


def wake_key(queue: str) -> str:
    return f"{queue}:wake"


def dead_key(queue: str) -> str:
    return f"{queue}:dead"
