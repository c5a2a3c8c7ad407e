"""What is Asterisk's own: the socket and who has it, the marker that survives, the voice, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.asterisk.adapter import AsteriskAdapter
from adapters.asterisk.ear import Standing
from adapters.asterisk.names import channel_of
from adapters.asterisk.order import Stasis
from adapters.base import Absent, Call, Hook, Live, Over, Sighting, Unsure
from adapters.conformance import Act
from adapters.errors import Ambiguous, Forged, Rejected, TooLate, Unavailable
from adapters.events import Fault, Outcome, Phase
from adapters.simulated.carrier.harness import NOBODY
from tests.support import carrier
from tests.support.carrier import eventually
from tests.support.providers.asterisk import FakeAsterisk, make
from tests.support.providers.calls import Order
from tests.support.providers.listening import using

NUMBER = "+493012345678"
ATTEMPT = "call_1"
REF = channel_of(ATTEMPT)
STASIS = Stasis("dialer", "", "ulaw")
MEDIA, BRIDGE = "media-dialer-call_1", "bridge-dialer-call_1"


@pytest.fixture
async def pbx() -> AsyncIterator[FakeAsterisk]:
    async with FakeAsterisk() as running:
        running.act = Act.TALK_ON
        yield running


def call(attempt: str = ATTEMPT) -> Call:
    return carrier.call(attempt, NUMBER, start_in=5)


async def find(adapter: AsteriskAdapter, ref: str | None = None, *, ago: float = 60) -> Sighting:
    return await adapter.find(ATTEMPT, NUMBER, ref, datetime.now(UTC) - timedelta(seconds=ago))


async def test_what_is_sent_in_dialplan_mode(pbx: FakeAsterisk) -> None:
    async with make(pbx.url, 1) as adapter:
        ref = await adapter.place(replace(call(), variables={"first_name": "Ü", "result": '{"do_not_call": true}', "ended": "|"}))
    assert ref == REF
    assert pbx.calls[ref].order.asked == {
        "channel": REF,
        "endpoint": f"PJSIP/{NUMBER}@trunk",
        "callerId": "+493011111",
        "timeout": 20,
        "context": "answered",
        "extension": "voice",
        "priority": 1,
        "variables": {
            "CHANNEL(hangup_handler_push)": "dialer-ended,s,1",
            "GLOBAL(ATT_call_1)": "placed",
            "TIMEOUT(absolute)": "80",
            "DIALER_ATTEMPT": ATTEMPT,
            "DIALER_VOICE": "voice",
            "DIALER_LIMIT": "60",
            "DIALER_CAMPAIGN": "camp_1",
            "DIALER_FIRST_NAME": "Ü",
        },
    }


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_lost_answer_is_looked_up_and_nobody_is_dialled_twice(pbx: FakeAsterisk, keeps: bool) -> None:
    pbx.act, pbx.keeps = Act.RESET_AFTER, keeps
    async with using(make(pbx.url, 1)) as heard:
        with pytest.raises(Ambiguous):
            await heard.adapter.place(call())
        end = await heard.until(Phase.ENDED)
        sighting = await find(heard.adapter)
    assert isinstance(sighting, Over)
    assert [event.outcome for event in sighting.events] == [end.outcome if keeps else Outcome.UNKNOWN]
    assert (sighting.events[0].key == end.key) == keeps, "the real end, told later, would not be kept"
    assert pbx.dialled == [ATTEMPT]


async def test_a_channel_that_is_alive_is_not_made_twice(pbx: FakeAsterisk) -> None:
    async with make(pbx.url, 1) as adapter:
        assert await adapter.place(call()) == await adapter.place(call()) == REF
    assert (pbx.dialled, pbx.requests[ATTEMPT]) == ([ATTEMPT], 2)


async def test_a_channel_that_cannot_be_made_is_a_matter_of_configuration(pbx: FakeAsterisk) -> None:
    pbx.allocates = False
    async with make(pbx.url, 1) as adapter:
        with pytest.raises(Rejected) as raised:
            await adapter.place(call())
        assert raised.value.fault is Fault.CONFIG
        assert isinstance(await find(adapter), Absent)


async def test_what_is_certain_of_a_call_that_is_not_alive(pbx: FakeAsterisk) -> None:
    async with make(pbx.url, 1) as adapter:
        assert isinstance(await find(adapter), Absent)
        assert isinstance(await find(adapter, REF), Over), "it once had this id"
        pbx.started = datetime.now(UTC) - timedelta(seconds=30)
        assert isinstance(await find(adapter), Unsure), "a restart has forgotten the marker"
        pbx.variables["ATT_call_1"] = "placed"
        assert isinstance(await find(adapter), Over)


async def test_a_call_that_begins_while_it_is_looked_up_is_alive(pbx: FakeAsterisk, monkeypatch: pytest.MonkeyPatch) -> None:
    async with make(pbx.url, 1) as adapter:
        asked = adapter._ari.marker

        async def late(attempt: str) -> str:
            pbx.begin(Order(ATTEMPT, NUMBER, asked={"channel": REF, "variables": {"GLOBAL(ATT_call_1)": "placed"}}))
            return await asked(attempt)

        monkeypatch.setattr(adapter._ari, "marker", late)
        assert isinstance(await find(adapter), Live)


async def test_a_trunk_that_says_403_when_it_is_full(pbx: FakeAsterisk) -> None:
    pbx.act, pbx.codes = Act.INVALID, ("NOANSWER", 21, 403)
    for limit, fault in ((False, Fault.CONFIG), (True, Fault.TRUNK)):
        async with using(make(pbx.url, 1, limit_403=limit)) as heard:
            await heard.adapter.place(call())
            end = await heard.until(Phase.ENDED)
            assert (end.outcome, end.fault, end.sip, end.q850) == (Outcome.UNREACHABLE, fault, 403, 21)


async def test_a_wrong_password_is_a_matter_of_configuration(pbx: FakeAsterisk) -> None:
    async with make(pbx.url, 1, password="another") as adapter:
        with pytest.raises(Rejected) as raised:
            await adapter.place(call())
        assert (raised.value.fault, raised.value.cause) == (Fault.CONFIG, "http_401")
        assert (await adapter.health()).detail == "Asterisk answered HTTP 401"


async def test_a_marker_is_cleared_when_the_end_was_kept_long_ago(pbx: FakeAsterisk) -> None:
    async with using(make(pbx.url, 1, marked=0.05)) as heard:
        await heard.adapter.place(call())
        await heard.until(Phase.ANSWERED)
        assert pbx.variables["ATT_call_1"] == "placed"
        await heard.adapter.hang_up(ATTEMPT, None)
        await eventually(lambda: pbx.variables["ATT_call_1"] == "")


async def test_after_each_reconnect_there_is_a_gap_and_what_was_missed_is_looked_up(pbx: FakeAsterisk) -> None:
    async with using(make(pbx.url, 1)) as heard:
        await heard.adapter.place(call())
        await heard.until(Phase.ANSWERED)
        pbx.deaf = True
        await pbx.cut()
        assert await find(heard.adapter, REF) == Live(REF, answered=True), "the dialplan holds the call"
        await heard.adapter.hang_up(ATTEMPT, REF)
        await eventually(lambda: pbx.calls[REF].over)
        pbx.deaf = False
        await heard.until(Phase.GAP, 2)
        sighting = await find(heard.adapter, REF)
    assert isinstance(sighting, Over) and [event.outcome for event in sighting.events] == [Outcome.ANSWERED]
    assert heard.phases == [Phase.GAP, Phase.DIALING, Phase.RINGING, Phase.ANSWERED, Phase.GAP]


async def test_nobody_is_called_whose_call_would_not_be_heard_of(pbx: FakeAsterisk) -> None:
    pbx.deaf = True
    async with make(pbx.url, 1) as adapter:
        with pytest.raises(Unavailable):
            await adapter.place(call())
        assert not (await adapter.health()).ok
    assert pbx.dialled == []


async def test_the_socket_outlives_the_timeout_of_a_request(pbx: FakeAsterisk) -> None:
    async with using(make(pbx.url, 0.1)) as heard:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await heard.until(Phase.GAP, 2)
        assert heard.phases == [Phase.GAP]


async def test_a_process_that_only_hangs_up_does_not_take_the_socket(pbx: FakeAsterisk) -> None:
    async with make(pbx.url, 1) as adapter:
        await adapter.hang_up(ATTEMPT, REF)
        assert (await adapter.health()).ok and isinstance(await find(adapter), Absent)
        with pytest.raises(Forged):
            adapter.receive(Hook("POST", "https://dialer.example/hooks/pbx", {}, b"{}", datetime.now(UTC)))
    assert pbx.connects == 0


async def test_in_the_dialplan_any_process_may_dial_while_one_listens(pbx: FakeAsterisk) -> None:
    async with using(make(pbx.url, 1)) as older, using(make(pbx.url, 1)) as newer:
        assert (await older.adapter.health()).ok
        await older.adapter.place(call())
        assert (await newer.until(Phase.ANSWERED)).attempt == ATTEMPT
    assert Phase.ANSWERED not in older.phases


async def test_in_stasis_a_process_that_was_replaced_stops_dialling_until_the_other_is_gone(pbx: FakeAsterisk) -> None:
    async with using(make(pbx.url, 1, route=STASIS)) as older:
        async with using(make(pbx.url, 1, route=STASIS)) as newer:
            await eventually(lambda: older.adapter._ear.standing is Standing.REPLACED)
            with pytest.raises(TooLate):
                await older.adapter.place(call())
            assert pbx.connects == 2 and pbx.dialled == []
            await newer.adapter.place(call("call_2"))
        await older.until(Phase.GAP, 2)
        await older.adapter.place(call("call_3"))
    assert pbx.dialled == ["call_2", "call_3"]


async def test_a_process_that_was_replaced_stays_aside_while_the_other_lives(pbx: FakeAsterisk) -> None:
    async with using(make(pbx.url, 1)) as older, using(make(pbx.url, 1)):
        await eventually(lambda: pbx.writes["DIALER_EAR_dialer"] > 10)  # more than it takes to be held for dead
        assert pbx.connects == 2 and older.phases == [Phase.GAP]


async def test_in_stasis_the_voice_is_connected_and_its_end_is_the_end_of_the_call(pbx: FakeAsterisk) -> None:
    async with using(make(pbx.url, 1, route=STASIS)) as heard:
        await heard.adapter.place(call())
        await eventually(lambda: pbx.bridges == {BRIDGE: [REF, MEDIA]})
        assert pbx.calls[REF].order.asked["appArgs"] == "call_1,voice"
        assert pbx.media[MEDIA] == {
            "channelId": MEDIA,
            "app": "dialer",
            "external_host": "voice",
            "transport": "websocket",
            "encapsulation": "none",
            "connection_type": "client",
            "format": "ulaw",
            "transport_data": "v(attempt=call_1)",
        }
        await pbx.leave(MEDIA)
        assert (await heard.until(Phase.ENDED)).outcome is Outcome.ANSWERED
        await eventually(lambda: not pbx.bridges)


async def test_in_stasis_nothing_is_left_when_the_callee_hangs_up(pbx: FakeAsterisk) -> None:
    async with using(make(pbx.url, 1, route=STASIS)) as heard:
        await heard.adapter.place(call())
        await eventually(lambda: len(pbx.bridges.get(BRIDGE, [])) == 2)
        pbx.hang_up(pbx.calls[REF])
        await eventually(lambda: not pbx.bridges and not pbx.media)


async def test_nobody_listens_to_silence_and_nobody_else_is_called_then(pbx: FakeAsterisk) -> None:
    pbx.takes_media = False
    async with using(make(pbx.url, 1, route=STASIS)) as heard:
        await heard.adapter.place(call())
        assert (await heard.until(Phase.ENDED)).outcome is Outcome.ANSWERED
        with pytest.raises(Unavailable):
            await heard.adapter.place(call("call_2"))
        assert not (await heard.adapter.health()).ok
    assert pbx.dialled == [ATTEMPT]


async def test_what_lost_its_other_half_while_nobody_listened_is_ended(pbx: FakeAsterisk) -> None:
    async with using(make(pbx.url, 1, route=STASIS)) as heard:
        await heard.adapter.place(call())
        await eventually(lambda: len(pbx.bridges.get(BRIDGE, [])) == 2)
        pbx.bridges["somebody-elses"] = ["one"]
        pbx.deaf = True
        await pbx.cut()
        await pbx.leave(MEDIA)
        pbx.deaf = False
        await eventually(lambda: pbx.calls[REF].over and BRIDGE not in pbx.bridges)
    assert "somebody-elses" in pbx.bridges


async def test_health(pbx: FakeAsterisk) -> None:
    async with make(pbx.url, 1) as adapter:
        assert await adapter.health() == replace(await adapter.health(), ok=True, detail="", free=None)
        pbx.version = "20.9.0"
        assert (await adapter.health()).detail.startswith("this Asterisk tells no SIP codes")
    async with make(NOBODY, 1) as adapter:
        assert not (await adapter.health()).ok
