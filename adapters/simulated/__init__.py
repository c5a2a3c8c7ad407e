"""The carrier that does not exist: an adapter for the simulated carrier of `adapters.simulated.carrier`.

Owns the options of a `[adapters.NAME]` table of kind "simulated". Speaks HTTP to the carrier like any other adapter does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.base import AdapterSpec
from adapters.options import Options
from adapters.simulated.adapter import SimulatedAdapter

_OPTIONS = {
    "base_url": "where the simulated carrier listens, such as http://127.0.0.1:8090; required",
    "api_key": "key the carrier was started with; required",
    "signing_secret": "secret the carrier signs its callbacks with; required",
    "timeout": "seconds one request may take, 0.1 to 60; default 5",
}


def _build(name: str, options: Mapping[str, Any]) -> SimulatedAdapter:
    read = Options(options)
    base_url = read.url("base_url", example="http://127.0.0.1:8090")
    api_key = read.secret("api_key")
    signing_secret = read.secret("signing_secret")
    timeout = read.number("timeout", low=0.1, high=60, default=5, unit="seconds")
    read.finish()
    return SimulatedAdapter(name, base_url=base_url, api_key=api_key, signing_secret=signing_secret, timeout=timeout)


SPEC = AdapterSpec(kind="simulated", build=_build, options=_OPTIONS)
