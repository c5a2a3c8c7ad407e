"""Caller IDs as a carrier knows them: some are asked to call from the id of a phone number, not from the number.

Promises: what the configuration names is not asked for; the rest is asked for before a placement, by one request for all that
wait, and kept; a caller ID that the carrier does not have is a fault of the configuration, and certainly nothing was placed.
Errors hold no number.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from adapters.base import Call
from adapters.errors import AdapterError, Rejected, TooLate, Unavailable
from adapters.events import Fault

KEPT = 3600.0
"""Seconds after which the carrier's list is asked for again: a number that was imported anew has another id."""
PAUSE = 30.0
"""Seconds between two questions because of a number that was not in the list."""

Known = TypeVar("Known")


class CallerIds(Generic[Known]):
    """`configured`: E.164 → what the carrier calls it. `listed` asks the carrier for all its numbers, within so many seconds, and
    raises `AdapterError` when it cannot be asked."""

    def __init__(self, configured: Mapping[str, Known], listed: Callable[[float], Awaitable[Mapping[str, Known]]]) -> None:
        self._configured = configured
        self._listed = listed
        self._known: Mapping[str, Known] = {}
        self._asked: float | None = None
        self._asking = asyncio.Lock()

    async def of(self, call: Call) -> Known:
        """What the carrier calls this call's caller ID. Raises `PlaceError`; nothing was placed."""
        if call.caller_id in self._configured:
            return self._configured[call.caller_id]
        async with self._asking:
            if self._old(call.caller_id):
                await self._ask(call)
        if call.caller_id not in self._known:
            raise Rejected("the caller ID is none of the carrier's phone numbers", fault=Fault.CONFIG, cause="unknown_caller_id")
        return self._known[call.caller_id]

    def _old(self, number: str) -> bool:
        age = KEPT if self._asked is None else time.monotonic() - self._asked
        return age >= (KEPT if number in self._known else PAUSE)

    async def _ask(self, call: Call) -> None:
        patience = call.start_before - time.monotonic()
        if patience <= 0:
            raise TooLate
        try:
            self._known = await self._listed(patience)
            self._asked = time.monotonic()
        except AdapterError as error:
            if call.caller_id not in self._known:
                raise Unavailable("the carrier's phone numbers could not be asked for") from error
