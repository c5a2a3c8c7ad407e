"""Every adapter keeps the laws of the seam, against a fake of its provider over real sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

import pytest

from adapters.conformance import CASES, Act, Case, Harness
from adapters.simulated.carrier import harness as simulated
from tests.support.providers import (
    asterisk,
    elevenlabs,
    example,
    freeswitch,
    livekit,
    retell,
    telnyx,
    twilio,
    vapi,
    webhook,
)
from tests.support.providers.base import FakeProvider
from tests.support.providers.harness import ProviderHarness

HARNESSES: Mapping[str, Callable[[], AbstractAsyncContextManager[Harness]]] = {
    "simulated": simulated.harness,
    "asterisk": asterisk.harness,
    "asterisk_stasis": asterisk.stasis_harness,
    "example": example.harness,
    "freeswitch": freeswitch.harness,
    "twilio": twilio.harness,
    "telnyx": telnyx.harness,
    "vapi": vapi.harness,
    "webhook": webhook.harness,
    "retell": retell.harness,
    "livekit": livekit.harness,
    "elevenlabs": elevenlabs.harness,
}
"""One line for each adapter. Each harness is opened for one case."""

_ARI_THROTTLE = "ARI has no limit of requests; a trunk's own limits end calls that were placed"
_STASIS_MACHINE = "AMD is an application of the dialplan; in Stasis the voice agent tells a machine from a person"

EXEMPT: Mapping[str, Mapping[Act, str]] = {
    "asterisk": {Act.THROTTLE: _ARI_THROTTLE},
    "asterisk_stasis": {Act.THROTTLE: _ARI_THROTTLE, Act.MACHINE: _STASIS_MACHINE},
    "twilio": {Act.MACHINE: "the end of a call does not tell who picked up: another callback does, as test_twilio.py shows"},
    "telnyx": {Act.MACHINE: "the end of a call does not say who answered it; that is told by an event of its own"},
    "vapi": vapi.EXEMPT,
    "livekit": {
        Act.MACHINE: "LiveKit does not detect who answers",
        Act.HANG_AFTER: "an answer comes only when the phone is answered; that the call is under way is seen in its room",
    },
    "retell": retell.EXEMPT,
    "elevenlabs": elevenlabs.EXEMPT,
}
"""Kind → what its provider cannot do → why. The same reasons stand in the table of adapters/README.md."""

AS_THEY_COME = frozenset({"simulated", "asterisk", "asterisk_stasis", "freeswitch"})
"""Kinds whose fakes cannot repeat and reverse callbacks: they have none, or deliver them themselves."""

UNORDERED = ("judges_human", "judges_busy", "phases_go_forward", "a_look_up_repeats_the_callbacks")
"""Cases that must hold, too, when callbacks come twice and in reverse."""


APPLICABLE = [(kind, case) for kind in HARNESSES for case in CASES if not case.needs & EXEMPT.get(kind, {}).keys()]


def named(given: object) -> str:
    return given.name if isinstance(given, Case) else str(given)


@pytest.mark.parametrize(("kind", "case"), APPLICABLE, ids=named)
async def test_it_keeps_the_law(kind: str, case: Case) -> None:
    async with HARNESSES[kind]() as harness:
        assert case.exempt(harness) == ""
        await case.run(harness)


@pytest.mark.parametrize("kind", HARNESSES)
async def test_it_is_exempt_only_from_what_its_provider_cannot_do(kind: str) -> None:
    exempt = EXEMPT.get(kind, {})
    assert all(reason.strip() for reason in exempt.values())
    async with HARNESSES[kind]() as harness:
        assert harness.acts == frozenset(Act) - exempt.keys()


@pytest.mark.parametrize(
    ("kind", "case"),
    [(kind, case) for kind, case in APPLICABLE if kind not in AS_THEY_COME and case.name in UNORDERED],
    ids=named,
)
async def test_it_keeps_the_law_when_callbacks_come_twice_and_backwards(kind: str, case: Case) -> None:
    async with HARNESSES[kind]() as harness:
        assert isinstance(harness, ProviderHarness) and isinstance(harness.provider, FakeProvider)
        harness.provider.repeats, harness.provider.backwards = 2, True
        await case.run(harness)
