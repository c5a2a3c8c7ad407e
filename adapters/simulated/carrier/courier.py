"""Delivers the carrier's callbacks: one signed POST per event, tried a few times, the body (and so its key) always the same.

Promises: few tasks however many callbacks wait; one that nobody takes is given up after the last try. Order is not promised,
as with real carriers: two callbacks of one call may overtake each other.
"""

from __future__ import annotations

import asyncio
import time

import aiohttp

from adapters.simulated import translate

RETRY_DELAYS = (0.2, 1.0, 3.0, 10.0)
"""Seconds before each further try."""
_SENDERS = 48
_TIMEOUT = aiohttp.ClientTimeout(total=10)


class Courier:
    """Used inside `async with`. `delivered` and `given_up` count callbacks."""

    def __init__(self, signing_secret: str) -> None:
        self.delivered = 0
        self.given_up = 0
        self._secret = signing_secret
        self._waiting: asyncio.Queue[tuple[str, bytes, int]] = asyncio.Queue()
        self._retries: set[asyncio.TimerHandle] = set()
        self._senders: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Courier:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_SENDERS), cookie_jar=aiohttp.DummyCookieJar(), timeout=_TIMEOUT
        )
        self._senders = [asyncio.create_task(self._send_on(), name=f"courier-{number}") for number in range(_SENDERS)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for handle in self._retries:
            handle.cancel()
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self._session.close()

    def tell(self, url: str, body: bytes) -> None:
        """Deliver a callback as soon as a sender is free."""
        self._waiting.put_nowait((url, body, 0))

    async def _send_on(self) -> None:
        while True:
            url, body, tries = await self._waiting.get()
            if await self._post(url, body):
                self.delivered += 1
            elif tries < len(RETRY_DELAYS):
                self._retry(url, body, tries)
            else:
                self.given_up += 1

    async def _post(self, url: str, body: bytes) -> bool:
        timestamp = f"{time.time():.3f}"
        headers = {
            "Content-Type": "application/json",
            translate.TIMESTAMP: timestamp,
            translate.SIGNATURE: translate.sign(self._secret, timestamp, body),
        }
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                await response.read()
                return response.status < 300
        except (aiohttp.ClientError, OSError, ValueError):
            return False

    def _retry(self, url: str, body: bytes, tries: int) -> None:
        def again() -> None:
            self._retries.discard(handle)
            self._waiting.put_nowait((url, body, tries + 1))

        handle = asyncio.get_running_loop().call_later(RETRY_DELAYS[tries], again)
        self._retries.add(handle)
