"""Which adapters there are: the built-in ones, then those that other distributions announce.

An outsider's package declares the entry point group `dialer.adapters`, its name the adapter's kind, its object an
`AdapterSpec`. Nothing is imported before a trunk of that kind is built. A built-in kind cannot be replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from adapters.base import AdapterSpec, TelephonyAdapter

GROUP = "dialer.adapters"

BUILT_IN: Mapping[str, str] = {
    "simulated": "adapters.simulated:SPEC",
    "asterisk": "adapters.asterisk:SPEC",
    "freeswitch": "adapters.freeswitch:SPEC",
    "twilio": "adapters.twilio:SPEC",
    "telnyx": "adapters.telnyx:SPEC",
    "vapi": "adapters.vapi:SPEC",
    "webhook": "adapters.webhook:SPEC",
    "retell": "adapters.retell:SPEC",
    "livekit": "adapters.livekit:SPEC",
    "elevenlabs": "adapters.elevenlabs:SPEC",
}
"""Kind → where its spec is."""


def kinds() -> list[str]:
    """Every kind that can be configured, built-in ones first."""
    return list(origins())


def origins() -> Mapping[str, str]:
    """Every kind → where it comes from: "built in", else the distribution that announces it."""
    others = {point.name: point for point in entry_points(group=GROUP) if point.name not in BUILT_IN}
    named = {kind: f"{point.dist.name} {point.dist.version}" if point.dist else point.value for kind, point in others.items()}
    return {**dict.fromkeys(BUILT_IN, "built in"), **dict(sorted(named.items()))}


def spec(kind: str) -> AdapterSpec:
    """The adapter of that kind. Raises `ValueError` when there is none or it cannot be loaded."""
    if kind in BUILT_IN:
        point = EntryPoint(kind, BUILT_IN[kind], GROUP)
    else:
        found = list(entry_points(group=GROUP, name=kind))
        if not found:
            raise ValueError(f"kind: there is no adapter {kind!r}; use one of {', '.join(kinds())}")
        point = found[0]
    try:
        loaded = point.load()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"kind: the adapter {kind!r} cannot be loaded ({error}); reinstall the package it comes from") from error
    if not isinstance(loaded, AdapterSpec) or loaded.kind != kind:
        raise ValueError(f"kind: {point.value} is not the AdapterSpec of {kind!r}; mend the package's entry point")
    return loaded


def build_beside(name: str, kind: str, options: Mapping[str, Any]) -> TelephonyAdapter:
    """As `build`, for a process that is none of the dialer's and may not take events away from them."""
    beside = spec(kind).beside
    return build(name, kind, options if beside is None else beside(options))


def build(name: str, kind: str, options: Mapping[str, Any]) -> TelephonyAdapter:
    """Build the trunk `name` from the adapter's own options. Raises `ValueError`, one line per fault (`key: problem; remedy`)."""
    found = spec(kind)
    unknown = sorted(set(options) - set(found.options))
    if unknown:
        remedy = f"remove it or use one of {', '.join(found.options)}"
        raise ValueError("\n".join(f"{key}: unknown option of the adapter {kind!r}; {remedy}" for key in unknown))
    return found.build(name, options)
