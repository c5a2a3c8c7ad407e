"""The doorbell: job records, wake-ups, the worker that runs jobs, and rate buckets, all in Redis (or Valkey).

This is the only room that imports `arq` or `redis`. Nothing in it is the truth: whatever is here may be flushed at any moment
and costs seconds, never a call. Jobs run at least once; what must happen at most once is fenced in the ledger.

Scripts build key names from job ids, so one Redis server or primary is needed, not a cluster.
"""

from __future__ import annotations

from arq.worker import Function, Retry, func

from dialer.queue.bell import Bell
from dialer.queue.connection import QueueUnavailable, close, connect
from dialer.queue.jobs import Job, JobQueue
from dialer.queue.pace import Pace
from dialer.queue.payload import Malformed
from dialer.queue.quotas import Quotas, Spent
from dialer.queue.rates import SHARE, RateBuckets
from dialer.queue.worker import DoorbellWorker

__all__ = [
    "SHARE",
    "Bell",
    "DoorbellWorker",
    "Function",
    "Job",
    "JobQueue",
    "Malformed",
    "Pace",
    "QueueUnavailable",
    "Quotas",
    "RateBuckets",
    "Retry",
    "Spent",
    "close",
    "connect",
    "func",
]
