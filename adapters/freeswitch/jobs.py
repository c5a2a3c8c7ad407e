"""What is known of the originates under way: whether a channel was made, and what their jobs said.

An originate is accepted before anything is done; whether there is a channel is told by its events, its refusal by its job. A job
says no of a call that was busy, too, and may say so before the end of the channel is told, which says more. So what a job said is
believed only when no channel was heard of.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime

KEPT = 900.0
"""Seconds after which a job is forgotten whose end was missed: longer than any phone rings."""


@dataclass(slots=True)
class Job:
    """`taken`: FreeSWITCH has read the command. `channel`: a channel was heard of, or somebody answered. `word`: what the job
    said when it failed, at the time `at`. `news` is set with either. `awaited`: its placement still waits for that."""

    attempt: str
    began: float = field(default_factory=time.monotonic)
    taken: bool = False
    channel: bool = False
    word: str | None = None
    at: datetime | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    awaited: bool = True


class Jobs:
    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def begin(self, ref: str, attempt: str) -> Job:
        oldest = time.monotonic() - KEPT
        for old in [old for old, job in self._jobs.items() if job.began < oldest]:
            del self._jobs[old]
        job = self._jobs[ref] = Job(attempt)
        return job

    def forget(self, ref: str) -> Job | None:
        return self._jobs.pop(ref, None)

    def heard(self, ref: str, *, over: bool) -> None:
        """There is such a channel, or was."""
        job = self._jobs.pop(ref, None) if over else self._jobs.get(ref)
        if job is not None:
            job.channel = True
            job.news.set()

    def said(self, ref: str, word: str, at: datetime) -> Job | None:
        """The job has ended, with no word if somebody answered. Returned is one that said no and that nobody waits for."""
        job = self._jobs.get(ref)
        if job is None:
            return None
        if not word:
            self.heard(ref, over=False)
            return None
        job.word, job.at = word, at
        job.news.set()
        return None if job.awaited else job
