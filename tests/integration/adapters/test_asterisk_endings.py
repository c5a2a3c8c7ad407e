"""How a call ended that nobody listened to: what Asterisk keeps of it, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from adapters.asterisk.adapter import AsteriskAdapter
from adapters.asterisk.names import channel_of
from adapters.base import Call, Over, Sighting
from adapters.conformance import Act
from adapters.events import Fault, Outcome, Phase
from tests.support import carrier
from tests.support.carrier import eventually
from tests.support.providers.asterisk import FakeAsterisk, make
from tests.support.providers.listening import using

NUMBER = "+493012345678"
ATTEMPT = "call_1"
REF = channel_of(ATTEMPT)


@pytest.fixture
async def pbx() -> AsyncIterator[FakeAsterisk]:
    async with FakeAsterisk() as running:
        running.act = Act.TALK_ON
        yield running


def call(attempt: str = ATTEMPT) -> Call:
    return carrier.call(attempt, NUMBER, start_in=5)


async def find(adapter: AsteriskAdapter, ref: str | None = None, *, ago: float = 60) -> Sighting:
    return await adapter.find(ATTEMPT, NUMBER, ref, datetime.now(UTC) - timedelta(seconds=ago))


ENDINGS = [
    (Act.HUMAN, Outcome.ANSWERED, Fault.NONE),
    (Act.MACHINE, Outcome.MACHINE, Fault.CALLEE),
    (Act.BUSY, Outcome.BUSY, Fault.CALLEE),
    (Act.DECLINED, Outcome.DECLINED, Fault.CALLEE),
    (Act.NO_ANSWER, Outcome.NO_ANSWER, Fault.CALLEE),
    (Act.INVALID, Outcome.INVALID_NUMBER, Fault.NUMBER),
    (Act.UNREACHABLE, Outcome.UNREACHABLE, Fault.TRUNK),
]


@pytest.mark.parametrize(("act", "outcome", "fault"), ENDINGS)
async def test_an_end_that_nobody_heard_is_the_same_fact_as_one_that_was(
    pbx: FakeAsterisk, act: Act, outcome: Outcome, fault: Fault
) -> None:
    pbx.act = act
    async with using(make(pbx.url, 1)) as heard:
        await heard.adapter.place(call())
        end = await heard.until(Phase.ENDED)
    async with make(pbx.url, 1) as another:
        for ref in (REF, None):
            sighting = await find(another, ref)
            assert isinstance(sighting, Over)
            [kept] = sighting.events
            assert (kept.outcome, kept.fault) == (end.outcome, end.fault) == (outcome, fault)
            assert (kept.key, kept.sip, kept.q850) == (end.key, end.sip, end.q850)
            assert abs(kept.at - end.at) < timedelta(seconds=1)


async def test_a_no_that_was_said_while_nobody_listened_is_heard(pbx: FakeAsterisk) -> None:
    """Of a call that is over by then, and of one whose end is heard."""
    async with using(make(pbx.url, 1)) as heard:
        for attempt in ("call_1", "call_2"):
            await heard.adapter.place(call(attempt))
        await heard.until(Phase.ANSWERED, 2)
        pbx.deaf = True
        await pbx.cut()
        for each in pbx.calls.values():
            await pbx.set_variable(each, "AMDSTATUS", "HUMAN")
            await pbx.set_variable(each, "DIALER_RESULT", '{"do_not_call": true, "note": "a|b ${X}"}')
        pbx.hang_up(pbx.calls[REF])
        await eventually(lambda: pbx.calls[REF].over)
        pbx.deaf = False
        await heard.until(Phase.GAP, 2)
        sighting = await find(heard.adapter, REF)
        pbx.hang_up(pbx.calls[channel_of("call_2")])
        await heard.until(Phase.ENDED)
    assert isinstance(sighting, Over)
    for result, end in (sighting.events, heard.events[-2:]):
        assert (result.phase, result.data) == (Phase.RESULT, {"do_not_call": True, "note": "a|b ${X}"})
        assert (end.phase, end.outcome) == (Phase.ENDED, Outcome.HUMAN)


async def test_a_result_is_told_once_and_one_that_cannot_be_read_hides_no_end(pbx: FakeAsterisk) -> None:
    async with using(make(pbx.url, 1)) as heard:
        await heard.adapter.place(call())
        await heard.until(Phase.ANSWERED)
        await pbx.set_variable(pbx.calls[REF], "DIALER_RESULT", '{"summary": "well"}')
        pbx.hang_up(pbx.calls[REF])
        await heard.until(Phase.ENDED)
        assert heard.phases.count(Phase.RESULT) == 1
        pbx.variables["ATT_call_1"] = pbx.variables["ATT_call_1"][:-1]
        sighting = await find(heard.adapter)
    assert isinstance(sighting, Over) and [event.outcome for event in sighting.events] == [Outcome.ANSWERED]


async def test_an_asterisk_that_keeps_no_ends_is_told_of(pbx: FakeAsterisk, caplog: pytest.LogCaptureFixture) -> None:
    pbx.act, pbx.keeps = Act.BUSY, False
    async with using(make(pbx.url, 1)) as heard:
        for number in (1, 2):
            await heard.adapter.place(call(f"call_{number}"))
            await heard.until(Phase.ENDED, number)
        assert "define the context dialer-ended" in (await heard.adapter.health()).detail
        pbx.keeps = True
        await heard.adapter.place(call("call_3"))
        await heard.until(Phase.ENDED, 3)
        assert (await heard.adapter.health()).detail == ""
    assert caplog.text.count("define the context dialer-ended") == 1


async def test_a_call_that_begins_and_ends_while_it_is_looked_up_has_its_end(
    pbx: FakeAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    pbx.act = Act.BUSY
    async with using(make(pbx.url, 1)) as heard:
        await heard.adapter.place(call())
        await heard.until(Phase.ENDED)
        kept, pbx.variables["ATT_call_1"] = pbx.variables["ATT_call_1"], "placed"
        asked = heard.adapter._ari.marker

        async def late(attempt: str) -> str:
            before = await asked(attempt)
            pbx.variables["ATT_call_1"] = kept
            return before

        monkeypatch.setattr(heard.adapter._ari, "marker", late)
        sighting = await find(heard.adapter)
    assert isinstance(sighting, Over) and [event.outcome for event in sighting.events] == [Outcome.BUSY]
