from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from scheduler.planner import CallerId, CampaignView, Lane, Plan, Snapshot
from scheduler.policies import CallHours
from scheduler.ticker import LONGEST_REST, Carried, Ticker
from scheduler.windows import daily
from tests.support.clock import ManualClock
from tests.support.places import somewhere

CAMPAIGN = CampaignView(
    id="camp_a",
    team="team_1",
    trunk="main",
    weight=1,
    hours=CallHours(daily("00:00", "24:00"), "UTC"),
    margin=30,
    scopes=("campaign:camp_a", "trunk:main"),
    run_remaining=None,
    calls_per_second=None,
    caller_ids=(CallerId("num_1", "+4930123456", 1, "number:num_1"),),
    lanes=(Lane(1, somewhere("UTC"), 0, 100),),
)


class Rehearsal:
    """Book and doorbell of one ticker, on a manual clock: notes what is asked, answers what the test says."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stop = asyncio.Event()
        self.campaigns: tuple[CampaignView, ...] = ()
        self.reopens: dict[str, float] = {}
        self.locked: list[frozenset[str]] = []
        self.shown: dict[str, dict[str, int]] = {}
        self.plans: list[Plan] = []
        self.faults: list[Exception] = []
        self.asked: list[frozenset[str] | None] = []
        self.released: list[int] = []
        self.reported: asyncio.Queue[Exception] = asyncio.Queue()
        self.begun = asyncio.Event()
        self.at_work = 0
        self.gate: asyncio.Event | None = None
        self._rung: set[str] = set()
        self._bell = asyncio.Event()
        self._waiting = asyncio.Event()

    async def snapshot(self, dirty: frozenset[str] | None) -> Snapshot:
        assert self.at_work == 0, "rounds overlap"
        self.at_work += 1
        try:
            self.asked.append(dirty)
            self.begun.set()
            if self.gate is not None:
                await self.gate.wait()
            if self.faults:
                raise self.faults.pop(0)
            return Snapshot(self.clock.now(), self.campaigns, {}, self.reopens)
        finally:
            self.at_work -= 1

    async def release(self, plan: Plan) -> Carried:
        self.released.append(sum(release.count for release in plan.releases))
        self.plans.append(plan)
        return Carried(self.locked.pop(0) if self.locked else frozenset(), self.shown)

    async def wait(self, timeout: float) -> frozenset[str]:
        assert timeout > 0
        if not self._rung:
            self._bell.clear()
            bell, alarm = asyncio.create_task(self._bell.wait()), asyncio.create_task(self.clock.sleep(timeout))
            try:
                await self.clock.asleep()
                self._waiting.set()
                await asyncio.wait((bell, alarm), return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._waiting.clear()
                bell.cancel()
                alarm.cancel()
                await asyncio.wait((bell, alarm))
        rung = frozenset(self._rung)
        self._rung.clear()
        return rung

    def ring(self, *keys: str) -> None:
        self._rung.update(keys)
        self._bell.set()

    async def quiet(self) -> None:
        """Until the ticker waits at the doorbell."""
        await self._waiting.wait()

    async def pass_by(self, seconds: float) -> None:
        """Let time pass while it waits, until it waits again."""
        await self._waiting.wait()
        self._waiting.clear()
        self.clock.advance(seconds)
        await self._waiting.wait()

    async def bell(self, *keys: str) -> None:
        """Ring while it waits, until it waits again."""
        await self._waiting.wait()
        self._waiting.clear()
        self.ring(*keys)
        await self._waiting.wait()


@asynccontextmanager
async def ticking(
    rehearsal: Rehearsal, rates: dict[str, float] | None = None, limit: int = 2000
) -> AsyncIterator[Callable[[], bool]]:
    ticker = Ticker(rehearsal, rehearsal, rehearsal.clock, 1.0, rehearsal.reported.put_nowait, rates, limit)
    async with asyncio.timeout(5):
        task = asyncio.create_task(ticker.run(rehearsal.stop))
        try:
            yield task.done
        finally:
            rehearsal.stop.set()
            await task


async def test_it_looks_at_everything_first_and_at_every_tick() -> None:
    book = Rehearsal()
    async with ticking(book):
        await book.quiet()
        assert book.asked == [None]
        await book.pass_by(1)
        await book.pass_by(1)
    assert book.asked == [None, None, None]
    assert book.released == []


async def test_a_bell_plans_what_rang_and_does_not_put_off_the_tick() -> None:
    book = Rehearsal()
    async with ticking(book):
        await book.quiet()
        book.clock.advance(0.6)
        await book.bell("campaign:camp_a", "trunk:main")
        assert book.asked == [None, {"campaign:camp_a", "trunk:main"}]
        await book.pass_by(0.4)
        assert book.asked[2:] == [None]


async def test_a_plan_is_released() -> None:
    book = Rehearsal()
    book.campaigns = (CAMPAIGN,)
    async with ticking(book):
        await book.quiet()
    assert book.released == [100]


async def test_the_turns_of_the_numbers_go_by_what_was_shown_not_by_what_was_planned() -> None:
    """Of two calls a round, both go to people who are tied to the first number: the next turns are the second's."""
    book = Rehearsal()
    numbers = tuple(CallerId(f"num_{n}", f"+493012345{n}", 1, f"number:num_{n}") for n in (1, 2))
    book.campaigns = (replace(CAMPAIGN, caller_ids=numbers, ties=True, lanes=(Lane(1, somewhere("UTC"), 0, 2),)),)
    book.shown = {"camp_a": {"num_1": 2}}
    async with ticking(book):
        await book.quiet()
        await book.pass_by(1)
    assert [dict(each.caller_ids) for plan in book.plans for each in plan.releases] == [{"num_1": 1, "num_2": 1}, {"num_2": 2}]
    assert book.plans[1].releases[0].had == {"num_1": 4, "num_2": 0}


async def test_a_plan_that_only_says_when_windows_open_is_handed_over_too() -> None:
    book = Rehearsal()
    book.campaigns = (replace(CAMPAIGN, hours=CallHours(daily("00:00", "24:00")), lanes=(Lane(1, somewhere(), 0, 5),)),)
    async with ticking(book):
        await book.quiet()
    assert book.released == [0]


async def test_locked_keys_are_looked_at_again_soon() -> None:
    book = Rehearsal()
    book.campaigns = (CAMPAIGN,)
    busy = frozenset({"campaign:camp_a"})
    book.locked = [busy, busy]
    async with ticking(book):
        await book.quiet()
        assert book.asked == [None]
        await book.pass_by(0.004)
        assert book.asked == [None, busy]
        await book.pass_by(0.008)
        assert book.asked == [None, busy, busy]
        book.clock.advance(0.5)
        await book.bell("team:team_2")
        assert book.asked == [None, busy, busy, {"team:team_2"}]


async def test_what_was_locked_does_not_use_up_its_rate() -> None:
    book = Rehearsal()
    book.campaigns = (CAMPAIGN,)
    book.locked = [frozenset({"campaign:camp_a"})]
    async with ticking(book, {"trunk:main": 5.0}):
        await book.quiet()
        await book.pass_by(0.004)
    assert book.released == [5, 5]


async def test_a_spent_rate_is_used_again_as_soon_as_it_has_room() -> None:
    book = Rehearsal()
    book.campaigns = (CAMPAIGN,)
    async with ticking(book, {"trunk:main": 5.0}):
        await book.quiet()
        book.clock.advance(0.9)
        await book.bell("campaign:camp_a")
        assert book.released == [5]
        await book.pass_by(0.1)
        assert book.released == [5, 5]
        assert book.asked[-1] is None
        await book.bell("campaign:camp_a")
        assert book.released == [5, 5]


async def test_rates_outlast_the_tick() -> None:
    """One call in two seconds and a half: a tick between releases nothing, the one before it has room waits for that."""
    book = Rehearsal()
    book.campaigns = (CAMPAIGN,)
    async with ticking(book, {"trunk:main": 0.4}):
        await book.quiet()
        await book.pass_by(1)
        assert book.released == [1]
        await book.pass_by(1.5)
        assert book.released == [1, 1]
        assert book.asked == [None, None, None]


async def test_everything_is_looked_at_once_and_not_twice_while_a_rate_is_spent() -> None:
    """A look at ten thousand campaigns takes most of a second: none of them may be in vain."""
    book = Rehearsal()
    book.campaigns = (CAMPAIGN,)
    async with ticking(book, {"trunk:main": 5.0}):
        await book.quiet()
        book.gate = asyncio.Event()
        book.begun.clear()
        book.clock.advance(1)
        await book.begun.wait()
        book.clock.advance(0.75)
        book.gate.set()
        await book.quiet()
        await book.pass_by(1.02)
        assert book.asked == [None, None, None]
        assert book.released == [5, 5, 5]


async def test_whoever_rings_takes_nothing_of_a_rate_that_others_wait_for() -> None:
    """The rate gets room while a bell's round is under way: it goes to a round over all who use the trunk."""
    book = Rehearsal()
    book.campaigns = (CAMPAIGN,)
    async with ticking(book, {"trunk:main": 0.4}):
        await book.quiet()
        await book.pass_by(1)
        book.clock.advance(1.49)
        book.gate = asyncio.Event()
        book.begun.clear()
        book.ring("campaign:camp_a")
        await book.begun.wait()
        book.clock.advance(0.02)
        book.gate.set()
        await book.quiet()
    assert book.asked == [None, None, {"campaign:camp_a"}, None]
    assert book.released == [1, 1]


async def test_the_seconds_of_every_round_are_told() -> None:
    book = Rehearsal()
    took: list[float] = []
    ticker = Ticker(book, book, book.clock, 1.0, book.reported.put_nowait, took=took.append)
    async with asyncio.timeout(5):
        book.gate = asyncio.Event()
        task = asyncio.create_task(ticker.run(book.stop))
        await book.begun.wait()
        book.clock.advance(0.25)
        book.gate.set()
        await book.quiet()
        book.stop.set()
        await task
    assert took == [0.25]


async def test_a_round_cut_short_by_the_limit_goes_on_at_once() -> None:
    book = Rehearsal()
    book.campaigns = (replace(CAMPAIGN, run_remaining=10),)

    async def taken(plan: Plan) -> Carried:
        count = sum(release.count for release in plan.releases)
        book.released.append(count)
        left = (book.campaigns[0].run_remaining or 0) - count
        book.campaigns = (replace(CAMPAIGN, run_remaining=left),) if left else ()
        return Carried()

    book.release = taken  # type: ignore[method-assign]
    async with ticking(book, limit=4):
        await book.quiet()
    assert book.released == [4, 4, 2]
    assert book.asked == [None, None, None]


async def test_a_failed_round_is_reported_and_everything_is_looked_at_after_a_rest() -> None:
    book = Rehearsal()
    async with ticking(book):
        await book.quiet()
        book.faults = [ConnectionError("gone"), ConnectionError("still gone")]
        book.ring("campaign:camp_a")
        assert await book.clock.asleep() <= 1
        for fault in ("gone", "still gone"):
            assert str(await book.reported.get()) == fault
            book.clock.advance(await book.clock.asleep())
        await book.quiet()
    assert book.asked == [None, {"campaign:camp_a"}, None, None]


async def test_rests_grow_up_to_their_longest() -> None:
    book = Rehearsal()
    book.faults = [ConnectionError(str(number)) for number in range(30)]
    rests = []
    async with ticking(book):
        for number in range(30):
            assert str(await book.reported.get()) == str(number)
            rests.append(round(await book.clock.asleep(), 3))
            book.clock.advance(await book.clock.asleep())
        await book.quiet()
    assert rests[:7] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_REST]
    assert max(rests) == LONGEST_REST


async def test_a_broken_bell_is_a_failure_like_any_other() -> None:
    book = Rehearsal()
    real = book.wait

    async def broken(timeout: float) -> frozenset[str]:
        book.wait = real  # type: ignore[method-assign]
        raise ConnectionError("no doorbell")

    book.wait = broken  # type: ignore[method-assign]
    async with ticking(book):
        assert str(await book.reported.get()) == "no doorbell"
        book.clock.advance(await book.clock.asleep())
        await book.quiet()
    assert book.asked == [None, None]


async def test_a_stop_ends_the_wait() -> None:
    book = Rehearsal()
    async with ticking(book) as done:
        await book.quiet()
        assert not done()
    assert done()


async def test_a_stop_ends_the_rest_after_a_failure() -> None:
    book = Rehearsal()
    book.faults = [ConnectionError("gone")]
    async with ticking(book) as done:
        await book.clock.asleep()
    assert done()
    assert book.asked == [None]


async def test_a_stop_lets_the_round_at_work_finish() -> None:
    book = Rehearsal()
    book.campaigns = (CAMPAIGN,)
    book.gate = asyncio.Event()
    async with ticking(book) as done:
        await book.begun.wait()
        book.stop.set()
        await asyncio.sleep(0)
        assert not done()
        book.gate.set()
    assert book.released == [100]


async def test_cancellation_is_not_swallowed() -> None:
    book = Rehearsal()
    task = asyncio.create_task(Ticker(book, book, book.clock, 1.0, book.reported.put_nowait).run(book.stop))
    async with asyncio.timeout(5):
        await book.quiet()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert book.reported.empty()


async def test_what_reopens_is_looked_at_when_it_does() -> None:
    book = Rehearsal()
    book.reopens = {"trunk:main": 0.5, "campaign:camp_a": 0.75}
    async with ticking(book):
        await book.quiet()
        book.reopens = {}
        await book.pass_by(0.5)
        await book.pass_by(0.25)
    assert book.asked == [None, {"trunk:main"}, {"campaign:camp_a"}]
