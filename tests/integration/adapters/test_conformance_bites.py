"""The conformance suite notices an adapter that breaks a law: each sabotage here is caught by the case that owns that law."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import pytest

from adapters.base import Absent, Call, Departure, Hook, Over, Reply, Sighting, TelephonyAdapter
from adapters.conformance import CASES, Broken
from adapters.errors import Ambiguous, PlaceError, TooLate, Unavailable
from adapters.events import CallEvent, Fault, Phase
from adapters.simulated import translate
from adapters.simulated.adapter import SimulatedAdapter
from adapters.simulated.carrier.harness import SimulatedHarness, patience_for
from tests.support.carrier import API_KEY, SIGNING_SECRET, carrier, ear


class Repeats(SimulatedAdapter):
    async def place(self, call: Call) -> str:
        try:
            return await super().place(call)
        except PlaceError:
            return await super().place(call)


class CallsAnErrorUnavailable(SimulatedAdapter):
    async def place(self, call: Call) -> str:
        try:
            return await super().place(call)
        except Ambiguous:
            raise Unavailable from None


class StartsLate(SimulatedAdapter):
    async def place(self, call: Call) -> str:
        try:
            return await super().place(call)
        except TooLate:
            return await super().place(replace(call, start_before=call.start_before + 60))


class SendsUnseen(SimulatedAdapter):
    async def place(self, call: Call) -> str:
        return await super().place(replace(call, departure=Departure()))


class SaysAbsent(SimulatedAdapter):
    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        return Absent()


class TalksOfNumbers(SimulatedAdapter):
    async def place(self, call: Call) -> str:
        try:
            return await super().place(call)
        except PlaceError as error:
            raise Ambiguous(f"cannot call {call.to}") from error


class BelievesAnybody(SimulatedAdapter):
    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        try:
            return translate.read(hook.body), Reply()
        except ValueError:
            return [], Reply(400)


class BlamesTheCallee(SimulatedAdapter):
    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        events, reply = super().receive(hook)
        return [replace(event, fault=Fault.CALLEE if event.fault else None) for event in events], reply


class InventsKeys(SimulatedAdapter):
    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        sighting = await super().find(attempt, to, ref, since)
        if isinstance(sighting, Over):
            return replace(sighting, events=tuple(replace(event, key="polled-" + event.key) for event in sighting.events))
        return sighting


class CannotHangUp(SimulatedAdapter):
    async def hang_up(self, attempt: str, ref: str | None) -> None:
        return


class SabotagedHarness(SimulatedHarness):
    sabotaged: type[SimulatedAdapter] = SimulatedAdapter
    patience = 1.0

    def adapter(self) -> TelephonyAdapter:
        return self.sabotaged(
            "sim", base_url=self._url, api_key=API_KEY, signing_secret=SIGNING_SECRET, timeout=patience_for(self._act)
        )

    async def events(self, adapter: TelephonyAdapter, attempt: str, until: Phase) -> list[CallEvent]:
        try:
            return await super().events(adapter, attempt, until)
        except TimeoutError:
            raise Broken("the event never came") from None


@pytest.fixture
async def harness() -> AsyncIterator[SabotagedHarness]:
    async with ear() as listening, carrier() as running:
        yield SabotagedHarness(running, listening)


@pytest.mark.parametrize(
    ("sabotaged", "name"),
    [
        (Repeats, "an_error_is_ambiguous"),
        (Repeats, "tells_a_refusal"),
        (Repeats, "tells_a_throttle"),
        (CallsAnErrorUnavailable, "an_error_is_ambiguous"),
        (CallsAnErrorUnavailable, "a_reset_is_ambiguous"),
        (CallsAnErrorUnavailable, "silence_is_ambiguous"),
        (CallsAnErrorUnavailable, "garbage_is_ambiguous"),
        (StartsLate, "never_starts_late"),
        (SendsUnseen, "places_one_call"),
        (SaysAbsent, "an_error_is_ambiguous"),
        (SaysAbsent, "a_forgotten_call_is_not_absent"),
        (SaysAbsent, "tells_that_nobody_is_there"),
        (SaysAbsent, "finds_and_hangs_up_a_live_call"),
        (TalksOfNumbers, "tells_a_refusal"),
        (BelievesAnybody, "refuses_forgeries"),
        (BlamesTheCallee, "judges_human"),
        (BlamesTheCallee, "judges_invalid"),
        (BlamesTheCallee, "judges_unreachable"),
        (InventsKeys, "a_look_up_repeats_the_callbacks"),
        (CannotHangUp, "finds_and_hangs_up_a_live_call"),
        (CannotHangUp, "tells_that_nobody_is_there"),
    ],
)
async def test_the_suite_catches(sabotaged: type[SimulatedAdapter], name: str, harness: SabotagedHarness) -> None:
    harness.sabotaged = sabotaged
    case = next(case for case in CASES if case.name == name)
    with pytest.raises(Broken):
        await case.run(harness)
