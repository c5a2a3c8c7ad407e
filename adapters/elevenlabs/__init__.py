"""ElevenLabs: its agents call, through phone numbers that were imported from Twilio or are reached by a SIP trunk.

Owns the options of a `[adapters.NAME]` table of kind "elevenlabs".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.base import AdapterSpec
from adapters.elevenlabs.adapter import PATHS, ElevenLabsAdapter
from adapters.options import Options

_OPTIONS = {
    "api_key": "API key of the workspace; required",
    "signing_secret": "secret of the post-call webhook; required",
    "numbers": "table of caller ID in E.164 → ElevenLabs' phone number id; default: ElevenLabs is asked",
    "telephony": "what the numbers of that table are connected with, twilio or sip_trunk; default twilio",
    "base_url": "address of the API; default https://api.elevenlabs.io",
    "timeout": "seconds one request may take, 0.1 to 60; default 10",
}


def _build(name: str, options: Mapping[str, Any]) -> ElevenLabsAdapter:
    read = Options(options)
    api_key = read.secret("api_key")
    signing_secret = read.secret("signing_secret")
    numbers = read.texts("numbers")
    telephony = read.choice("telephony", tuple(PATHS), default="twilio")
    base_url = read.url("base_url", default="https://api.elevenlabs.io")
    timeout = read.number("timeout", low=0.1, high=60, default=10, unit="seconds")
    read.finish()
    return ElevenLabsAdapter(
        name,
        api_key=api_key,
        signing_secret=signing_secret,
        base_url=base_url,
        numbers=numbers,
        telephony=telephony,
        timeout=timeout,
    )


SPEC = AdapterSpec(kind="elevenlabs", build=_build, options=_OPTIONS)
