"""What the routes work with, put together by the composition root and handed over once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, Request

from adapters.base import TelephonyAdapter
from adapters.events import CallEvent
from dialer.flows.ring import Ringer
from dialer.queue import Quotas
from dialer.settings import Settings
from dialer.store.database import Database
from scheduler.clock import Clock

MOST_STREAMS = 500
"""Event streams that one process keeps open; each reads the ledger twice to four times a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """`pause` waits out the fence (seconds); `release` and `preview` decide a run of one campaign, `hang_up` ends its calls,
    `follow` takes what the carrier of a trunk told, `suspect` hears of trunks whose word was missed; `stopping` is set when the
    process is to end, `imports` is the room for large imports, `streams` that for open event streams."""

    database: Database
    clock: Clock
    settings: Settings
    ringer: Ringer
    quotas: Quotas
    trunks: Mapping[str, TelephonyAdapter]
    pause: Callable[[float], Awaitable[None]]
    release: Callable[[str], Awaitable[Sequence[Any]]]
    preview: Callable[[str, int | None], Awaitable[Sequence[Any]]]
    hang_up: Callable[[str], Awaitable[None]]
    follow: Callable[[str, Sequence[CallEvent]], Awaitable[None]]
    suspect: Callable[[Iterable[str]], None]
    imports: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    streams: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_STREAMS))


def _of_app(request: Request) -> ApiContext:
    context: ApiContext = request.app.state.context
    return context


Context: TypeAlias = Annotated[ApiContext, Depends(_of_app)]
"""The parameter by which a route gets the context."""
