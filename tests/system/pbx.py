"""An Asterisk that does not exist, in a process of its own that outlives the dialer's: `python -m tests.system.pbx`.

Its calls go on by themselves only until all are up; how each ends, and when, is told by its fate, given to them as they come.
Prints its URL. `POST /test/WHEN` lets its calls do what they do while nobody listens (down) or after that, and is answered when
all have; `GET /test/books` are its books. Ends with its input.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from time import time
from typing import Any

from aiohttp import web

from adapters.conformance import Act
from adapters.events import Outcome
from tests.support.providers.asterisk import FakeAsterisk
from tests.support.providers.calls import FakeCall, Order, Stage


class When(StrEnum):
    UP = "up"
    DOWN = "down"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Fate:
    """What a call does and when: a stage it comes to, or a variable that the dialplan sets (`NAME=value`). `truly`: how it
    ends."""

    truly: Outcome
    up: Sequence[str]
    down: Sequence[str] = ()
    after: Sequence[str] = ()
    ends_by: Act = Act.HUMAN


RING, ANSWER, END = Stage.RINGING, Stage.ANSWERED, Stage.ENDED
PERSON, MACHINE, NO = "AMDSTATUS=HUMAN", "AMDSTATUS=MACHINE", 'DIALER_RESULT={"do_not_call": true}'

FATES: Sequence[tuple[int, Fate]] = (
    (8, Fate(Outcome.ANSWERED, up=(RING, ANSWER), down=(END,))),
    (4, Fate(Outcome.HUMAN, up=(RING, ANSWER), down=(PERSON, NO, END))),
    (5, Fate(Outcome.MACHINE, up=(RING, ANSWER, MACHINE), down=(END,))),
    (5, Fate(Outcome.MACHINE, up=(RING,), down=(ANSWER, MACHINE, END))),
    (5, Fate(Outcome.BUSY, up=(RING,), down=(END,), ends_by=Act.BUSY)),
    (4, Fate(Outcome.DECLINED, up=(RING,), down=(END,), ends_by=Act.DECLINED)),
    (5, Fate(Outcome.NO_ANSWER, up=(RING,), down=(END,), ends_by=Act.NO_ANSWER)),
    (3, Fate(Outcome.INVALID_NUMBER, up=(), down=(END,), ends_by=Act.INVALID)),
    (3, Fate(Outcome.ANSWERED, up=(RING, ANSWER), after=(END,))),
    (4, Fate(Outcome.HUMAN, up=(RING,), down=(ANSWER, PERSON, NO), after=(END,))),
    (2, Fate(Outcome.NO_ANSWER, up=(RING,), after=(END,), ends_by=Act.NO_ANSWER)),
    (2, Fate(Outcome.BUSY, up=(RING,), after=(END,), ends_by=Act.BUSY)),
)
"""How many calls have which. Few numbers are invalid, or it would be the trunk's fault."""
ALL = [fate for count, fate in FATES for _ in range(count)]


class Pbx(FakeAsterisk):
    def __init__(self) -> None:
        super().__init__()
        self.fates: dict[str, Fate] = {}
        self._now = {when: asyncio.Event() for when in When}
        self._now[When.UP].set()
        self._through = Counter[When]()
        self._turned = asyncio.Condition()

    def routes(self) -> Sequence[web.RouteDef]:
        return [*super().routes(), web.post("/test/{when}", self._let), web.get("/test/books", self._books)]

    def begin(self, order: Order) -> FakeCall:
        fate = ALL[len(self.calls) % len(ALL)]
        self.act = fate.ends_by
        call = super().begin(order)
        self.fates[call.ref] = fate
        return call

    async def _live(self, call: FakeCall) -> None:
        fate = self.fates[call.ref]
        for when, steps in ((When.UP, fate.up), (When.DOWN, fate.down), (When.AFTER, fate.after)):
            await self._now[when].wait()
            for step in steps:
                await self._do(call, step)
            async with self._turned:
                self._through[when] += 1
                self._turned.notify_all()

    async def _do(self, call: FakeCall, step: str) -> None:
        name, _, value = step.partition("=")
        if value:
            await self.set_variable(call, name, value)
            return
        call.at[Stage(step)] = time()
        await self.tell(call, Stage(step))

    async def _let(self, request: web.Request) -> web.Response:
        when = When(request.match_info["when"])
        self._now[when].set()
        async with self._turned:
            await self._turned.wait_for(lambda: self._through[when] >= len(ALL))
        return web.Response(status=204)

    async def _books(self, request: web.Request) -> web.Response:
        calls: list[dict[str, Any]] = [
            {
                "attempt": call.order.attempt,
                "to": call.order.to,
                "truly": self.fates[ref].truly,
                "over": call.over,
                "hung_up": call.hung_up.is_set(),
                "no": NO in self.fates[ref].down,
            }
            for ref, call in self.calls.items()
        ]
        return web.json_response({"calls": calls, "dialled": self.dialled, "requests": self.requests, "connects": self.connects})


async def main() -> None:
    async with Pbx() as pbx:
        print(pbx.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
