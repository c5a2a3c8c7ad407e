"""One trunk of an Asterisk: place, find, hang up, and what becomes of the calls. Words are translate.py's, the socket
is ear.py's, and what is asked for by REST is ask.py's.

Nobody is called whose call would not be heard of: then a call that was answered would look like one whose end is unknown, and be
called again. So `place` needs the socket; where voices are connected by us, the socket has to be our own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Self

from adapters import http
from adapters.asterisk.ask import Ari, path_of
from adapters.asterisk.ear import Ear, Rhythm, Standing, rest
from adapters.asterisk.kept import read_kept
from adapters.asterisk.names import channel_of, short
from adapters.asterisk.order import Dialplan, Stasis, order
from adapters.asterisk.translate import GAP, Translator, result_of, tells_sip, unseen_end
from adapters.asterisk.voice import Voices
from adapters.base import Absent, Call, Capabilities, Health, Hook, Live, Once, Over, Reply, Sighting, Trace, Unsure
from adapters.errors import AdapterError, Ambiguous, Forged, PlaceError, Rejected, TooLate, Unavailable
from adapters.events import CallEvent, Fault, Phase
from adapters.session import Session, basic

_SETTLE = 5.0
_CONNECT = 2.0
"""Seconds a placement waits for the socket."""
_UNREAD = 100_000
"""Events that wait to be read; then they are dropped for a gap, and the calls are looked up."""
_MARKED = 3600.0
"""Seconds a marker is kept after the end of its call was read: longer than any look-up could need it."""

log = logging.getLogger(__name__)


class AsteriskAdapter:
    """Used inside `async with`, by one event loop. The socket is opened by the first `events` or `place`, not before: a process
    that does neither would take it away from one that does."""

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        user: str,
        password: str,
        endpoint: str,
        route: Dialplan | Stasis,
        ended: str = "dialer-ended",
        app: str = "dialer",
        limit_403: bool = False,
        timeout: float = 5.0,
        rhythm: Rhythm | None = None,
        marked: float = _MARKED,
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            once=Once.WHILE_ALIVE,
            trace=Trace.LIVE,
            voices=frozenset({"stasis" if isinstance(route, Stasis) else "dialplan"}),
            can=frozenset({"hang_up", "labels", "variables"}),
            place_timeout=timeout + _CONNECT,
            settle=_SETTLE,
            calls_back=False,
        )
        self._session = Session(base_url, timeout=timeout, headers={"Authorization": basic(user, password)})
        self._ari = Ari(self._session)
        self._ear = Ear(self._session, base_url, app, all_channels=isinstance(route, Dialplan), hear=self._hear)
        self._keeps_nothing = f"Asterisk does not keep how calls end: define the context {ended} (adapters/README.md)"
        self._warned = False
        self._endpoint, self._route, self._ended, self._timeout = endpoint, route, ended, timeout
        self._rhythm = rhythm or Rhythm()
        self._marked = marked
        self._translator = Translator(limit_403=limit_403)
        self._voices: Voices | None = None
        self._told: asyncio.Queue[CallEvent | None] = asyncio.Queue()
        self._over: deque[tuple[float, str]] = deque()
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        self._tasks = await asyncio.TaskGroup().__aenter__()
        if isinstance(self._route, Stasis):
            self._voices = Voices(self._ari, self._route, self._tasks, patience=self._timeout)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._running:
            task.cancel()
        self._told.put_nowait(None)
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            await self._session.__aexit__(*exc)

    async def place(self, call: Call) -> str:
        body = order(call, self._endpoint, self._route, self._ended)
        await self._may_place(call)
        channel = channel_of(call.attempt)
        try:
            answer = await self._session.place(call, path_of(channel), json=body, refusal=_refused)
        except _Alive:
            return channel
        return http.reference(answer, "id")

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        await self._ari.do("DELETE", path_of(ref or channel_of(attempt)))

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        channel = ref or channel_of(attempt)
        try:
            alive, _ = await self._ari.channel(channel)
            if alive is None and ((marker := await self._ari.marker(attempt)) or ref is not None):
                # The marker is there as soon as the channel is: what was placed since the first question is seen now.
                alive, now = await self._ari.channel(channel)
                if alive is None:
                    self._over.append((time.monotonic(), attempt))
                    return Over(channel, await self._end_of(attempt, channel, marker, now or since))
            if alive is not None:
                return Live(channel, answered=alive["state"] == "Up")
            if await self._ari.started() < since:
                return Absent()
            return Unsure("Asterisk was started after the call may have been placed, and has forgotten all before")
        except (AdapterError, ValueError, KeyError, TypeError) as error:
            return Unsure(f"the look-up failed: {type(error).__name__}")

    async def _end_of(self, attempt: str, channel: str, marker: str, now: datetime) -> tuple[CallEvent, ...]:
        """What Asterisk kept of the end of a call that is over; it had it before the channel was gone."""
        kept = read_kept(marker) or read_kept(await self._ari.marker(attempt))
        if kept is None:
            return (unseen_end(attempt, channel, now),)
        end = self._translator.over(attempt, kept)
        try:
            return (result_of(attempt, channel, kept.at, kept.result), end) if kept.result else (end,)
        except ValueError as fault:
            log.warning("trunk %s: the result of attempt %s cannot be read: %s", self.name, short(attempt), fault)
            return (end,)

    async def events(self) -> AsyncIterator[CallEvent]:
        self._start()
        while (event := await self._told.get()) is not None:
            yield event
            if event.phase is Phase.ENDED:  # whoever comes for the next event has kept this one
                self._over.append((time.monotonic(), event.attempt))

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        raise Forged("Asterisk speaks by socket; nothing of it is a callback")

    async def health(self) -> Health:
        try:
            version = (await self._ari.info())["system"]["version"]
        except (AdapterError, ValueError, KeyError, TypeError) as error:
            return Health(False, str(error) if isinstance(error, AdapterError) else "Asterisk's answer cannot be read")
        if self._running and self._ear.standing is Standing.AWAY:
            return Health(False, "the socket for events is not connected")
        if self._voices is not None and not self._voices.well:
            return Health(False, "the voice could not be connected to the last call that was answered")
        if self._ear.standing is Standing.REPLACED:
            return Health(True, "another process listens to the events")
        if self._translator.keeps is False:
            return Health(True, self._keeps_nothing)
        return Health(True, "" if tells_sip(version) else "this Asterisk tells no SIP codes: endings are judged less exactly")

    async def _may_place(self, call: Call) -> None:
        """Raises `Unavailable` where nobody would hear of the call, or nobody speak to whoever answers it."""
        self._start()
        patience = call.start_before - time.monotonic()
        standing = await self._ear.settled(min(_CONNECT, patience)) if patience > 0 else Standing.AWAY
        if time.monotonic() > call.start_before:
            raise TooLate
        if standing is Standing.AWAY and self._ear.refused in {401, 403}:
            raise Rejected("Asterisk refuses our user", fault=Fault.CONFIG, cause=f"http_{self._ear.refused}")
        if standing is Standing.AWAY:
            raise Unavailable("the socket for events is not connected")
        if self._voices is None:
            return
        if standing is Standing.REPLACED:
            # Not Unavailable: that would open the breaker of the trunk, and the process that took over dials through it.
            raise TooLate("another process has taken over the application, and answered calls go there")
        if not self._voices.well:
            raise Unavailable("the voice could not be connected to the last call that was answered")

    def _start(self) -> None:
        if not self._running:
            self._running.append(self._tasks.create_task(self._ear.run(self._tasks, self._rhythm), name="ear"))
            self._running.append(self._tasks.create_task(self._forget(), name="markers"))

    def _hear(self, message: Mapping[str, Any] | None) -> None:
        if self._told.qsize() > _UNREAD:
            while not self._told.empty():
                self._told.get_nowait()
            self._told.put_nowait(GAP)
        try:
            for event in [self._translator.gap()] if message is None else self._translator.read(message):
                self._told.put_nowait(event)
        except ValueError as fault:
            log.warning("trunk %s: an event of Asterisk cannot be read: %s", self.name, fault)
        if self._translator.keeps is False and not self._warned:
            self._warned = True
            log.warning("trunk %s: %s", self.name, self._keeps_nothing)
        if self._voices is not None:
            self._voices.hear(message)

    async def _forget(self) -> None:
        """Clear markers whose calls have long been written down: Asterisk looks through all global variables each time."""
        while True:
            while self._over and time.monotonic() - self._over[0][0] >= self._marked:
                _, attempt = self._over.popleft()
                try:
                    await self._ari.forget(attempt)
                except AdapterError as fault:
                    log.info("trunk %s: a marker could not be cleared: %s", self.name, fault)
            await rest(min(60.0, self._marked))


class _Alive(Ambiguous):
    """The channel was there already."""


def _refused(answer: http.Answer) -> PlaceError:
    """Asterisk says 409 of a channel that is alive, and 500 with these words before there is one."""
    try:
        said = answer.json()
        words = " ".join(str(said.get(key, "")) for key in ("error", "message"))
    except (ValueError, AttributeError):
        words = ""
    if answer.status == 409 and "already exists" in words:
        return _Alive()
    if answer.status == 500 and "Allocation failed" in words:
        problem = "Asterisk could not make the channel: unknown endpoint or technology, or no channels left"
        return Rejected(problem, fault=Fault.CONFIG, cause="allocation_failed")
    return http.refused(answer)
