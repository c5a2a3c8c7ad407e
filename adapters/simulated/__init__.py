"""The carrier that does not exist: an adapter for the simulated carrier of `adapters.simulated.carrier`.

Owns the options of a `[adapters.NAME]` table of kind "simulated". Speaks HTTP to the carrier like any other adapter does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from adapters.base import AdapterSpec
from adapters.simulated.adapter import SimulatedAdapter

_OPTIONS = {
    "base_url": "where the simulated carrier listens, such as http://127.0.0.1:8090; required",
    "api_key": "key the carrier was started with; required",
    "signing_secret": "secret the carrier signs its callbacks with; required",
    "timeout": "seconds one request may take, 0.1 to 60; default 5",
}


def _build(name: str, options: Mapping[str, Any]) -> SimulatedAdapter:
    faults = []
    for key in ("base_url", "api_key", "signing_secret"):
        if not isinstance(options.get(key), str) or not options[key]:
            faults.append(f"{key}: missing or not a text; set it to what the carrier was started with")
    base_url = options.get("base_url")
    if isinstance(base_url, str) and base_url and not _is_http(base_url):
        faults.append("base_url: not an http or https address; write it like http://127.0.0.1:8090")
    timeout = options.get("timeout", 5.0)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0.1 <= timeout <= 60:
        faults.append("timeout: not a number of seconds from 0.1 to 60; leave it out for 5")
    if faults:
        raise ValueError("\n".join(faults))
    return SimulatedAdapter(
        name,
        base_url=options["base_url"],
        api_key=options["api_key"],
        signing_secret=options["signing_secret"],
        timeout=float(timeout),
    )


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


SPEC = AdapterSpec(kind="simulated", build=_build, options=_OPTIONS)
