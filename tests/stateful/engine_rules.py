"""The rules of the engine, the carrier and time, in any order; after every step the laws, by ledger and carrier's books."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.strategies._internal.featureflags import FeatureFlags

from dialer.store.database import Database
from tests.stateful import judge
from tests.stateful.rest import come_to_rest
from tests.stateful.world import FREQUENCIES, World, world
from tests.support.laws import carrier_agrees, laws_hold
from tests.support.line import FATES, MISHAPS
from tests.support.process import Process

T = TypeVar("T")
any_one = st.integers(0, 11)
mishaps = st.one_of(st.just(MISHAPS[0]), st.sampled_from(MISHAPS))
fates = st.one_of(st.just("human"), st.just("busy"), st.sampled_from(FATES))
talks = st.sampled_from([2.0, 30.0, 200.0])
DEATHS = [
    *[""] * 7,
    "place:before", "place:after", "sending", "sending", "sent", "sent", "accepted:before", "accepted:after",
    "standing:after", "turn:before", "turn:after",
]  # fmt: skip
HANGING = 20.0
"""Real seconds after which a step is taken to hang."""
EARLIER = """
select a.id from call_attempts a join call_attempts b using (campaign_contact_id)
where a.attempt_no < b.attempt_no and b.ended_at is null
"""
HELD = "select count(*) from campaign_contacts where waiting and reason = 'frequency_cap'"
LIVE = "select id, state from call_attempts where ended_at is null order by claimed_at, id"


class EngineRules(RuleBasedStateMachine):
    """`database`, `redis` and `loop` are given by the test.

    No rule has a precondition: what is drawn must not hang on the engine, in which real sockets decide who comes first. A rule
    that has nothing to act on does nothing.
    """

    database: ClassVar[Database]
    redis: ClassVar[Any]
    loop: ClassVar[asyncio.Runner]
    situations: ClassVar[Counter[str]] = Counter()
    """What has been seen to happen, and how often: a machine that never comes there proves nothing."""

    w: World

    def __init__(self) -> None:
        super().__init__()
        self.stack = AsyncExitStack()
        self.known: Counter[str] = Counter()
        self.live: dict[str, str] = {}
        self.listed: dict[str, tuple[str, str | None, str]] = {}
        self.stopped = ""

    def seen(self, what: str) -> None:
        self.situations[what] += 1

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        async def in_time() -> T:
            async with asyncio.timeout(HANGING):
                return await work

        return self.loop.run(in_time())

    @initialize(everything=st.sampled_from([True, True, True, False]), often=st.sampled_from([0] * 9 + [1, 2, 3]))
    def furnish(self, everything: bool, often: int) -> None:
        """`everything`: all rules take part; else Hypothesis leaves some out, which digs deeper but places fewer calls.
        `often`: the frequency caps that the team begins with."""
        if everything:
            self._rules_strategy.enabled_rules_strategy = st.just(FeatureFlags())
        self.w = self.do(self.stack.enter_async_context(world(self.database, self.redis, FREQUENCIES[often])))

    def teardown(self) -> None:
        try:
            if hasattr(self, "w"):
                self.do(come_to_rest(self.w, self.known))
        finally:
            self.do(self.stack.aclose())

    @invariant()
    def laws(self) -> None:
        if hasattr(self, "w"):
            self.do(self._laws())

    async def _laws(self) -> None:
        for attempt in await judge.transmissions(self.w, self.known):
            row = await self.w.attempt(attempt)
            if row["to_number"] == self.w.promises.seconds.get(row["contact_id"]):
                self.seen("a second number was called")
        await laws_hold(self.w.pool, [f"campaign:{id}" for id in self.w.campaigns])
        await carrier_agrees(self.w.pool, self.w.carrier)
        await judge.slots_are_held(self.w)
        await judge.nobody_lost(self.w)
        self.live = {r["id"]: r["state"] for r in await self.w.pool.fetch(LIVE)}
        if await self.w.pool.fetchval(HELD):
            self.seen("held back by a frequency cap")

    def process(self, which: int) -> Process:
        return self.w.processes[which % len(self.w.processes)]

    def campaign(self, which: int) -> str:
        return self.w.campaigns[which % len(self.w.campaigns)]

    def person(self, which: int) -> str:
        return self.w.people[which % len(self.w.people)]

    @property
    def queued(self) -> list[str]:
        return [id for id, state in self.live.items() if state == "queued"]

    @property
    def unsent(self) -> list[str]:
        return [id for id, dial in self.w.dials.items() if not dial.sent]

    @property
    def sent(self) -> list[str]:
        return [id for id, dial in self.w.dials.items() if dial.sent]

    # ── the engine ──

    @rule(p=any_one, dies=st.sampled_from(["", "", "", "claim:before", "claim:after"]))
    def tick(self, p: int, dies: str) -> None:
        if self.do(self.w.tick(self.process(p), dies)):
            self.seen(f"died at {dies}")

    @rule(first=any_one)
    def tick_together(self, first: int) -> None:
        """Two schedulers plan on the same snapshot and then release, one after the other."""
        self.do(self.w.tick_together([self.process(first), self.process(first + 1)]))

    @rule(p=any_one, which=any_one, mishap=mishaps, fate=fates, talk=talks, dies=st.sampled_from(DEATHS))
    def dial(self, p: int, which: int, mishap: Any, fate: Any, talk: float, dies: str) -> None:
        """One job from its beginning to its end, or to the death of its process."""
        if not self.queued:
            self.tick(p, "")
            self.laws()
        if self.queued:
            self.do(self._dial(self.process(p), self.queued[which % len(self.queued)], mishap, fate, talk, dies))

    @rule(p=any_one, calls=st.lists(st.tuples(mishaps, fates, talks), min_size=2, max_size=3))
    def dial_some(self, p: int, calls: list[tuple[Any, Any, float]]) -> None:
        for call in calls:
            self.dial(p, 0, *call, "")
            self.laws()

    @rule(p=any_one, fate=st.sampled_from(["human", "busy", "no_answer"]), told=st.booleans())
    def call(self, p: int, fate: Any, told: bool) -> None:
        """A call as most are: placed, over, and (mostly) told in order; whoever was busy is due again at once."""
        self.dial(p, 0, "", fate, 2.0, "")
        self.laws()
        self.wait(8.0 if fate != "no_answer" else 35.0)
        if told and self.w.entries():
            self.tell_all(p, 1)

    @rule(p=any_one, times=st.integers(1, 2))
    def take_up(self, p: int, times: int) -> None:
        """All jobs at once; whoever passes the fence stops before its transmission."""
        if not self.queued:
            self.tick(p, "")
            self.laws()
        if self.queued:
            ready = self.do(self.w.take(self.process(p), self.queued, times=times))
            self.seen(f"{min(len(ready), 2)}{'' if len(ready) < 2 else ' or more'} together past the fence")

    async def _dial(self, process: Process, attempt: str, mishap: Any, fate: Any, talk: float, dies: str) -> None:
        at_the_fence = dies if dies.startswith("place") else ""
        if not await self.w.take(process, [attempt], dies=at_the_fence):
            self.seen(f"died at {dies}" if at_the_fence and process.gates.dead else "the fence refused")
            return
        if dies == "sending":
            self.seen("died between fence and transmission")
            return await self.w.kill(process)
        await self.w.transmit(attempt, mishap, fate, talk)
        await judge.transmissions(self.w, self.known)
        has_call = bool(self.w.carrier.journal.by_attempt(attempt))
        certain = mishap in ("", "not_reached", "refuse_429", "refuse_400")
        self.seen(
            f"transmission: {mishap or 'accepted'}" if certain else f"maybe placed, {'and it was' if has_call else 'but was not'}"
        )
        if dies == "sent":
            self.seen(f"died with the answer unread, {'a call accepted' if has_call else 'no call'}")
            return await self.w.kill(process)
        if await self.w.finish(attempt, "" if at_the_fence else dies):
            self.seen(f"died at {dies}, {'a call accepted' if has_call else 'no call'}")

    @rule(which=any_one, mishap=mishaps, fate=fates, talk=talks)
    def transmit(self, which: int, mishap: Any, fate: Any, talk: float) -> None:
        if not self.unsent:
            return self.take_up(which, 1)
        attempt = self.unsent[which % len(self.unsent)]
        asked = self.w.carrier.requests.total()
        self.do(self.w.transmit(attempt, mishap, fate, talk))
        self.seen(
            "a held dial was sent" if self.w.carrier.requests.total() > asked else "a held dial was too late, or reached nobody"
        )

    @rule(which=any_one, dies=st.sampled_from(["", "", "accepted:before", "accepted:after", "turn:before", "turn:after"]))
    def finish(self, which: int, dies: str) -> None:
        if not self.sent:
            return
        attempt = self.sent[which % len(self.sent)]
        if self.live.get(attempt) != "placing":
            self.seen("an event or a look-up came before our note of the carrier's id")
        if self.do(self.w.finish(attempt, dies)):
            self.seen(f"died at {dies}")

    @rule(p=any_one, which=any_one)
    def again(self, p: int, which: int) -> None:
        """A dial job is run again, whatever became of its attempt."""
        self.do(self._again(self.process(p), which))

    async def _again(self, process: Process, which: int) -> None:
        rows = await self.w.pool.fetch(
            "select id, state from call_attempts where state <> 'queued' order by claimed_at desc, id limit 5"
        )
        if rows:
            row = rows[which % len(rows)]
            assert await self.w.take(process, [row["id"]]) == [], f"an attempt that is {row['state']} was let through the fence"
            self.seen(f"a job run again: {row['state']}")

    @rule(p=any_one, dies=st.sampled_from(["", "", "", "stale:after", "turn:before", "turn:after", "events_of:after"]))
    def sweep(self, p: int, dies: str) -> None:
        process = self.process(p)
        judged = "select verdict from callback_asks where judged_at is not null order by judged_at, attempt_id"
        before = len(self.do(self.w.pool.fetch(judged)))
        if self.do(self.w.do(process, process.sweeper.sweep(), dies)):
            self.seen(f"swept, died at {dies}")
        for row in self.do(self.w.pool.fetch(judged))[before:]:
            self.seen(f"a call's wish was judged: {row['verdict']}")

    @rule(
        p=any_one, dies=st.sampled_from(["", "", "", "overdue:after", "turn:before", "turn:after"]),
        blind=st.sampled_from([False, False, False, True]),
    )  # fmt: skip
    def reconcile(self, p: int, dies: str, blind: bool) -> None:
        process = self.process(p)
        before = self.live
        self.w.line.blind = blind
        if self.do(self.w.do(process, process.reconciler.sweep(), dies)):
            self.seen(f"reconciled, died at {dies}")
        self.w.line.blind = False
        self.laws()
        for attempt, state in before.items():
            if self.live.get(attempt) != state:
                self.seen(f"looked up: {state} became {self.live.get(attempt, 'ended')}")

    @rule(p=any_one, dies=st.booleans())
    def recount(self, p: int, dies: bool) -> None:
        if dies:
            self.do(self.w.kill(self.process(p)))
        assert self.do(self.process(p).sweeper.recount()) == 0, "a recount disagrees"

    # ── the carrier ──

    @rule(p=any_one, newest=st.integers(1, 4))
    def tell_all(self, p: int, newest: int) -> None:
        """All that has happened to the newest calls, as it should be told."""
        told = [(entry, what) for entry in self.w.entries()[-newest:] for what in self.w.happened(entry)]
        if told:
            self.do(self._tell(self.process(p), told, False, ""))

    @rule(
        p=any_one, picks=st.lists(st.tuples(any_one, any_one), min_size=1, max_size=4), copies=st.integers(1, 3),
        together=st.booleans(), dies=st.sampled_from(["", "", "", "", "standing:after", "turn:before", "turn:after"]),
    )  # fmt: skip
    def tell(self, p: int, picks: list[tuple[int, int]], copies: int, together: bool, dies: str) -> None:
        """Some of what has happened, in any order and any number of times, also what was told before."""
        newest = self.w.entries()[::-1]
        told = []
        for which, what in picks if newest else ():
            entry = newest[which % len(newest)]
            if happened := self.w.happened(entry):
                told += [(entry, happened[::-1][what % len(happened)])] * copies
        if told:
            self.do(self._tell(self.process(p), told, together, dies))

    @rule(p=any_one, fate=fates, newest=st.integers(1, 3))
    def learn_too_late(self, p: int, fate: Any, newest: int) -> None:
        """The carrier neither tells nor answers until a call is given up as unknown; then it tells after all."""
        self.dial(p, 0, "", fate, 2.0, "")
        self.laws()
        self.wait(700.0)
        self.reconcile(p, "", True)
        unknown = "select count(*) from call_attempts where state = 'ended' and outcome = 'unknown'"
        given_up = self.do(self.w.pool.fetchval(unknown))
        if self.w.entries():
            self.tell_all(p, newest)
        if self.do(self.w.pool.fetchval(unknown)) < given_up:
            self.seen("an unknown ending was corrected by late evidence")

    @rule(p=any_one, copies=st.integers(1, 2))
    def tell_late(self, p: int, copies: int) -> None:
        """Something of an attempt whose next one is live already."""
        earlier = {r["id"] for r in self.do(self.w.pool.fetch(EARLIER))}
        told = [(entry, self.w.happened(entry)[-1]) for entry in self.w.entries() if entry.attempt in earlier] * copies
        if told:
            self.do(self._tell(self.process(p), told, True, ""))

    async def _tell(self, process: Process, told: list[Any], together: bool, dies: str) -> None:
        about = {entry.attempt for entry, _ in told}
        others = "select * from call_attempts where not id = any($1) order by id"
        late = await self.w.pool.fetchval(
            """select count(*) from call_attempts a join call_attempts b using (campaign_contact_id)
               where a.id = any($1) and a.attempt_no < b.attempt_no and b.ended_at is null""", list(about),
        )  # fmt: skip
        before = await self.w.pool.fetch(others, list(about))
        died = await self.w.tell(process, told, together=together, dies=dies)
        assert await self.w.pool.fetch(others, list(about)) == before, "an event moved an attempt that it does not speak of"
        if late:
            self.seen("a late event of attempt n while n+1 is live")
        if died:
            self.seen(f"died at {dies} of an event")

    # ── time ──

    @rule(seconds=st.sampled_from([0.1, 0.6, 0.6, 1.0, 2.5, 2.5, 8.0, 8.0, 35.0, 70.0, 250.0, 700.0]))
    def wait(self, seconds: float) -> None:
        given = self.w.promises.given
        self.do(self.w.wait(seconds))
        if self.w.promises.given > given:
            self.seen("a no was answered")

    @rule(p=any_one)
    def time_heals(self, p: int) -> None:
        """Fences, sweeps, rings and short calls come to their end, and what was not told is looked up."""
        self.wait(70.0)
        self.laws()
        self.sweep(p, "")
        self.laws()
        self.reconcile(p, "", False)

    @rule(delta=st.sampled_from([-120.0, -91.0, -90.0, -89.5, -30.0, -0.2, 0.0, 0.2, 5.0]))
    def to_the_edge(self, delta: float) -> None:
        """On to the next half hour or just before or after it, when windows open and shut."""
        now = self.w.moment.now()
        edge = now.replace(minute=0, second=0, microsecond=0) + timedelta(minutes=30 * (1 + now.minute // 30), seconds=delta)
        if edge > now:
            was = self._open()
            self.do(self.w.wait((edge - now).total_seconds()))
            if self._open() != was:
                self.seen("a window opened or shut")

    @rule(p=any_one, waits=st.sampled_from([0.5, 1.8, 1.8]))
    def last_second(self, p: int, waits: float) -> None:
        """Released just before the last call of a window may start, taken up just after."""
        now = self.w.moment.now()
        halves = (now.replace(minute=0, second=0, microsecond=0) + timedelta(minutes=30 * n) for n in range(2, 50))
        before, early = timedelta(seconds=1), judge.MARGIN + timedelta(seconds=0.7)
        to_come = [at for at in halves if at - early >= now]
        shuts = next(
            (at for at in to_come if any(a and not b for a, b in zip(self._open(at - before), self._open(at), strict=True))), None
        )
        if shuts is not None:
            self.wait((shuts - early - now).total_seconds())
            self.tick(p, "")
            self.laws()
            self.wait(waits)
            if self.queued:
                self.seen("released just before a window shuts")
                for attempt in self.do(self.w.take(self.process(p), self.queued)):
                    self.do(self.w.transmit(attempt, "", "busy", 2.0))
                    self.laws()
                    self.do(self.w.finish(attempt))

    def _open(self, at: datetime | None = None) -> list[bool]:
        return [
            judge.open_now(self.w, campaign, zone, at or self.w.moment.now())
            for campaign in self.w.campaigns
            for zone in ("Europe/Berlin", "America/New_York")
        ]
