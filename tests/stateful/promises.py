"""What has been promised, and to whom: every answer that was given to a "no", until somebody asked for the contrary.

A flow that says no answers after the fence. `hold` is told of it when it has committed; from `answer` on, the promise binds. What
was committed later about the same thing (`take_back`) undoes a promise, given or still to be given.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scheduler.frequency import FrequencyCap
from tests.support.process import Process


@dataclass
class _Asked:
    """A request whose fence is being waited out."""

    process: Process
    task: asyncio.Task[Any]
    until: float
    bind: Callable[[], None]
    about: str
    version: int


@dataclass
class Promises:
    """`windows` and `caps` per campaign, and the team's `frequencies`: those that may still hold, the newest last. `zones`: of
    contacts that have one of their own. `seconds`: their second numbers. `first_only`: campaigns that call none of these.
    `callbacks`: what was agreed per (campaign, contact): from when, until when. `suppressed`: (scope, owner, number) → end,
    None = for ever. `replaced`: (contact, number that is not theirs any more)."""

    windows: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    caps: dict[str, list[int]] = field(default_factory=dict)
    frequencies: list[Sequence[FrequencyCap]] = field(default_factory=lambda: [()])
    zones: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    enrolled: set[tuple[str, str]] = field(default_factory=set)
    no_contact: set[str] = field(default_factory=set)
    suppressed: dict[tuple[str, str | None, str], datetime | None] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    seconds: dict[str, str] = field(default_factory=dict)
    first_only: set[str] = field(default_factory=set)
    callbacks: dict[tuple[str, str], list[tuple[datetime, datetime | None]]] = field(default_factory=dict)
    replaced: set[tuple[str, str]] = field(default_factory=set)
    given: int = 0
    _asked: list[_Asked] = field(default_factory=list)
    _versions: Counter[str] = field(default_factory=Counter)

    def hold(self, process: Process, asked: tuple[asyncio.Task[Any], float], about: str, bind: Callable[[], None]) -> None:
        """What was `asked` of the process has committed its "no" about something and waits out the fence."""
        self._versions[about] += 1
        self._asked.append(_Asked(process, *asked, bind, about, self._versions[about]))

    def take_back(self, about: str) -> None:
        """The contrary was committed."""
        self._versions[about] += 1

    async def answer(self, now: float) -> None:
        """Whatever has waited out its fence is answered, and binds from now on."""
        for asked in [each for each in self._asked if each.until <= now]:
            self._asked.remove(asked)
            await asked.task
            if asked.version == self._versions[asked.about]:
                asked.bind()
                self.given += 1

    def forget(self, dead: Process) -> None:
        """Whoever asked a process that died was never answered."""
        self._asked = [each for each in self._asked if each.process is not dead]
