"""The two connections to one FreeSWITCH: over one its events are heard and calls are placed, over the other it is asked.

Every connection gets all events that it subscribed to, so any number of processes may listen. What happens while none is open is
told to nobody: after each (re)connect there is a gap.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from adapters import witness
from adapters.errors import AdapterError
from adapters.freeswitch.esl import Frame, Link, Lost, Refused
from adapters.freeswitch.translate import EVENTS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """Where the event socket is, and how to get in. `timeout`: seconds that an answer may take."""

    host: str
    port: int
    password: str = field(repr=False)
    timeout: float

    async def open(self, tasks: asyncio.TaskGroup, hear: Callable[[Frame], None]) -> Link:
        """Raises `AdapterError`."""
        return await Link.open(tasks, (self.host, self.port), self.password, self.timeout, hear)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds. Between two tries to connect: `first`, then twice as long each time, up to `longest`. Every `ping` FreeSWITCH is
    asked whether it is still there."""

    first: float = 0.2
    longest: float = 10.0
    ping: float = 20.0


class Ear:
    """`run` has to be running. `hear` gets each frame that is no answer, and None after each (re)connect, before what follows it;
    it must not raise."""

    def __init__(self, server: Server, trunk: str, hear: Callable[[Frame | None], None]) -> None:
        self._server = server
        self._trunk = trunk
        self._hear = hear
        self._tried = asyncio.Event()
        self._early: list[Frame] = []
        self.link: Link | None = None
        """Set while events are heard."""
        self.refused = False
        """Whether the last try to connect was refused."""

    async def settled(self, within: float) -> Link | None:
        """The connection, if there is one. A try to connect that is under way is waited for, `within` seconds at the most."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), within)
        return self.link

    async def run(self, tasks: asyncio.TaskGroup, rhythm: Rhythm) -> None:
        """Connect, listen, connect again, for ever."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                await self._listen(tasks, rhythm)
            except AdapterError as fault:
                self.refused = isinstance(fault, Refused)
                log.warning("trunk %s: the events of FreeSWITCH cannot be heard: %s", self._trunk, fault)
            self._tried.set()
            failures = failures + 1 if time.monotonic() - began < rhythm.longest else 0
            await rest(min(rhythm.longest, rhythm.first * 2 ** min(failures, 20)))
            self._tried.clear()

    async def _listen(self, tasks: asyncio.TaskGroup, rhythm: Rhythm) -> None:
        """Until the connection is lost. Raises `AdapterError`."""
        self._early = []
        link = await self._server.open(tasks, self._frame)
        try:
            # Filters add up: an event is sent that matches any of them.
            for command in (
                f"filter variable_dialer_trunk {self._trunk}",
                "filter Event-Name BACKGROUND_JOB",
                f"event json {EVENTS}",
            ):
                if not (await link.ask(command, self._server.timeout)).text.startswith("+OK"):
                    raise AdapterError("FreeSWITCH does not let us subscribe to events")
            self.refused = False
            self._hear(None)
            self.link = link
            for frame in self._early:
                self._hear(frame)
            self._tried.set()
            while not link.closed.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(link.closed.wait(), rhythm.ping)
                    break
                await link.api("status", self._server.timeout)
            raise Lost
        finally:
            self.link = None
            link.close()

    def _frame(self, frame: Frame) -> None:
        if self.link is None:
            self._early.append(frame)
        else:
            self._hear(frame)


class Hands:
    """The connection for what is no placement, opened when it is first needed and again when it was lost."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._link: Link | None = None
        self._opening = asyncio.Lock()

    async def api(self, tasks: asyncio.TaskGroup, command: str) -> str:
        """What a command of FreeSWITCH says. Raises `AdapterError`."""
        seen = witness.connects(self._server.host, self._server.port)
        try:
            async with self._opening:
                if self._link is None or self._link.closed.is_set():
                    self._link = await self._server.open(tasks, lambda _: None)
                link = self._link
            said = await link.api(command, self._server.timeout)
        except Refused:
            if seen is not None:
                seen.admitted = False
            raise
        if seen is not None:
            seen.admitted = True
        return said

    def close(self) -> None:
        if self._link is not None:
            self._link.close()


async def rest(seconds: float) -> None:
    """Until the task is cancelled, `seconds` at the most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()
