"""An adapter that hears its events over a socket, in use, and what it told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from adapters.base import TelephonyAdapter
from adapters.events import CallEvent, Phase
from tests.support.carrier import eventually

Listening = TypeVar("Listening", bound=TelephonyAdapter)


@dataclass
class Heard(Generic[Listening]):
    """An adapter in use, and all that it told."""

    adapter: Listening
    events: list[CallEvent] = field(default_factory=list)

    @property
    def phases(self) -> list[Phase]:
        return [event.phase for event in self.events]

    async def until(self, phase: Phase, times: int = 1) -> CallEvent:
        await eventually(lambda: self.phases.count(phase) >= times)
        return [event for event in self.events if event.phase is phase][-1]


@asynccontextmanager
async def using(adapter: Listening) -> AsyncIterator[Heard[Listening]]:
    heard = Heard(adapter)

    async def listen() -> None:
        async for event in adapter.events():
            heard.events.append(event)

    async with asyncio.TaskGroup() as tasks, adapter:
        tasks.create_task(listen())
        await heard.until(Phase.GAP)
        yield heard
