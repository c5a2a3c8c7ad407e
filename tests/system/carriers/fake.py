"""A provider's fake in a process of its own: `python -m tests.system.carriers.fake KIND SEED`.

Prints its address as JSON; then reads one JSON object, `Orders`, and plays. When its input ends it waits until its calls have
told everything, prints its `Books` as JSON and ends. The journal is one as the simulated carrier keeps (`journal.py` there).
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from adapters.conformance import Act
from adapters.simulated.carrier.journal import CAMPAIGN, Journal
from tests.support.providers.base import FakeProvider
from tests.support.providers.calls import FakeCall, FakeCarrier, Order, Play, Stage
from tests.system.carriers.kinds import KINDS, LOST
from tests.system.carriers.plays import play

PACE = 0.1
"""Seconds from one stage of a call to the next."""
START_SECONDS = 60.0
QUIET_SECONDS = 30.0
PROJECT = Path(__file__).parents[3]
_TIMES = {Stage.RINGING: "ringing", Stage.ANSWERED: "answered", Stage.ENDED: "ended", Stage.RESULT: "resulted"}


class Orders(msgspec.Struct, frozen=True):
    """Where callbacks go that no call names an address for, where the journal is, and whose calls they are."""

    webhook_url: str
    journal: str
    campaign: str


class Books(msgspec.Struct, frozen=True):
    """What is not in the journal. `asked_twice`: attempts for which more than one request came. `refused`: true callbacks that
    were not taken, by HTTP status; `believed`: forged ones that were."""

    lost: dict[str, int] = {}
    repeated: int = 0
    backwards: int = 0
    forged: int = 0
    believed: int = 0
    refused: dict[str, int] = {}
    asked_twice: int = 0


class Clerk:
    """Keeps the books of a fake."""

    def __init__(self, fake: FakeCarrier, journal: Journal, campaign: str) -> None:
        self._fake = fake
        self._journal = journal
        self._campaign = campaign

    def note(self, call: FakeCall, stage: Stage | None) -> None:
        order = call.order
        if stage is None:
            self._journal.accept(
                id=call.ref, attempt=order.attempt, to=order.to, caller_id=order.caller_id, labels={CAMPAIGN: self._campaign},
                at=call.placed,
            )  # fmt: skip
            return
        entry = self._journal.entries[call.ref]
        self._journal.note(entry, **{_TIMES[stage]: call.at[stage]})
        if stage is Stage.ENDED:
            who = ("machine" if call.act is Act.MACHINE else "human") if call.answered else None
            self._journal.note(entry, answered_by=who, reason=call.act.value, hung_up=call.hung_up.is_set())

    def books(self) -> Books:
        calls = self._fake.calls.values()
        lost = Counter(call.play.answer.value for call in calls if call.play.answer in LOST)
        asked_twice = sum(count > 1 for count in self._fake.requests.values())
        if not isinstance(self._fake, FakeProvider):
            return Books(lost=lost, asked_twice=asked_twice)
        heard = self._fake.heard
        forged = {status: count for (which, status), count in heard.items() if which == "forged"}
        return Books(
            lost=lost,
            repeated=sum(count for (which, _), count in heard.items() if which == "again"),
            backwards=sum(call.play.backwards for call in calls),
            forged=sum(forged.values()),
            believed=sum(count for status, count in forged.items() if status < 400),
            refused=dict(Counter(str(s) for (which, s), n in heard.items() for _ in range(n) if which != "forged" and s >= 300)),
            asked_twice=asked_twice,
        )


async def _main(name: str, seed: int) -> None:
    kind = KINDS[name]
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with kind.fake() as fake:
        print(msgspec.json.encode({"url": fake.url}).decode(), flush=True)
        if not (line := await reader.readline()):
            return
        orders = msgspec.json.decode(line, type=Orders)
        journal = Journal.open(Path(orders.journal))
        clerk = Clerk(fake, journal, orders.campaign)

        def script(order: Order, nth: int) -> Play:
            return play(kind, seed, order, nth)

        fake.webhook_url, fake.pace, fake.note, fake.script = orders.webhook_url, PACE, clerk.note, script
        await reader.read()
        async with asyncio.timeout(QUIET_SECONDS):
            await fake.lived()
        journal.close()
        print(msgspec.json.encode(clerk.books()).decode(), flush=True)


@dataclass(frozen=True, slots=True)
class Provider:
    """The process."""

    url: str
    process: asyncio.subprocess.Process

    async def play(self, orders: Orders) -> None:
        """Begin. Its books are not kept before."""
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(orders) + b"\n")
        await self.process.stdin.drain()

    async def finish(self) -> Books:
        """End it, when all its calls have told everything. Raises `EOFError` where a call's life went wrong; it has said so."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        async with asyncio.timeout(2 * QUIET_SECONDS):
            if not (line := await self.process.stdout.readline()):
                raise EOFError("the fake broke off")
        return msgspec.json.decode(line, type=Books)


@asynccontextmanager
async def provider(kind: str, seed: int) -> AsyncIterator[Provider]:
    """The fake of this adapter, listening."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.carriers.fake", kind, str(seed)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=PROJECT,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
        yield Provider(msgspec.json.decode(line)["url"], process)
    finally:
        process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
