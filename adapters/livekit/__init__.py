"""LiveKit SIP: a room for each attempt, an agent dispatched into it, and the callee called into it over a SIP trunk.

Owns the options of an `[adapters.NAME]` table of kind "livekit".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.base import AdapterSpec
from adapters.livekit.adapter import LiveKitAdapter
from adapters.options import Options

_OPTIONS = {
    "base_url": "where the LiveKit server listens, such as https://project.livekit.cloud; required",
    "api_key": "API key of the server or project; required",
    "api_secret": "its secret, which also signs the webhooks; required",
    "trunk_id": "id of the outbound SIP trunk, such as ST_abc; required",
    "timeout": "seconds one request may take, and a call to be seen in its room, 0.1 to 30; default 10",
}


def _build(name: str, options: Mapping[str, Any]) -> LiveKitAdapter:
    read = Options(options)
    base_url = read.url("base_url", example="https://project.livekit.cloud")
    api_key = read.secret("api_key")
    api_secret = read.secret("api_secret")
    trunk_id = read.text("trunk_id", form=r"[\w-]{1,64}", example="ST_abc")
    timeout = read.number("timeout", low=0.1, high=30, default=10, unit="seconds")
    read.finish()
    return LiveKitAdapter(name, base_url=base_url, api_key=api_key, api_secret=api_secret, trunk_id=trunk_id, timeout=timeout)


SPEC = AdapterSpec(kind="livekit", build=_build, options=_OPTIONS)
