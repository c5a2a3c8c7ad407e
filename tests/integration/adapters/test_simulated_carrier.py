"""The simulated carrier over real sockets: its faults, its limits, its callbacks and the exactness of its books."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import aiohttp
import msgspec
import pytest

from adapters.base import Absent, Live, Over
from adapters.errors import Ambiguous, Forged, PlaceError, RateLimited, Rejected, Unavailable
from adapters.events import Fault, Outcome, Phase
from adapters.simulated.adapter import SimulatedAdapter
from adapters.simulated.carrier import journal, verdict
from adapters.simulated.carrier.script import Faults, Script, Span
from adapters.simulated.carrier.server import Carrier, serve
from tests.support.carrier import API_KEY, SIGNING_SECRET, adapter, call, carrier, ear, eventually, quick

KEY = {"Authorization": f"Bearer {API_KEY}"}


@pytest.mark.parametrize(
    ("faults", "error", "placed"),
    [
        (Faults(refuse_429=1, retry_after=0.25), RateLimited, False),
        (Faults(refuse_400=1), Rejected, False),
        (Faults(error_before=1), Ambiguous, False),
        (Faults(reset_before=1), Ambiguous, False),
        (Faults(hang_before=1), Ambiguous, False),
        (Faults(error_after=1), Ambiguous, True),
        (Faults(reset_after=1), Ambiguous, True),
        (Faults(hang_after=1), Ambiguous, True),
        (Faults(garbage_after=1), Ambiguous, True),
    ],
)
async def test_every_fault_says_what_is_known_and_the_look_up_settles_it(
    faults: Faults, error: type[PlaceError], placed: bool
) -> None:
    order = call("call_1", "+49301234567")
    async with carrier(quick(faults=faults)) as running, adapter(running.url, timeout=0.3) as sim:
        with pytest.raises(error) as raised:
            await sim.place(order)
        assert running.requests["call_1"] == 1
        assert len(running.journal.entries) == placed
        sighting = await sim.find("call_1", order.to, None, order.not_after)
        assert isinstance(sighting, Live | Over if placed else Absent)
    if isinstance(raised.value, RateLimited):
        assert raised.value.retry_after == 0.25
    if isinstance(raised.value, Rejected):
        assert raised.value.fault is Fault.NUMBER


async def test_a_wrong_key_is_a_configuration_fault() -> None:
    async with carrier() as running, SimulatedAdapter("sim", base_url=running.url, api_key="wrong", signing_secret="s") as sim:
        with pytest.raises(Rejected) as refusal:
            await sim.place(call("call_1", "+49301234567"))
    assert refusal.value.fault is Fault.CONFIG


async def test_a_number_that_is_none_is_rejected_as_a_number() -> None:
    async with carrier() as running, adapter(running.url) as sim:
        with pytest.raises(Rejected) as refusal:
            await sim.place(call("call_1", "030 1234567"))
    assert refusal.value.fault is Fault.NUMBER


async def test_the_rate_is_refused_beyond_the_limit_with_a_time_to_wait() -> None:
    async with carrier(quick(calls_per_second=5)) as running, adapter(running.url) as sim:
        tries = await asyncio.gather(*(sim.place(call(f"call_{n}", f"+4930123450{n}")) for n in range(8)), return_exceptions=True)
        limited = [each for each in tries if isinstance(each, RateLimited)]
        assert len(limited) == 3
        assert all(each.retry_after is not None and 0.5 < each.retry_after <= 1 for each in limited)
        assert len(running.journal.entries) == 5


async def test_a_carrier_that_queues_dials_later_at_its_rate() -> None:
    script = quick(calls_per_second=10, queue_over_rate=True)
    async with carrier(script) as running, adapter(running.url) as sim:
        await asyncio.gather(*(sim.place(call(f"call_{n}", f"+493012345{n:02}")) for n in range(15)))
        assert len(running.journal.entries) == 15
        await eventually(lambda: running.journal.live == 0)
        dialled = sorted(entry.dialled or 0.0 for entry in running.journal.entries.values())
    assert all(later - earlier > 0.95 for earlier, later in zip(dialled, dialled[10:], strict=False))


async def test_no_more_calls_at_once_than_the_carrier_takes() -> None:
    async with carrier(quick(max_live=2, talk=Span(60, 60))) as running, adapter(running.url) as sim:
        assert (await sim.health()).free == 2
        for n in (1, 2):
            await sim.place(call(f"call_{n}", f"+4930123450{n}"))
        with pytest.raises(RateLimited):
            await sim.place(call("call_3", "+49301234503"))
        assert (await sim.health()).free == 0


async def test_two_requests_for_one_attempt_are_two_calls_and_written_down_as_such() -> None:
    async with carrier(quick(talk=Span(60, 60))) as running, adapter(running.url) as sim:
        order = call("call_1", "+49301234567")
        assert await sim.place(order) != await sim.place(order)
        assert running.journal.summary().dialled_twice == 1
        assert verdict.dialled_twice(running.journal.entries.values()) == 1
        assert isinstance(await sim.find("call_1", order.to, None, order.not_after), Live)
        await sim.hang_up("call_1", None)
        assert running.journal.live == 0


async def test_a_live_call_is_hung_up_before_the_answer() -> None:
    async with ear() as listening, carrier(quick(ring=Span(15, 15))) as running, adapter(running.url) as sim:
        ref = await sim.place(call("call_1", "+49301234567", callback_url=listening.url))
        assert await sim.find("call_1", "+49301234567", ref, call("x", "+49301").not_after) == Live(ref, answered=False)
        await listening.until(1)
        await sim.hang_up("call_1", ref)
        (event,) = sim.receive((await listening.until(2))[1])[0]
    assert (event.phase, event.outcome, event.fault) == (Phase.ENDED, Outcome.CANCELLED, Fault.NONE)


async def test_the_callers_ring_limit_ends_an_unanswered_call() -> None:
    async with carrier(quick(ring=Span(15, 15))) as running, adapter(running.url) as sim:
        order = replace(call("call_1", "+49301234567"), ring=1)
        await sim.place(order)
        await eventually(lambda: running.journal.live == 0)
        sighting = await sim.find("call_1", order.to, None, order.not_after)
    assert isinstance(sighting, Over)
    assert (sighting.events[-1].outcome, sighting.events[-1].sip) == (Outcome.NO_ANSWER, 487)


async def test_callbacks_are_repeated_with_the_same_key() -> None:
    async with ear() as listening, carrier(quick(faults=Faults(callback_repeated=1))) as running, adapter(running.url) as sim:
        await sim.place(call("call_1", "+49301234567", callback_url=listening.url))
        keys = Counter(event.key for hook in await listening.until(8) for event in sim.receive(hook)[0])
    assert sorted(keys.values()) == [2, 2, 2, 2]


async def test_copies_of_a_callback_come_as_often_and_as_far_apart_as_the_script_says() -> None:
    script = quick(repeats=2, faults=Faults(callback_repeated=1, repeat_seconds=0.3), send=("ended",))
    async with ear() as listening, carrier(script) as running, adapter(running.url) as sim:
        await sim.place(call("call_1", "+49301234567", callback_url=listening.url))
        first, second, third = [hook.received_at for hook in await listening.until(3)]
    assert (second - first).total_seconds() > 0.2 < (third - second).total_seconds()


async def test_the_books_name_the_requests_that_the_script_made_go_wrong() -> None:
    async with (
        carrier(quick(faults=Faults(refuse_401=1))) as running,
        aiohttp.ClientSession(headers=KEY) as http,
        adapter(running.url) as sim,
    ):
        with pytest.raises(Rejected):
            await sim.place(call("call_1", "+49301234567"))
        running.script = quick()
        await sim.place(call("call_2", "+49301234568"))
        async with http.get(f"{running.url}/journal", params={"calls": "0"}) as response:
            (trouble,) = (await response.json())["troubles"]
    assert (trouble["attempt"], trouble["to"], trouble["what"]) == ("call_1", "+49301234567", "refuse_401")


async def test_callbacks_are_reordered() -> None:
    async with ear() as listening, carrier(quick(faults=Faults(callback_reordered=1))) as running, adapter(running.url) as sim:
        await sim.place(call("call_1", "+49301234567", callback_url=listening.url))
        told = {event.phase: (event.at, hook.received_at) for hook in await listening.until(4) for event in sim.receive(hook)[0]}
    for earlier, later in ((Phase.RINGING, Phase.ANSWERED), (Phase.ENDED, Phase.RESULT)):
        (_, received), (at, _) = told[earlier], told[later]
        assert received > at


async def test_callbacks_are_late_but_come() -> None:
    faults = Faults(callback_late=1, late_seconds=0.4)
    async with ear() as listening, carrier(quick(faults=faults)) as running, adapter(running.url) as sim:
        await sim.place(call("call_1", "+49301234567", callback_url=listening.url))
        await eventually(lambda: running.journal.live == 0)
        hooks = await listening.until(4)
        ages = [(hook.received_at - event.at).total_seconds() for hook in hooks for event in sim.receive(hook)[0]]
    assert min(ages) > 0.35


async def test_lost_callbacks_never_come_but_the_look_up_tells_all() -> None:
    async with ear() as listening, carrier(quick(faults=Faults(callback_lost=1))) as running, adapter(running.url) as sim:
        await sim.place(call("call_1", "+49301234567", callback_url=listening.url))
        await eventually(lambda: all(entry.resulted for entry in running.journal.entries.values()))
        sighting = await sim.find("call_1", "+49301234567", None, call("x", "+49301").not_after)
        assert listening.hooks == []
    assert isinstance(sighting, Over)
    assert [event.phase for event in sighting.events] == [Phase.RINGING, Phase.ANSWERED, Phase.ENDED, Phase.RESULT]


async def test_a_callback_that_is_not_taken_is_tried_again() -> None:
    async with ear() as listening, carrier(quick(send=("ended",))) as running, adapter(running.url) as sim:
        listening.status = 503
        await sim.place(call("call_1", "+49301234567", callback_url=listening.url))
        await listening.until(1)
        listening.status = 204
        first, second = await listening.until(2)
        assert sim.receive(first) == sim.receive(second)
        await eventually(lambda: running.courier.delivered == 1)


async def test_a_callback_of_another_secret_is_forged() -> None:
    async with ear() as listening, carrier() as running, adapter(running.url, signing_secret="another") as sim:
        await sim.place(call("call_1", "+49301234567", callback_url=listening.url))
        for hook in await listening.until(1):
            with pytest.raises(Forged):
                sim.receive(hook)


async def test_the_script_changes_while_it_runs_and_only_by_those_who_have_the_key() -> None:
    async with carrier() as running, aiohttp.ClientSession(headers=KEY) as http, adapter(running.url) as sim:
        async with http.put(f"{running.url}/script", data=b'{"faults": {"refuse_429": 1}}') as response:
            assert response.status == 200
        with pytest.raises(RateLimited):
            await sim.place(call("call_1", "+49301234567"))
        async with http.put(f"{running.url}/script", data=b'{"anser": 1}') as response:
            assert response.status == 400
            assert "anser" in await response.text()
        async with http.get(f"{running.url}/script") as response:
            assert (await response.json())["faults"]["refuse_429"] == 1
        async with http.put(f"{running.url}/script", data=b"{}", headers={"Authorization": "Bearer no"}) as response:
            assert response.status == 401


async def dial_all(sim: SimulatedAdapter, numbers: int, hook: str) -> None:
    """200 calls at once: two campaigns, some numbers twice, some attempts twice, some answers lost on the way."""
    orders = [call(f"call_{n}", f"+4930555{n % 150:04}", callback_url=hook, campaign=f"camp_{n % 2}") for n in range(numbers)]
    orders += [orders[3], orders[7]]
    await asyncio.gather(*(sim.place(order) for order in orders), return_exceptions=True)


async def test_the_books_are_exact_under_200_calls_at_once_and_file_and_http_agree(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    script = quick(
        answer=0.4,
        voicemail=0.2,
        busy=0.1,
        declined=0.1,
        invalid=0.1,
        faults=Faults(error_after=0.1, refuse_429=0.1, reset_after=0.1),
        talk=Span(0.1, 0.4),
    )
    async with ear() as listening, carrier(script, journal_path=path) as running, adapter(running.url) as sim:
        await dial_all(sim, 200, listening.url)
        await eventually(lambda: running.journal.live == 0)
        await eventually(lambda: all(bool(e.resulted) == bool(e.answered) for e in running.journal.entries.values()))
        async with aiohttp.ClientSession(headers=KEY) as http, http.get(f"{running.url}/journal") as response:
            told = await response.json()
        entries = list(running.journal.entries.values())
        assert journal.read(path) == entries == msgspec.convert(told["calls"], list[journal.Entry])
        expected = sum(1 + bool(e.ringing) + 2 * bool(e.answered) for e in entries)
        await listening.until(expected)
        await eventually(lambda: running.courier.delivered == expected)
        assert len(listening.hooks) == expected

    assert told["requests"] == 202
    summary = told["summary"]
    assert 100 < summary["accepted"] == len(entries) < 202
    assert summary["live"] == 0
    assert summary["peak"] == verdict.peak(entries)
    for campaign in ("camp_0", "camp_1"):
        assert summary["peaks_by_campaign"][campaign] == verdict.peak(verdict.of_campaign(entries, campaign))
    assert summary["dialled_twice"] == verdict.dialled_twice(entries) > 0
    assert summary["same_attempt"] == sum(count - 1 for count in Counter(e.attempt for e in entries).values())
    assert all(e.accepted <= (e.dialled or 0) <= (e.ringing or e.ended or 0) <= (e.ended or 0) for e in entries)


async def test_a_restarted_carrier_goes_on_in_its_books_and_lost_the_live_calls(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    async with carrier(quick(talk=Span(60, 60)), journal_path=path) as running, adapter(running.url) as sim:
        ref = await sim.place(call("call_1", "+49301234567"))
    with path.open("ab") as file:
        file.write(b'{"id": "half a li')
    async with carrier(quick(), journal_path=path) as running, adapter(running.url) as sim:
        sighting = await sim.find("call_1", "+49301234567", ref, call("x", "+49301").not_after)
        assert isinstance(sighting, Over)
        assert sighting.events[-1].sip == 503
        await sim.place(call("call_2", "+49301234567"))
        assert [entry.nth for entry in running.journal.entries.values()] == [1, 2]
        await eventually(lambda: running.journal.live == 0)
        in_memory = running.journal.entries
    assert journal.read(path) == list(in_memory.values())


async def test_a_call_is_in_the_file_before_the_answer_so_that_a_kill_forgets_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    books = journal.Journal.open(path)
    entry = books.accept(id="sim_1", attempt="call_1", to="+49301234567", caller_id="+49309", labels={}, at=1.0)
    assert journal.read(path) == [entry]
    books.close()


async def test_what_a_call_does_depends_on_seed_number_and_count_alone() -> None:
    script = quick(answer=0.3, voicemail=0.2, busy=0.2, declined=0.1)
    outcomes = []
    for order in (range(30), reversed(range(30))):
        async with carrier(script) as running, adapter(running.url) as sim:
            await asyncio.gather(*(sim.place(call(f"call_{n}", f"+49301234{n:03}")) for n in order))
            await eventually(lambda running=running: running.journal.live == 0)  # type: ignore[misc]
            outcomes.append({entry.to: entry.outcome for entry in running.journal.entries.values()})
    assert outcomes[0] == outcomes[1]
    assert len(set(outcomes[0].values())) > 3


async def test_serve_tells_its_port_and_stops_when_cancelled() -> None:
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve("127.0.0.1", 0, Script(), None, api_key=API_KEY, signing_secret=SIGNING_SECRET, ready=told.set_result)
    )
    url = await asyncio.wait_for(told, 5)
    async with adapter(url) as sim:
        assert (await sim.health()).ok
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not (await sim.health()).ok
        with pytest.raises(Unavailable):
            await sim.place(call("call_1", "+49301234567"))


async def test_a_taken_port_leaves_nothing_behind(tmp_path: Path) -> None:
    async with carrier() as running:
        before = len(asyncio.all_tasks())
        second = Carrier(api_key="k", signing_secret="s", port=running.port, journal_path=tmp_path / "journal.jsonl")
        with pytest.raises(OSError):
            await second.__aenter__()
        assert len(asyncio.all_tasks()) == before
