"""Finding and building adapters."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from adapters import registry
from adapters.base import AdapterSpec
from adapters.simulated import SPEC
from adapters.simulated.adapter import SimulatedAdapter

OPTIONS = {"base_url": "http://127.0.0.1:8090", "api_key": "key", "signing_secret": "secret"}
OUTSIDE = AdapterSpec(kind="outside", build=SPEC.build, options=SPEC.options)


def announce(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda **wanted: EntryPoints(points).select(**wanted))


def test_a_built_in_adapter_is_built() -> None:
    built = registry.build("trunk", "simulated", OPTIONS)
    assert isinstance(built, SimulatedAdapter)
    assert (built.name, built.capabilities.place_timeout, built.capabilities.settle) == ("trunk", 5.0, 2.0)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ValueError, match="base_url") as raised:
        registry.build("trunk", "simulated", {"base_url": "carrier", "timeout": 0, "api_key": ""})
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == ["base_url", "api_key", "signing_secret", "timeout"]


def test_an_unknown_option_is_a_fault() -> None:
    with pytest.raises(ValueError, match="api_kye: unknown option of the adapter 'simulated'; remove it or use one of base_url"):
        registry.build("trunk", "simulated", OPTIONS | {"api_kye": "x"})


@pytest.mark.parametrize("address", ["ftp://carrier", "http://", "http://host:port", "http://[half"])
def test_an_address_that_is_none_is_a_fault(address: str) -> None:
    with pytest.raises(ValueError, match="base_url: not an http or https address"):
        registry.build("trunk", "simulated", OPTIONS | {"base_url": address})


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="there is no adapter 'carrier-pigeon'; use one of simulated"):
        registry.build("trunk", "carrier-pigeon", {})


def test_an_outsiders_adapter_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    announce(monkeypatch, EntryPoint("outside", f"{__name__}:OUTSIDE", registry.GROUP))
    monkeypatch.setattr(EntryPoint, "load", lambda point: OUTSIDE)
    assert registry.kinds() == [*registry.BUILT_IN, "outside"]
    assert registry.spec("outside") is OUTSIDE


def test_a_built_in_kind_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    announce(monkeypatch, EntryPoint("simulated", "elsewhere:SPEC", registry.GROUP))
    assert registry.kinds() == [*registry.BUILT_IN]
    assert registry.spec("simulated") is SPEC


@pytest.mark.parametrize(
    "target", ["no.such.module:SPEC", "adapters.simulated:NO_SPEC", "adapters.simulated:SPEC", "adapters:__doc__"]
)
def test_an_entry_point_that_leads_nowhere_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    announce(monkeypatch, EntryPoint("broken", target, registry.GROUP))
    with pytest.raises(ValueError, match=r"^kind: ") as raised:
        registry.spec("broken")
    assert "\n" not in str(raised.value)
