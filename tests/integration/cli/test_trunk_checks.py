"""What the doctor finds out about a trunk of each kind, against the fake of its carrier; and about where callbacks arrive."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from adapters.base import Health, Hook, Reply, TelephonyAdapter
from adapters.conformance import Act
from adapters.events import CallEvent
from adapters.registry import build
from adapters.simulated.adapter import SimulatedAdapter
from adapters.simulated.carrier import harness as simulated
from dialer.cli import trunk_checks
from dialer.cli.reach import reach
from dialer.cli.trunk_checks import Address, Row, examine
from dialer.domain.errors import NO_SUCH_TRUNK, NOT_SIGNED
from scheduler.clock import SystemClock
from tests.integration.adapters.test_conformance import HARNESSES
from tests.support.providers import freeswitch
from tests.support.providers.base import FakeProvider
from tests.support.providers.harness import ProviderHarness
from tests.support.tls import TlsDoor, certificate

SOCKETS = {"asterisk", "asterisk_stasis", "freeswitch"}
CHECKS = ["reachability", "credentials", "clock", "webhook", "signature"]


class Skewed(SystemClock):
    """Our clock, this far ahead."""

    def __init__(self, ahead: float) -> None:
        self._ahead = timedelta(seconds=ahead)

    def now(self) -> datetime:
        return super().now() + self._ahead


@asynccontextmanager
async def answering(status: int = 403, error: str = NOT_SIGNED, **headers: str) -> AsyncIterator[Address]:
    """Something that answers callbacks so; as the dialer does, by default."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, body=json.dumps({"error": error}).encode(), headers=headers)

    app = web.Application()
    app.router.add_post("/hooks/trunk", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Address(f"http://127.0.0.1:{runner.addresses[0][1]}", False)
    finally:
        await runner.cleanup()


async def found(adapter: TelephonyAdapter, address: Address, ahead: float = 0) -> dict[str, Row]:
    async with adapter:
        rows = await examine("trunk", adapter, address, Skewed(ahead))
    return {row.check.removeprefix("trunk: "): row for row in rows}


@pytest.mark.parametrize("kind", HARNESSES)
async def test_a_good_trunk_is_good_in_every_respect(kind: str) -> None:
    async with answering() as address, HARNESSES[kind]() as harness:
        rows = await found(harness.adapter(), address)
    assert list(rows) == (CHECKS[:3] if kind in SOCKETS else CHECKS)
    assert {check: row.detail for check, row in rows.items() if not row.ok} == {}


@pytest.mark.parametrize("kind", HARNESSES)
async def test_a_key_that_is_refused_is_named_as_such(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(url: str, timeout: float) -> SimulatedAdapter:
        return SimulatedAdapter("sim", base_url=url, api_key="x", signing_secret="s", timeout=timeout)

    monkeypatch.setattr(freeswitch, "PASSWORD", "another")
    async with answering() as address, simulated.harness(wrong) if kind == "simulated" else HARNESSES[kind]() as harness:
        if isinstance(harness, ProviderHarness) and isinstance(harness.provider, FakeProvider):
            monkeypatch.setattr(harness.provider, "authorized", lambda request: request.path == "/healthz")
        rows = await found(harness.adapter(), address)
    assert rows["credentials"].ok is False and rows["reachability"].ok
    said = "a refusal" if kind == "freeswitch" else "HTTP 401"
    assert said in rows["credentials"].detail and "[adapters.trunk]" in rows["credentials"].remedy


@pytest.mark.parametrize("kind", HARNESSES)
async def test_where_nobody_is_the_way_ends_at_tcp_and_the_key_is_not_judged(kind: str) -> None:
    async with answering() as address, HARNESSES[kind]() as harness:
        await harness.act(Act.DOWN)
        rows = await found(harness.adapter(), address)
    assert rows["reachability"].ok is False and rows["reachability"].detail.startswith("TCP: 127.0.0.1:9 cannot be connected to")
    assert rows["credentials"].ok is None and rows["clock"].ok is None


@pytest.mark.parametrize("kind", HARNESSES)
async def test_a_clock_that_is_off_is_a_fault_from_what_signatures_tolerate_on(kind: str) -> None:
    async with answering() as address, HARNESSES[kind]() as harness:
        adapter = harness.adapter()
        limit = adapter.capabilities.clock_tolerance
        async with adapter:
            told = {
                ahead: next(row for row in await examine("trunk", adapter, address, Skewed(ahead)) if row.check == "trunk: clock")
                for ahead in (limit - 10, limit + 10, -limit - 10)
            }
    assert [row.ok for row in told.values()] == [True, False, False]
    assert "behind" in told[-limit - 10].detail and "NTP" in told[-limit - 10].remedy


@pytest.mark.parametrize("kind", [kind for kind in HARNESSES if kind not in SOCKETS])
async def test_callbacks_that_reach_nobody_are_a_fault(kind: str) -> None:
    async with HARNESSES[kind]() as harness:
        rows = await found(harness.adapter(), Address("http://127.0.0.1:9", False))
    assert rows["webhook"].ok is False and "dialer up" in rows["webhook"].remedy
    assert all(row.ok for check, row in rows.items() if check != "webhook")


@pytest.mark.parametrize(
    ("kind", "key", "given"),
    [
        ("simulated", "signing_secret", {"base_url": "http://127.0.0.1:1", "api_key": "k"}),
        ("twilio", "auth_token", {"account_sid": f"AC{'0' * 32}", "target": "wss://voice.example"}),
        ("telnyx", "public_key", {"api_key": "k", "connection_id": "1"}),
        ("vapi", "signing_secret", {"api_key": "k"}),
        ("retell", "api_key", {}),
        ("livekit", "api_secret", {"base_url": "http://127.0.0.1:1", "api_key": "k", "trunk_id": "ST_1"}),
        ("elevenlabs", "signing_secret", {"api_key": "k"}),
        ("webhook", "signing_secret", {"callback": {"signature": {"header": "X-S"}}}),
    ],
)
def test_without_the_secret_of_callbacks_no_trunk_is_built(kind: str, key: str, given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"(?m)^{key}: missing.*; .*{key}_file"):
        build("trunk", kind, given)


async def test_an_empty_secret_is_a_fault_of_the_signature() -> None:
    async with answering() as address, simulated.harness() as harness:
        url = (await _url_of(harness.adapter())).rstrip("/")
        adapter = SimulatedAdapter("sim", base_url=url, api_key=simulated.API_KEY, signing_secret="")
        row = (await found(adapter, address))["signature"]
    assert row.ok is False and "no secret" in row.detail and "[adapters.trunk]" in row.remedy


async def _url_of(adapter: TelephonyAdapter) -> str:
    from adapters.witness import watching

    with watching() as seen:
        async with adapter:
            await adapter.health()
    return f"http://{seen[0].host}:{seen[0].port}"


class Gullible(SimulatedAdapter):
    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        return [], Reply()


class Deaf(SimulatedAdapter):
    """It takes what is signed, whatever the signature says."""

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        return ([], Reply()) if hook.headers else super().receive(hook)


@pytest.mark.parametrize(("kind", "said"), [(Gullible, "nobody signed is accepted"), (Deaf, "signature was changed is accepted")])
async def test_an_adapter_that_believes_anybody_is_found_out(kind: type[SimulatedAdapter], said: str) -> None:
    adapter = kind("sim", base_url="http://127.0.0.1:9", api_key="k", signing_secret="s")
    async with answering() as address:
        row = (await found(adapter, address))["signature"]
    assert row.ok is False and said in row.detail


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (403, "Forbidden", "something else answers"),
        (200, "", "something else answers"),
        (404, NO_SUCH_TRUNK, "that has no trunk trunk"),
        (404, "", "something else answers"),
        (503, "", "is not ready"),
        (302, "", "redirects"),
    ],
)
async def test_what_answers_in_the_place_of_the_dialer_is_told_apart(status: int, error: str, said: str) -> None:
    async with answering(status, error) as address, simulated.harness() as harness:
        row = (await found(harness.adapter(), address))["webhook"]
    assert row.ok is False and said in row.detail and row.remedy


class Far(SimulatedAdapter):
    """Of a carrier on the internet: its own answer is not waited for."""

    async def health(self) -> Health:
        return Health(True)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (Address("http://127.0.0.1:8600", False), "http.public_url is not set"),
        (Address("http://dialer.example", True), "is not https"),
        (Address("https://127.0.0.1:9", True), "TCP: 127.0.0.1:9 cannot be connected to"),
        (Address("https://nowhere.invalid", True), "DNS: nowhere.invalid has no address"),
    ],
)
async def test_a_carrier_on_the_internet_needs_a_public_address(address: Address, said: str) -> None:
    rows = await found(Far("sim", base_url="http://x", api_key="k", signing_secret="s"), address)
    assert rows["webhook"].ok is False and said in rows["webhook"].detail and rows["webhook"].remedy
    assert rows["reachability"].ok and rows["credentials"].ok is None


class Silent(SimulatedAdapter):
    """A carrier that takes connections and says nothing."""

    async def health(self) -> Health:
        await SystemClock().sleep(60)
        return Health(True)


class Defective(SimulatedAdapter):
    async def health(self) -> Health:
        raise KeyError("status")


async def test_neither_silence_nor_a_defect_stops_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunk_checks, "HEALTH_SECONDS", 0.05)
    async with answering() as address:
        for kind, said in ((Silent, "no answer within 0.05 s"), (Defective, "KeyError")):
            row = (await found(kind("sim", base_url="http://x", api_key="k", signing_secret="s"), address))["reachability"]
            assert row.ok is False and row.detail == said


async def test_the_way_to_a_server_ends_at_the_step_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, other = certificate(tmp_path, "good"), certificate(tmp_path, "other")
    context = ssl.create_default_context(cafile=f"{good}.crt")
    monkeypatch.setattr(ssl, "create_default_context", lambda: context)
    async with TlsDoor(good, other) as door:
        assert await reach("127.0.0.1", door.port, secure=True) is None
        for manner, step in (("stranger", "TLS"), ("garbage", "TLS"), ("closed", "TCP")):
            await door.become(manner)  # type: ignore[arg-type]
            stopped = await reach("127.0.0.1", door.port, secure=True)
            assert stopped is not None and stopped.step == step and stopped.remedy, manner
