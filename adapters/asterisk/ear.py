"""The WebSocket over which Asterisk tells what becomes of the calls, and who of several processes has it.

Asterisk gives an application's events to whoever connected last and tells the one before `ApplicationReplaced`. So the newest
listens. It counts up a global variable while it does; whoever was replaced watches that, and connects again only when it has
stood still: were each to take the socket back at once, they would take it from each other for ever.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

import aiohttp

from adapters.errors import AdapterError
from adapters.http import reason
from adapters.session import Session

_PING = 20.0
"""Seconds between pings; without an answer in half of that the connection is dead."""

log = logging.getLogger(__name__)


class Standing(StrEnum):
    """`AWAY`: nobody of this process hears anything. `REPLACED`: another process listens."""

    AWAY = "away"
    LISTENING = "listening"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds. Between two tries to connect: `first`, then twice as long each time, up to `longest`. Whoever listens counts up
    every `beat`; one that missed `misses` of them is taken to be dead."""

    first: float = 0.2
    longest: float = 10.0
    beat: float = 5.0
    misses: int = 3


class Ear:
    """`run` has to be running. `hear` gets each message as it comes, and None after each (re)connect; it must not raise."""

    def __init__(
        self, session: Session, base_url: str, app: str, *, all_channels: bool, hear: Callable[[Mapping[str, Any] | None], None]
    ) -> None:
        self._session = session
        self._url = f"{base_url}/ari/events"
        self._app = app
        self._params = {"app": app, "subscribeAll": "true" if all_channels else "false"}
        self._hear = hear
        self._id = uuid4().hex
        self._tried = asyncio.Event()
        self.standing = Standing.AWAY
        self.refused: int | None = None
        """The HTTP status with which the last try to connect was refused."""

    async def settled(self, within: float) -> Standing:
        """Where it stands. A try to connect that is under way is waited for, `within` seconds at the most."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), within)
        return self.standing

    async def run(self, tasks: asyncio.TaskGroup, rhythm: Rhythm) -> None:
        """Connect, listen, connect again, for ever."""
        failures = 0
        while True:
            began = time.monotonic()
            await self._listen(tasks, rhythm)
            if self.standing is Standing.REPLACED:
                failures = 0
                await self._until_the_other_is_gone(rhythm)
                self.standing = Standing.AWAY
            else:
                failures = failures + 1 if time.monotonic() - began < rhythm.longest else 0
                await rest(min(rhythm.longest, rhythm.first * 2 ** min(failures, 20)))
            self._tried.clear()

    async def _listen(self, tasks: asyncio.TaskGroup, rhythm: Rhythm) -> None:
        try:
            async with self._session.client.ws_connect(self._url, params=self._params, heartbeat=_PING) as socket:
                self.standing, self.refused = Standing.LISTENING, None
                self._hear(None)
                self._tried.set()
                beating = tasks.create_task(self._beat(rhythm), name="pulse of the ear")
                try:
                    await self._read(socket)
                finally:
                    beating.cancel()
        except aiohttp.WSServerHandshakeError as fault:
            self.refused = fault.status
            log.warning("the events of application %s cannot be heard: Asterisk answered HTTP %d", self._app, fault.status)
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as fault:
            log.warning("the events of application %s cannot be heard: %s", self._app, reason(fault))
        if self.standing is not Standing.REPLACED:
            self.standing = Standing.AWAY
        self._tried.set()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            try:
                message = json.loads(frame.data)
            except ValueError:
                message = None
            if not isinstance(message, Mapping):
                log.warning("application %s was told something that is no JSON object", self._app)
            elif message.get("type") == "ApplicationReplaced":
                self.standing = Standing.REPLACED
                log.warning("another process has taken over application %s; this one stands by", self._app)
                return
            else:
                self._hear(message)

    async def _beat(self, rhythm: Rhythm) -> None:
        beats = 0
        while True:
            beats += 1
            with suppress(AdapterError):  # the socket itself will tell when Asterisk is gone
                value = f"{self._id}.{beats}"
                await self._session.ask("POST", "/ari/asterisk/variable", params={"variable": self._pulse, "value": value})
            await rest(rhythm.beat)

    async def _until_the_other_is_gone(self, rhythm: Rhythm) -> None:
        seen, still = await self._felt(), 0
        while still < rhythm.misses:
            await rest(rhythm.beat)
            now = await self._felt()
            still = still + 1 if now == seen else 0
            seen = now

    async def _felt(self) -> str | None:
        """The other's pulse; None for an Asterisk that does not tell."""
        try:
            answer = await self._session.ask("GET", "/ari/asterisk/variable", params={"variable": self._pulse})
            return str(answer.json()["value"])
        except (AdapterError, ValueError, LookupError, TypeError):
            return None

    @property
    def _pulse(self) -> str:
        return f"DIALER_EAR_{self._app}"


async def rest(seconds: float) -> None:
    """Until the task is cancelled, `seconds` at the most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()
