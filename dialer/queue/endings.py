"""Group commit of finished jobs: written at once when nothing is being written, gathered while a write is under way."""

from __future__ import annotations

import asyncio

from dialer.queue.claims import MOST_AT_ONCE, Claims, Ending
from dialer.queue.outage import Outage, pause


class Endings:
    """Keeps what could not be written until it can be. What is never written runs again when its lease ends."""

    def __init__(self, claims: Claims, outage: Outage) -> None:
        self._claims = claims
        self._outage = outage
        self._waiting: list[Ending] = []
        self._some = asyncio.Event()
        self._stopped = asyncio.Event()

    def add(self, ending: Ending) -> None:
        self._waiting.append(ending)
        self._some.set()

    def ids(self) -> list[bytes]:
        """Jobs that have ended but are not written yet: their leases still need to be renewed."""
        return [ending.id for ending in self._waiting]

    def stop(self) -> None:
        """Let `write` return after the write that is under way."""
        self._stopped.set()
        self._some.set()

    async def write(self) -> None:
        """Write until stopped."""
        while not self._stopped.is_set():
            await self._some.wait()
            self._some.clear()
            while self._waiting and not self._stopped.is_set():
                try:
                    await self._write_some()
                except Exception as error:
                    await pause(self._outage.failed(error), self._stopped)

    async def flush(self, seconds: float) -> int:
        """Write the rest within so many seconds, and wake another worker for what is due; only while `write` is not running.
        Returns how many could not be written."""
        never = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        while self._waiting:
                            await self._write_some()
                        await self._claims.settle(())
                        break
                    except Exception as error:
                        await pause(self._outage.failed(error), never)
        except TimeoutError:
            pass
        return len(self._waiting)

    async def _write_some(self) -> None:
        some = self._waiting[:MOST_AT_ONCE]
        await self._claims.settle(some)
        del self._waiting[: len(some)]
        self._outage.over()
