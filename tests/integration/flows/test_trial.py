"""One real call beside the ledger: placed once whatever happens, followed to its end, hung up when nobody wants it any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import registry
from adapters.asterisk.ear import Standing
from adapters.base import Call, Sighting, TelephonyAdapter
from adapters.conformance import Act, Harness
from adapters.errors import Rejected
from adapters.events import CallEvent, Fault, Phase
from adapters.simulated.adapter import SimulatedAdapter
from adapters.simulated.carrier import harness as simulated
from adapters.simulated.carrier.harness import quick
from adapters.simulated.carrier.script import Span
from dialer.domain.errors import Conflict
from dialer.flows import trial as flow
from dialer.flows.trial import Step, Trial, allow
from dialer.settings import DirectCalls
from dialer.store.database import Database
from scheduler.clock import SystemClock
from tests.integration.adapters.test_conformance import HARNESSES
from tests.support.ledger import seed
from tests.support.providers import asterisk, example
from tests.support.providers.harness import ProviderHarness, harness_of

NUMBER = "+493012345678"
DAY = datetime(2026, 6, 3, 12, tzinfo=UTC)
NIGHT = datetime(2026, 6, 3, 1, tzinfo=UTC)
UNSEEN = {"livekit"}
"""Whose end is told by callback alone."""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (
        ("LOOK_SECONDS", 0.02),
        ("GRACE_SECONDS", 0.3),
        ("END_SECONDS", 0.3),
        ("RESULT_SECONDS", 0.3),
        ("CONNECT_SECONDS", 1.0),
    ):
        monkeypatch.setattr(flow, name, seconds)


def permit(harness: Harness, calls: list[Call], **changes: Any) -> Callable[[], Awaitable[Call]]:
    async def give() -> Call:
        calls.append(replace(harness.call(f"call_{len(calls)}"), **changes))
        return calls[-1]

    return give


async def tried(harness: Harness, **changes: Any) -> tuple[Trial, list[Step], list[Call]]:
    steps: list[Step] = []
    calls: list[Call] = []
    async with harness.adapter() as adapter:
        trial = Trial(adapter, SystemClock(), steps.append)
        async with asyncio.timeout(10):
            await trial.run(permit(harness, calls, **changes))
    return trial, steps, calls


def whats(steps: Sequence[Step]) -> list[str]:
    return [str(step.what) for step in steps]


@pytest.mark.parametrize("kind", HARNESSES)
async def test_a_call_is_placed_once_and_followed_to_its_end_over_every_kind(kind: str) -> None:
    async with HARNESSES[kind]() as harness:
        await harness.act(Act.HUMAN)
        trial, steps, [call] = await tried(harness)
        assert harness.requests(call.attempt) == 1
    assert "placed" in whats(steps)[:2]  # an adapter's own events may be quicker than its answer
    if kind in UNSEEN:
        assert whats(steps)[-1] == "gone" and trial.ending is None
        return
    assert trial.ending is not None and trial.ending.what == "ended", steps
    assert trial.ending.fault in {"none", None}
    assert len(set(whats(steps))) == len(steps), "each thing is told once"


@pytest.mark.parametrize("kind", HARNESSES)
async def test_whoever_goes_away_leaves_no_phone_ringing_and_no_call_up(kind: str) -> None:
    async with HARNESSES[kind]() as harness:
        if Act.TALK_ON not in harness.acts:
            return
        await harness.act(Act.TALK_ON)
        calls: list[Call] = []
        steps: list[Step] = []
        placed = asyncio.Event()

        def tell(step: Step) -> None:
            steps.append(step)
            placed.set()

        async with harness.adapter() as adapter:
            trial = asyncio.create_task(Trial(adapter, SystemClock(), tell).run(permit(harness, calls)))
            await placed.wait()
            trial.cancel()
            with pytest.raises(asyncio.CancelledError):
                await trial
            assert "hung up" in whats(steps), steps
            if isinstance(harness, ProviderHarness):
                assert all(call.hung_up.is_set() for call in harness.provider.calls.values())
        assert harness.requests(calls[0].attempt) == 1 and len(calls) == 1


@pytest.mark.parametrize("kind", ["simulated", "vapi", "retell", "webhook"])
async def test_a_call_of_which_the_answer_was_lost_is_looked_for_and_not_placed_again(kind: str) -> None:
    async with HARNESSES[kind]() as harness:
        await harness.act(Act.ERROR_AFTER)
        trial, steps, calls = await tried(harness, ring=1)
        assert [harness.requests(call.attempt) for call in calls] == [1]
    assert whats(steps)[0] == "unclear"
    assert trial.ending is None or trial.ending.what == "ended"


@pytest.mark.parametrize("kind", HARNESSES)
async def test_a_refusal_is_told_and_not_repeated(kind: str) -> None:
    async with HARNESSES[kind]() as harness:
        await harness.act(Act.REFUSE)
        trial, steps, [call] = await tried(harness)
        assert harness.requests(call.attempt) == 1
    assert whats(steps) == ["not placed"] and trial.ending is not None and trial.ending.fault is not None


async def test_who_talks_longer_than_allowed_is_hung_up() -> None:
    async with example.harness() as harness:
        await harness.act(Act.TALK_ON)
        trial, steps, _ = await tried(harness, limit=0)
    assert "hung up" in whats(steps) and trial.ending is not None and trial.ending.what == "ended"


async def test_a_phone_that_rings_too_long_is_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.providers.calls.PACE", 60)
    async with example.harness() as harness:
        await harness.act(Act.HUMAN)
        trial, steps, _ = await tried(harness, ring=0)
    assert "hung up" in whats(steps) and trial.ending is not None and trial.ending.outcome == "cancelled"


async def test_only_what_has_not_left_at_all_is_begun_again() -> None:
    async with simulated.harness() as harness:
        await harness.act(Act.HUMAN)
        calls: list[Call] = []
        good = permit(harness, calls)

        async def late_at_first() -> Call:
            call = await good()
            return call if len(calls) > 1 else replace(call, start_before=0.0)

        steps: list[Step] = []
        async with harness.adapter() as adapter:
            await Trial(adapter, SystemClock(), steps.append).run(late_at_first)
        assert [harness.requests(call.attempt) for call in calls] == [0, 1]
    assert whats(steps)[0] == "placed"


class Defective(SimulatedAdapter):
    """It breaks after the call was placed."""

    async def place(self, call: Call) -> str:
        await super().place(call)
        raise KeyError("id")


async def test_a_defect_after_the_transmission_is_no_reason_to_call_again() -> None:
    def make(url: str, timeout: float) -> TelephonyAdapter:
        key, secret = simulated.API_KEY, simulated.SIGNING_SECRET
        return Defective("sim", base_url=url, api_key=key, signing_secret=secret, timeout=timeout)

    async with simulated.harness(make) as harness:
        await harness.act(Act.HUMAN)
        trial, steps, [call] = await tried(harness)
        assert harness.requests(call.attempt) == 1
    assert whats(steps)[0] == "unclear" and trial.ending is not None and trial.ending.what == "ended"


class Deaf(SimulatedAdapter):
    """Its events break while the placement is under way."""

    def __init__(self, url: str, timeout: float) -> None:
        key, secret = simulated.API_KEY, simulated.SIGNING_SECRET
        super().__init__("sim", base_url=url, api_key=key, signing_secret=secret, timeout=timeout)
        self.sent, self.broken = asyncio.Event(), asyncio.Event()

    async def place(self, call: Call) -> str:
        ref = await super().place(call)
        self.sent.set()
        await self.broken.wait()
        await asyncio.sleep(0)  # whatever the break cancels is cancelled here
        return ref

    async def events(self) -> AsyncIterator[CallEvent]:
        await self.sent.wait()
        self.broken.set()
        raise RuntimeError("the socket broke")
        yield


async def test_events_that_break_do_not_lose_a_call_that_is_being_placed() -> None:
    async with simulated.harness(Deaf) as harness:
        await harness.act(Act.HUMAN)
        trial, steps, [call] = await tried(harness)
        assert harness.requests(call.attempt) == 1
    assert whats(steps)[:2] == ["no events", "placed"] and trial.ending is not None and trial.ending.what == "ended"


class Clinging(SimulatedAdapter):
    """It breaks when it has to hang up."""

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        raise KeyError("id")


async def test_a_defect_of_the_hang_up_is_told_to_whoever_has_to_end_the_call() -> None:
    def make(url: str, timeout: float) -> TelephonyAdapter:
        key, secret = simulated.API_KEY, simulated.SIGNING_SECRET
        return Clinging("sim", base_url=url, api_key=key, signing_secret=secret, timeout=timeout)

    async with simulated.harness(make) as harness:
        await harness.act(Act.TALK_ON)
        steps: list[Step] = []
        placed = asyncio.Event()

        def tell(step: Step) -> None:
            steps.append(step)
            placed.set()

        async with harness.adapter() as adapter:
            trial = asyncio.create_task(Trial(adapter, SystemClock(), tell).run(permit(harness, [])))
            await placed.wait()
            trial.cancel()
            with pytest.raises(asyncio.CancelledError):
                await trial
    assert whats(steps)[-1] == "not hung up" and "end it at the carrier" in steps[-1].detail


class Indiscreet(SimulatedAdapter):
    """It repeats the numbers."""

    async def place(self, call: Call) -> str:
        raise Rejected(f"{call.to} from {call.caller_id[1:]}", fault=Fault.REQUEST, cause=f"bad_{call.to[1:]}")


async def test_numbers_in_the_words_of_a_carrier_are_masked() -> None:
    def make(url: str, timeout: float) -> TelephonyAdapter:
        key, secret = simulated.API_KEY, simulated.SIGNING_SECRET
        return Indiscreet("sim", base_url=url, api_key=key, signing_secret=secret, timeout=timeout)

    async with simulated.harness(make) as harness:
        trial, [step], [call] = await tried(harness)
    assert trial.ending is step and step.cause is not None and step.detail
    for number in (call.to, call.caller_id):
        assert number[1:] not in step.detail + step.cause


async def test_a_no_in_the_call_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(simulated.ACTS, Act.HUMAN, quick(opt_out=1.0))
    async with simulated.harness() as harness:
        await harness.act(Act.HUMAN)
        trial, steps, _ = await tried(harness)
    assert trial.do_not_call and "result" in whats(steps)


async def test_it_is_admitted_that_a_no_may_not_have_been_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(simulated.ACTS, Act.HUMAN, quick(opt_out=1.0, result_after=Span(60, 60)))
    async with simulated.harness() as harness:
        await harness.act(Act.HUMAN)
        trial, steps, _ = await tried(harness)
    assert not trial.do_not_call and whats(steps)[-1] == "no result" and "suppression add" in steps[-1].detail


async def test_a_look_up_that_breaks_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = SimulatedAdapter.find
    broken = iter([True, True])

    async def find(self: SimulatedAdapter, *given: Any) -> Sighting:
        if next(broken, False):
            raise KeyError("a defect")
        return await asked(self, *given)

    monkeypatch.setattr(SimulatedAdapter, "find", find)
    async with simulated.harness() as harness:
        await harness.act(Act.HUMAN)
        trial, _, _ = await tried(harness)
    assert trial.ending is not None and trial.ending.outcome == "human" and next(broken, None) is None


async def test_the_daemon_goes_on_hearing_of_its_calls_while_asterisk_is_tried() -> None:
    async with harness_of(asterisk.FakeAsterisk(), asterisk.make, acts=asterisk.ACTS) as harness:
        await harness.act(Act.HUMAN)
        given = {
            "base_url": harness.provider.url,
            "user": asterisk.USER,
            "password": asterisk.PASSWORD,
            "endpoint": "PJSIP/{number}@trunk",
            "context": "answered",
        }
        heard: asyncio.Queue[CallEvent] = asyncio.Queue()
        async with harness.adapter() as daemon, asyncio.TaskGroup() as tasks:

            async def listen() -> None:
                async for event in daemon.events():
                    heard.put_nowait(event)

            listening = tasks.create_task(listen())
            assert (await heard.get()).phase is Phase.GAP
            steps: list[Step] = []
            async with registry.build_beside("asterisk", "asterisk", given) as beside:
                trial = Trial(beside, SystemClock(), steps.append)
                await trial.run(permit(harness, []))
            assert trial.ending is not None and trial.ending.outcome in {"human", "answered"}
            assert daemon._ear.standing is Standing.LISTENING  # type: ignore[attr-defined]
            while (await heard.get()).phase is not Phase.ENDED:
                pass
            listening.cancel()


async def allowed(database: Database, number: str, now: datetime = DAY, hours: DirectCalls | None = None) -> str:
    try:
        await allow(database, number, now, hours)
    except Conflict as fault:
        assert number not in str(fault)
        return str(fault)
    return ""


async def test_nobody_is_tried_who_said_no_to_anybody(database: Database) -> None:
    made = await seed(database.pool, contacts=3)
    numbers = [row["phone"] for row in await database.pool.fetch("select phone from contacts order by id")]
    assert [await allowed(database, number) for number in (*numbers, NUMBER)] == [""] * 4
    await database.pool.execute("update contacts set do_not_call = true where phone = $1", numbers[0])
    assert "said no" in await allowed(database, numbers[0])
    add = "insert into suppressions (scope, team_id, campaign_id, phone_number, expires_at) values ($1, $2, $3, $4, $5)"
    for scope, team, campaign in (("global", None, None), ("team", made.team, None), ("campaign", made.team, made.campaign)):
        await database.pool.execute("delete from suppressions")
        await database.pool.execute(add, scope, team, campaign, NUMBER, None)
        assert "suppressed" in await allowed(database, NUMBER), scope
    await database.pool.execute("delete from suppressions")
    await database.pool.execute(add, "global", None, None, NUMBER, datetime(2026, 6, 1, tzinfo=UTC))
    assert await allowed(database, NUMBER) == "", "that no has ended"


async def test_nobody_is_tried_at_night_where_the_number_rings(database: Database) -> None:
    hours = DirectCalls()
    assert await allowed(database, NUMBER, DAY, hours) == ""
    assert "Europe/Berlin" in await allowed(database, NUMBER, NIGHT, hours)
    assert await allowed(database, NUMBER, NIGHT) == ""
