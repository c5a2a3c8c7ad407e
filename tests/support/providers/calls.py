"""The books and the calls of a carrier that does not exist, however it is spoken to.

What it does with the calls that come next is told by an `Act`, as the conformance suite does. Each call runs from ring to end in
hundredths of a second. `FakeProvider` (base.py) puts HTTP in front of it; a carrier that speaks by a socket of its own puts that.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from adapters.conformance import Act

PACE = 0.01
"""Seconds from one stage of a call to the next."""


class Stage(StrEnum):
    """What a carrier may tell of. RESULT comes after the end of a call that was answered."""

    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"
    RESULT = "result"


RINGS = frozenset(Act) - {Act.INVALID, Act.UNREACHABLE}
ANSWERS = RINGS - {Act.BUSY, Act.DECLINED, Act.NO_ANSWER}


@dataclass(frozen=True, slots=True)
class Order:
    """A placement as it was read. `callback_url` may be empty: then callbacks go to the carrier's `webhook_url`. `asked` is what
    else the request said, for tests to look at."""

    attempt: str
    to: str
    caller_id: str = ""
    callback_url: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Play:
    """What is done with one placement. `answer`: what befalls the answer to it, nothing if it is none of the acts that say so. Of
    its callbacks each is sent `repeats` times, and all are held back until it is over and sent in reverse if `backwards`; `lied`:
    somebody who has not the key tells of it, too."""

    act: Act
    answer: Act
    repeats: int = 1
    backwards: bool = False
    lied: bool = False


@dataclass(slots=True, eq=False)
class FakeCall:
    """One call. `placed` and `at` (when it came to each stage, in order) are seconds since 1970; `hung_up`: we ended it."""

    ref: str
    order: Order
    act: Act
    placed: float
    play: Play
    at: dict[Stage, float] = field(default_factory=dict)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def answered(self) -> bool:
        return Stage.ANSWERED in self.at

    @property
    def over(self) -> bool:
        return Stage.ENDED in self.at

    @property
    def cancelled(self) -> bool:
        """We ended it before anybody answered."""
        return self.hung_up.is_set() and not self.answered


class FakeCarrier(ABC):
    """Its books. Whoever speaks for it counts each placement in `requests` and begins the call with `begin`."""

    talks_after_the_end = False
    """Whether there is a stage RESULT."""

    def __init__(self) -> None:
        self.url = ""
        """Where it listens."""
        self.webhook_url = ""
        """Where callbacks go that no order names an address for; the harness sets it."""
        self.act = Act.HUMAN
        self.requests: Counter[str] = Counter()
        """Placements that were read, refused ones too, per attempt."""
        self.calls: dict[str, FakeCall] = {}
        """By the carrier's own id, in order of placement."""
        self.told: list[tuple[str, str, bytes]] = []
        """Attempt, path with query, and body of each callback."""
        self.pace = PACE
        """Seconds from one stage of a call to the next."""
        self.script: Callable[[Order, int], Play] | None = None
        """What is done with a placement, by it and by which call to its number it is, from 1; None: as `act` says."""
        self.note: Callable[[FakeCall, Stage | None], None] = lambda call, stage: None
        """Told of each call, when it begins (None) and when it comes to a stage."""
        self._calls_to: Counter[str] = Counter()
        self._lives: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def tell(self, call: FakeCall, stage: Stage) -> None:
        """Let our side know that the call has come to this stage."""

    async def told_all(self, call: FakeCall) -> None:  # noqa: B027 - nothing, for most
        """The call has come to its last stage, and `tell` has been asked for all of them."""

    def new_ref(self, order: Order) -> str:
        """The id of the next call."""
        return f"ref-{len(self.calls) + 1}"

    def play(self, order: Order) -> Play:
        """What is done with this placement, if it is the next one to its number."""
        if self.script is None:
            return Play(self.act, self.act)
        return self.script(order, self._calls_to[order.to] + 1)

    def begin(self, order: Order) -> FakeCall:
        """A call that was accepted; it lives from now on."""
        play = self.play(order)
        call = FakeCall(self.new_ref(order), order, play.act, time.time(), play)
        self.calls[call.ref] = call
        self._calls_to[order.to] += 1
        self.note(call, None)
        self._lives.add(asyncio.create_task(self._live(call), name=f"life of {call.ref}"))
        return call

    def of(self, attempt: str) -> list[FakeCall]:
        """The calls of one attempt."""
        return [call for call in self.calls.values() if call.order.attempt == attempt]

    def hang_up(self, call: FakeCall) -> None:
        """End a call; one that is over stays so."""
        call.hung_up.set()

    async def lived(self) -> None:
        """Wait until every call is over and all was told of it. Raises what went wrong in one of them."""
        await asyncio.gather(*self._lives)

    async def close(self) -> None:
        """End all calls untold. Raises what went wrong in one of them."""
        for life in self._lives:
            life.cancel()
        for lived in await asyncio.gather(*self._lives, return_exceptions=True):
            if isinstance(lived, Exception):
                raise lived

    async def _live(self, call: FakeCall) -> None:
        stages = [Stage.RINGING] * (call.act in RINGS) + [Stage.ANSWERED] * (call.act in ANSWERS) + [Stage.ENDED]
        while stages:
            stage = stages.pop(0)
            if stage is Stage.ENDED and call.act is Act.TALK_ON:
                await call.hung_up.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(call.hung_up.wait(), self.pace)
            if call.hung_up.is_set() and not call.over:
                stage, stages = Stage.ENDED, []
            call.at[stage] = time.time()
            self.note(call, stage)
            if stage is Stage.ENDED and call.answered and self.talks_after_the_end:
                stages = [Stage.RESULT]
            await self.tell(call, stage)
        await self.told_all(call)
