"""A trial: one real call that no campaign asked for, to see whether a trunk works. It is in no ledger, so it is followed here.

The promises are those of any call: nobody who said no is called, and nobody outside the hours; the phone rings once, for at
most one transmission leaves; what rings or talks is ended, however this is. What the carrier calls back goes to the daemon, which
has no such attempt and keeps nothing of it: the call is followed by look-ups, and by the adapter's events where it has any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.base import Absent, Call, Live, Over, Sighting, TelephonyAdapter, Unsure
from adapters.errors import AdapterError, Ambiguous, PlaceError, Rejected, TooLate
from adapters.events import CallEvent, Fault, Phase
from dialer.domain.errors import Conflict
from dialer.settings import DirectCalls
from dialer.store import said_no
from dialer.store.database import Database
from dialer.store.transaction import reading
from dialer.telemetry import mask, scrub
from scheduler.clock import Clock
from scheduler.places import locate
from scheduler.windows import daily, everywhere, is_open

CONNECT_SECONDS = 3.0
"""How long an adapter's own connection for events is waited for before the call."""
LOOK_SECONDS = 1.0
"""Between two look-ups."""
GRACE_SECONDS = 10.0
"""How much longer than asked a phone may ring, or a call last, before it is hung up here."""
END_SECONDS = 15.0
"""How long after a hang-up the end is waited for."""
RESULT_SECONDS = 120.0
"""How long after the end of a call what it told is waited for: so long may a voice platform be about it."""
HANG_UP_SECONDS = 10.0
MISSES = 10
"""After so many look-ups in a row that do not see a call that was seen before, it is over."""
TRIES = 3
"""How often a placement is begun of which not one byte left in time: the first has to connect."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. `seconds` since the placement; the other fields as in `CallEvent`."""

    what: str
    at: datetime
    seconds: float
    detail: str = ""
    outcome: str | None = None
    fault: str | None = None
    cause: str | None = None
    sip: int | None = None
    q850: int | None = None


async def allow(database: Database, number: str, now: datetime, hours: DirectCalls | None) -> None:
    """Raises `Conflict` where the number may not be called now. `hours` None: at any hour."""
    async with reading(database) as on:
        found = await said_no.of_number(on, number, now)
    if found["suppressed"]:
        raise Conflict("--to: the number is suppressed; it is not called, for a test neither")
    if found["said_no"]:
        raise Conflict("--to: a contact with this number said no; it is not called, for a test neither")
    if found["in_call"]:
        raise Conflict("--to: the number is being called by a campaign; try again when that call is over")
    if hours is not None:
        zones = locate(None, None, number).zones
        if not is_open(everywhere(daily(hours.window_start, hours.window_end), zones), now):
            where = ", ".join(zones[:3]) or "an unknown place"
            raise Conflict(
                f"--to: it is not between {hours.window_start} and {hours.window_end} where the number rings ({where});"
                " call later, or say --any-hour if whoever has it expects the call"
            )


class Trial:
    """`adapter` is entered. `tell` hears of each step as it happens."""

    def __init__(self, adapter: TelephonyAdapter, clock: Clock, tell: Callable[[Step], None]) -> None:
        self._adapter, self._clock, self._tell = adapter, clock, tell
        self._call: Call | None = None
        self._placing: asyncio.Task[str | PlaceError] | None = None
        self._since = clock.now()
        self._ref: str | None = None
        self._speaks = False
        self._ready, self._news = asyncio.Event(), asyncio.Event()
        self._phases: set[Phase] = set()
        self._over = False
        self.ending: Step | None = None
        """How it ended, or why it was not placed; None = nobody knows."""
        self.do_not_call = False
        """Whether whoever was spoken to said so."""

    async def run(self, permit: Callable[[], Awaitable[Call]]) -> None:
        """Place the call that `permit` gives, once, and follow it to its end. Cancelled, it hangs up. `permit` looks whether the
        number may be called, and its call has to leave at once; it is asked again only where nothing has left."""
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listen(), name="events of the trial")
            try:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ready.wait(), CONNECT_SECONDS)
                call = await self._place(tasks, permit)
                if not self._over:
                    await self._follow(call)
            finally:
                try:
                    if not self._over:
                        await self._hang_up()
                    self._admit()
                finally:
                    listening.cancel()

    def _admit(self) -> None:
        """Somebody was spoken to, and it was not heard whether he said no: nothing else would say so, for the daemon keeps
        nothing of a trial."""
        if self._tells and Phase.ANSWERED in self._phases and Phase.RESULT not in self._phases:
            detail = "what the call told was not heard: if it was a no, `dialer suppression add --global` the number"
            self._say("no result", detail=detail)

    @property
    def _tells(self) -> bool:
        return "result" in self._adapter.capabilities.can

    async def _listen(self) -> None:
        try:
            async for event in self._adapter.events():
                self._speaks = True
                self._ready.set()
                if self._call is not None and event.attempt == self._call.attempt:
                    self._hear(event)
        except Exception as fault:  # a defect of the adapter: it may not cancel a placement that is under way
            self._speaks = False
            self._say("no events", detail=f"{type(fault).__name__} in the adapter; the call is followed by look-ups")
        finally:
            self._ready.set()

    async def _place(self, tasks: asyncio.TaskGroup, permit: Callable[[], Awaitable[Call]]) -> Call:
        self._over = True  # nothing rings yet
        for _ in range(TRIES):
            self._call = call = await permit()
            self._since, self._over = self._clock.now(), False
            self._placing = tasks.create_task(self._transmit(call), name="placement of the trial")
            said = await asyncio.shield(self._placing)  # what is under way is not given up: its answer names the call
            if not isinstance(said, TooLate) or call.departure.begun:
                break
        match said:
            case str():
                self._ref = said
                self._say("placed", detail=f"the carrier calls it {said}")
            case Ambiguous():
                self._say("unclear", detail=f"{said}; it is looked for")
            case _:
                cause = said.cause if isinstance(said, Rejected) else None
                fault = said.fault if isinstance(said, Rejected) else Fault.TRUNK
                self._over = True
                self.ending = self._say("not placed", detail=str(said), fault=fault, cause=cause)
        return call

    async def _transmit(self, call: Call) -> str | PlaceError:
        try:
            return await self._adapter.place(call)
        except PlaceError as fault:
            return fault
        except Exception as fault:  # a defect of the adapter: what it has sent may ring
            name = type(fault).__name__
            return Ambiguous(name) if call.departure.begun else Rejected(name, fault=Fault.REQUEST)

    async def _follow(self, call: Call) -> None:
        now = self._clock.monotonic
        doubt = self._adapter.capabilities.settle if self._ref is None else 0.0
        until, answered, hung_up, misses, waited = now() + max(call.ring, doubt) + GRACE_SECONDS, False, False, 0, False
        while not self._over:
            await self._pause(LOOK_SECONDS)
            seen = await self._find(call)
            if isinstance(seen, Over) and self._speaks and not waited:
                waited = True  # its own events tell more, and may come a moment later
                continue
            misses = 0 if isinstance(seen, Live | Over) else misses + bool(self._phases)
            self._see(seen, doubtful=now() < until - GRACE_SECONDS)
            if Phase.ANSWERED in self._phases and not answered:
                answered, until = True, now() + call.limit + GRACE_SECONDS
            if misses >= MISSES and not self._over:
                await self._hang_up()
                self._over = True
                self._say("gone", detail="the carrier does not show the call any more, nor how it ended")
            if now() >= until and not self._over:
                if hung_up:
                    return
                await self._hang_up()
                hung_up, until = True, now() + END_SECONDS
        if answered and self._tells:
            await self._result(call)

    async def _find(self, call: Call) -> Sighting:
        try:
            return await self._adapter.find(call.attempt, call.to, self._ref, self._since)
        except Exception as fault:  # a defect of the adapter: that nothing is seen proves nothing
            return Unsure(type(fault).__name__)

    async def _result(self, call: Call) -> None:
        """What the call told: a no among it."""
        until = self._clock.monotonic() + RESULT_SECONDS
        if Phase.RESULT not in self._phases:
            self._say("waiting", detail=f"for what the call told, up to {RESULT_SECONDS:g} s")
        while Phase.RESULT not in self._phases and self._clock.monotonic() < until:
            seen = await self._find(call)
            for event in seen.events if isinstance(seen, Over) else ():
                self._hear(event)
            if Phase.RESULT not in self._phases:
                await self._pause(LOOK_SECONDS)

    async def _pause(self, seconds: float) -> None:
        """Until there is news, `seconds` at the most."""
        self._news.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    def _see(self, seen: Sighting, *, doubtful: bool) -> None:
        match seen:
            case Live(ref=ref, answered=answered):
                self._ref = self._ref or ref
                phase = Phase.ANSWERED if answered else Phase.DIALING
                if phase not in self._phases and not (phase is Phase.DIALING and self._phases):
                    self._phases.add(phase)
                    self._say(phase if answered else "live", detail="seen by a look-up")
            case Over(ref=ref, events=events):
                self._ref = self._ref or ref
                for event in events:
                    self._hear(event)
                if not self._over:
                    self._over = True
                    self.ending = self._say("ended", detail="the carrier does not say how")
            case Absent() if self._ref is None and not doubtful:
                self._over = True
                self.ending = self._say("not placed", detail="the carrier has no such call", fault=Fault.TRUNK)

    def _hear(self, event: CallEvent) -> None:
        self.do_not_call = self.do_not_call or event.data.get("do_not_call") is True
        if event.phase in self._phases:
            return
        self._phases.add(event.phase)
        self._ref = self._ref or event.ref
        step = Step(
            event.phase,
            event.at,
            max(0.0, (event.at - self._since).total_seconds()),
            outcome=event.outcome,
            fault=event.fault,
            cause=event.cause,
            sip=event.sip,
            q850=event.q850,
        )
        told = self._masked(step)
        self._tell(told)
        if event.phase is Phase.ENDED:
            self.ending, self._over = told, True
        self._news.set()

    def _say(self, what: str, *, detail: str = "", fault: Fault | None = None, cause: str | None = None) -> Step:
        now = self._clock.now()
        step = self._masked(Step(what, now, (now - self._since).total_seconds(), detail, fault=fault, cause=cause))
        self._tell(step)
        return step

    def _masked(self, step: Step) -> Step:
        """Without whole numbers: `detail` and `cause` may be a carrier's words, which repeat them without their plus, too."""

        def masked(text: str) -> str:
            for number in (self._call.to, self._call.caller_id) if self._call is not None else ():
                text = text.replace(number.removeprefix("+"), mask(number).removeprefix("+"))
            return scrub(text)

        return replace(step, detail=masked(step.detail), cause=step.cause and masked(step.cause))

    async def _hang_up(self) -> None:
        """End what may ring. It does not raise: whoever is called must be told of if it cannot be ended."""
        if self._call is None or self._placing is None:
            return
        call = self._call
        try:
            async with asyncio.timeout(HANG_UP_SECONDS + self._adapter.capabilities.place_timeout):
                await asyncio.wait({self._placing})
                said = self._placing.result()
                if isinstance(said, PlaceError) and not isinstance(said, Ambiguous):
                    return
                ref = self._ref or (said if isinstance(said, str) else None)
                if ref is None:
                    seen = await self._adapter.find(call.attempt, call.to, None, self._since)
                    ref = seen.ref if isinstance(seen, Live) else None
                await self._adapter.hang_up(call.attempt, ref)
            self._say("hung up")
        except Exception as fault:
            match fault:
                case AdapterError():
                    why = str(fault)
                case TimeoutError():
                    why = "the carrier does not answer"
                case _:  # a defect of the adapter
                    why = type(fault).__name__
            self._say("not hung up", detail=f"{why}; end it at the carrier, or let it run out")
