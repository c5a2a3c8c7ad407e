"""Stasis: an answered call is ours, and we connect the voice: external media over a WebSocket, and a bridge of both.

Where that fails the call is hung up: nobody shall listen to silence. What a process that died left behind is tidied after each
reconnect.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from adapters.asterisk.ask import Ari, bridge_path, path_of
from adapters.asterisk.names import attempt_of, channel_of, short
from adapters.asterisk.order import Stasis
from adapters.errors import AdapterError

_REST = 30.0
"""Seconds in which nobody is called after a voice could not be connected to somebody who had answered."""
_UNANSWERED = frozenset({"Down", "Ringing"})
"""States in which a channel ends that no voice was connected to."""

log = logging.getLogger(__name__)


class Voices:
    """`tasks` runs what takes longer than a message. `patience`: seconds in which a voice must be connected."""

    def __init__(self, ari: Ari, route: Stasis, tasks: asyncio.TaskGroup, patience: float) -> None:
        self._ari = ari
        self._route = route
        self._tasks = tasks
        self._patience = patience
        self._arrived: dict[str, asyncio.Event] = {}
        self._connecting: dict[str, asyncio.Task[None]] = {}
        self._failed_at: float | None = None

    @property
    def well(self) -> bool:
        """Whether the last one could be connected, or its failure is so long ago that it may be tried again."""
        return self._failed_at is None or time.monotonic() - self._failed_at > _REST

    def hear(self, message: Mapping[str, Any] | None) -> None:
        """A message; None after a reconnect."""
        if message is None:
            self._tasks.create_task(self._tidy(), name="tidy bridges")
            return
        channel = message.get("channel")
        ref = channel.get("id") if isinstance(channel, Mapping) else None
        if not isinstance(ref, str):
            return
        attempt, medium = attempt_of(ref), ref.removeprefix(self._media("")) if ref.startswith(self._media("")) else None
        match message.get("type"):
            case "StasisStart" if attempt is not None and attempt not in self._connecting:
                args = message.get("args")
                voice = str(args[1]) if isinstance(args, list) and len(args) > 1 else ""
                self._begin(attempt, self._route.external_host or voice)
            case "StasisStart" if ref in self._arrived:
                self._arrived[ref].set()
            case "ChannelDestroyed" if (ended := attempt or medium) is not None:
                if connecting := self._connecting.get(ended):
                    if medium is not None:
                        self._failed_at = time.monotonic()
                        log.error("attempt %s was answered and its voice left before it was connected", short(ended))
                    connecting.cancel()
                if medium is not None or not isinstance(channel, Mapping) or channel.get("state") not in _UNANSWERED:
                    self._tasks.create_task(self._end(ended), name="end a bridge")

    def _begin(self, attempt: str, host: str) -> None:
        task = self._tasks.create_task(self._connect(attempt, host), name="connect a voice")
        self._connecting[attempt] = task
        task.add_done_callback(lambda _: self._connecting.pop(attempt, None))

    async def _connect(self, attempt: str, host: str) -> None:
        media, bridge = self._media(attempt), self._bridge(attempt)
        # Before the request: its StasisStart can come sooner than its answer.
        arrived = self._arrived[media] = asyncio.Event()
        wanted = {
            "channelId": media,
            "app": self._route.app,
            "external_host": host,
            "transport": "websocket",
            "encapsulation": "none",
            "connection_type": "client",
            "format": self._route.format,
            "transport_data": f"v(attempt={attempt})",
        }
        try:
            async with asyncio.timeout(self._patience):
                await self._ari.do("POST", "/ari/channels/externalMedia", json=wanted)
                await arrived.wait()
                await self._ari.do("POST", "/ari/bridges", params={"type": "mixing", "bridgeId": bridge})
                both = f"{channel_of(attempt)},{media}"
                await self._ari.do("POST", f"{bridge_path(bridge)}/addChannel", params={"channel": both})
            self._failed_at = None
        except (AdapterError, TimeoutError) as fault:
            self._failed_at = time.monotonic()
            log.error("attempt %s was answered and no voice could be connected: %s", short(attempt), fault or "no answer in time")
            await self._end(attempt)
        finally:
            self._arrived.pop(media, None)

    async def _tidy(self) -> None:
        """End what lacks one of its two: the other one left while nobody listened."""
        try:
            bridges = await self._ari.bridges()
        except AdapterError as fault:
            log.warning("bridges could not be tidied: %s", fault)
            return
        for bridge, members in bridges.items():
            attempt = bridge.removeprefix(self._bridge("")) if bridge.startswith(self._bridge("")) else ""
            if attempt and members < 2 and attempt not in self._connecting:
                await self._end(attempt)

    async def _end(self, attempt: str) -> None:
        ends = (path_of(channel_of(attempt)), path_of(self._media(attempt)), bridge_path(self._bridge(attempt)))
        for path in ends:
            try:
                await self._ari.do("DELETE", path)
            except AdapterError as fault:
                log.warning("attempt %s: a part of it could not be ended: %s", short(attempt), fault)

    def _media(self, attempt: str) -> str:
        return f"media-{self._route.app}-{attempt}"

    def _bridge(self, attempt: str) -> str:
        return f"bridge-{self._route.app}-{attempt}"
