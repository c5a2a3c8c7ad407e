"""One trunk of a FreeSWITCH: place, find, hang up, and what becomes of the calls. What its words mean is endings.py's and
translate.py's, what is sent is order.py's, and the connections are ear.py's.

Calls are placed over the connection on which events are heard, so nobody is called whose call would not be heard of.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Self

from adapters import witness
from adapters.base import Call, Capabilities, Health, Hook, Live, Once, Over, Reply, Sighting, Trace, Unsure
from adapters.errors import AdapterError, Ambiguous, Forged, Rejected, TooLate, Unavailable
from adapters.events import CallEvent, Fault, Phase
from adapters.freeswitch.ear import Ear, Hands, Rhythm, Server, rest
from adapters.freeswitch.endings import refusal
from adapters.freeswitch.esl import Frame, Link, Lost
from adapters.freeswitch.jobs import Job, Jobs
from adapters.freeswitch.order import Bridge, Dialplan, order
from adapters.freeswitch.translate import GAP, event_of, failed, job_word, read, ref_of, time_of, unseen_end

_SETTLE = 5.0
_CONNECT = 2.0
"""Seconds a placement waits for the connection."""
_MOMENT = 0.2
"""Seconds that the events of a channel may come later than the answer of its job."""
_GRACE = 10.0
"""Seconds that the end of a channel may come later than the answer of its job: until then FreeSWITCH writes its records."""
_UNREAD = 100_000
"""Events that wait to be read; then they are dropped for a gap, and the calls are looked up."""
_REMEMBERED = 10_000
"""Ends that a look-up can repeat."""
_GONE = re.compile(r"-ERR no such channel", re.IGNORECASE)
_REFERENCE = re.compile(r"[\w.-]{1,64}", re.ASCII)
_UP = re.compile(r"^(\d+) session\(s\) - ", re.MULTILINE)
_MOST = re.compile(r"^(\d+) session\(s\) max", re.MULTILINE)

log = logging.getLogger(__name__)


class FreeswitchAdapter:
    """Used inside `async with`, by one event loop. Events are subscribed to by the first `events` or `place`, not before."""

    def __init__(
        self,
        name: str,
        server: Server,
        *,
        endpoint: str,
        route: Bridge | Dialplan,
        limit_403: bool = False,
        rhythm: Rhythm | None = None,
        grace: float = _GRACE,
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            once=Once.WHILE_ALIVE,
            trace=Trace.LIVE,
            voices=frozenset({"sip" if isinstance(route, Bridge) else "dialplan"}),
            can=frozenset({"hang_up", "labels", "variables"}),
            place_timeout=server.timeout + _CONNECT,
            settle=_SETTLE,
            calls_back=False,
        )
        self._ear = Ear(server, name, self._hear)
        self._hands = Hands(server)
        self._endpoint, self._route, self._limit_403 = endpoint, route, limit_403
        self._timeout, self._rhythm, self._grace = server.timeout, rhythm or Rhythm(), grace
        self._jobs = Jobs()
        self._told: asyncio.Queue[CallEvent | None] = asyncio.Queue()
        self._ends: OrderedDict[str, CallEvent] = OrderedDict()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._tasks = await asyncio.TaskGroup().__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._listening is not None:
            self._listening.cancel()
        self._hands.close()
        self._told.put_nowait(None)
        await self._tasks.__aexit__(None, None, None)

    async def place(self, call: Call) -> str:
        command = order(call, self.name, self._endpoint, self._route)
        link = await self._may_place(call)
        ref = ref_of(call.attempt)
        job = self._jobs.begin(ref, call.attempt)
        try:
            async with asyncio.timeout(self._timeout):
                await self._send(link, command, ref, call, job)
                await self._until_known(link, ref, job)
        except TimeoutError:
            if job.word is None:
                raise Ambiguous("FreeSWITCH was told to call, and said neither yes nor no in time") from None
        except Lost as error:
            raise Ambiguous("FreeSWITCH was told to call, and the connection was lost") from error
        finally:
            job.awaited = False
            if not call.departure.begun:
                self._jobs.forget(ref)
            elif not job.taken:
                link.close()  # with a reset: what FreeSWITCH has not read yet it must not read later
        if job.word is not None and not job.channel:
            if (refused := refusal(job.word)) is not None:
                self._jobs.forget(ref)
                raise refused
            self._later(ref, job)
        return ref

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        said = await self._hands.api(self._tasks, f"uuid_kill {_known(ref, attempt)}")
        if not said.startswith("+OK") and not _GONE.match(said):
            raise AdapterError("FreeSWITCH did not hang up")

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        """Never `Absent`: FreeSWITCH knows nothing of a call that is over."""
        try:
            channel = _known(ref, attempt)
            said = await self._hands.api(self._tasks, f"uuid_dump {channel} json")
            if not _GONE.match(said):
                state = json.loads(said)["Answer-State"]
                if state in {"ringing", "early", "answered"}:
                    return Live(channel, answered=state == "answered")
                return Unsure("the channel is just ending")
            if channel not in self._ends and ref is not None and self._ear.link is not None:
                await rest(_MOMENT)  # the end of a channel is told when the channel is gone
            if channel in self._ends:
                return Over(channel, (self._ends[channel],))
            if ref is None:
                return Unsure("there is no such channel; FreeSWITCH does not say whether there was one")
            return Over(channel, (unseen_end(attempt, channel, await self._now() or since),))
        except (AdapterError, ValueError, KeyError, TypeError) as error:
            return Unsure(f"the look-up failed: {type(error).__name__}")

    async def events(self) -> AsyncIterator[CallEvent]:
        self._start()
        while (event := await self._told.get()) is not None:
            yield event

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        raise Forged("FreeSWITCH speaks by socket; nothing of it is a callback")

    async def health(self) -> Health:
        try:
            said = await self._hands.api(self._tasks, "status")
            witness.told(await self._now())
        except AdapterError as error:
            return Health(False, str(error))
        if " is ready" not in said:
            return Health(False, "FreeSWITCH does not say that it is ready")
        if self._listening is not None and self._ear.link is None:
            return Health(False, "the connection for events is not there")
        up, most = _UP.search(said), _MOST.search(said)
        return Health(True, free=max(0, int(most[1]) - int(up[1])) if up and most else None)

    async def _may_place(self, call: Call) -> Link:
        """Raises `Unavailable` where nobody would hear of the call."""
        self._start()
        patience = call.start_before - time.monotonic()
        link = await self._ear.settled(min(_CONNECT, patience)) if patience > 0 else None
        if time.monotonic() > call.start_before:
            raise TooLate
        if link is None and self._ear.refused:
            raise Rejected("FreeSWITCH refuses our password, or connections from here", fault=Fault.CONFIG, cause="refused")
        if link is None or not link.flows:
            raise Unavailable("the connection for events is not there")
        return link

    async def _send(self, link: Link, command: str, ref: str, call: Call, job: Job) -> None:
        """The one transmission. Nothing is awaited between the look at the clock and the write."""
        if time.monotonic() > call.start_before:
            raise TooLate
        if not link.flows:
            raise Unavailable("the connection for events is not there")
        call.departure.begun = True
        said = (await link.send(f"bgapi {command}", Job_UUID=ref)).text
        job.taken = True
        if said.startswith(("-ERR permission denied", "-ERR command not found")):
            self._jobs.forget(ref)
            raise Rejected("FreeSWITCH does not let us call", fault=Fault.CONFIG, cause="not_allowed")
        if not said.startswith("+OK"):
            raise Ambiguous("FreeSWITCH was told to call, and its answer cannot be read")

    async def _until_known(self, link: Link, ref: str, job: Job) -> None:
        """Until there is a channel, or was one, or the job has said no."""
        pause = 0.005
        while not job.news.is_set():
            if (await link.api(f"uuid_exists {ref}", self._timeout)) == "true":
                self._jobs.heard(ref, over=False)
                return
            pause = min(pause * 2, 0.5)
            with suppress(TimeoutError):
                await asyncio.wait_for(job.news.wait(), pause)
        if not job.channel:
            job.news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(job.news.wait(), _MOMENT)

    def _start(self) -> None:
        if self._listening is None:
            self._listening = self._tasks.create_task(self._ear.run(self._tasks, self._rhythm), name="ear")

    async def _now(self) -> datetime | None:
        """FreeSWITCH's time, if it says so."""
        said = await self._hands.api(self._tasks, "strepoch")
        return datetime.fromtimestamp(int(said), UTC) if said.isascii() and said.isdigit() else None

    def _hear(self, frame: Frame | None) -> None:
        if self._told.qsize() > _UNREAD:
            while not self._told.empty():
                self._told.get_nowait()
            self._told.put_nowait(GAP)
        if frame is None:
            self._told.put_nowait(GAP)
        elif frame.kind == "text/event-json":
            try:
                event = event_of(frame.body)
                if event.get("Event-Name") == "BACKGROUND_JOB":
                    self._hear_job(event)
                else:
                    self._tell(read(event, self.name, limit_403=self._limit_403))
            except ValueError as fault:
                log.warning("trunk %s: an event of FreeSWITCH cannot be read: %s", self.name, fault)

    def _hear_job(self, event: Any) -> None:
        ref = str(event.get("Job-UUID"))
        if (job := self._jobs.said(ref, job_word(event), time_of(event))) is not None:
            self._later(ref, job)

    def _later(self, ref: str, job: Job) -> None:
        """The job said no: if the end of its channel is not told soon, there was none, and that was the end."""

        def end() -> None:
            if self._jobs.forget(ref) is not None and job.word is not None and job.at is not None:
                self._tell([failed(job.attempt, job.word, job.at)])

        asyncio.get_running_loop().call_later(self._grace, end)

    def _tell(self, events: list[CallEvent]) -> None:
        for event in events:
            if event.phase is not Phase.RESULT and event.ref is not None:
                self._jobs.heard(event.ref, over=event.phase is Phase.ENDED)
            if event.phase is Phase.ENDED and event.ref is not None:
                self._ends[event.ref] = event
                if len(self._ends) > _REMEMBERED:
                    self._ends.popitem(last=False)
            self._told.put_nowait(event)


def _known(ref: str | None, attempt: str) -> str:
    """The channel's id. Raises `AdapterError` for what is none: it would be a command of its own."""
    channel = ref or ref_of(attempt)
    if _REFERENCE.fullmatch(channel) is None:
        raise AdapterError("the id of the call is none of FreeSWITCH's")
    return channel
