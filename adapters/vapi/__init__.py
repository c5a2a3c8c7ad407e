"""Vapi: its assistants call, through the phone numbers that a Vapi organisation has.

Owns the options of a `[adapters.NAME]` table of kind "vapi".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.base import AdapterSpec
from adapters.options import Options
from adapters.vapi.adapter import VapiAdapter

_OPTIONS = {
    "api_key": "private key of the organisation; required",
    "signing_secret": "secret of the webhook credential (type HMAC, SHA256) that signs server messages; required",
    "credential_id": "id of that credential; set: each call names our callback address and this credential, instead of the server"
    " of its assistant; unset: the server that the assistant, number or organisation names is told",
    "numbers": "table of caller ID in E.164 → Vapi's phone number id; default: Vapi is asked",
    "base_url": "address of the API; default https://api.vapi.ai",
    "timeout": "seconds one request may take, 0.1 to 60; default 10",
}


def _build(name: str, options: Mapping[str, Any]) -> VapiAdapter:
    read = Options(options)
    api_key = read.secret("api_key")
    signing_secret = read.secret("signing_secret")
    credential_id = read.text("credential_id", default="")
    numbers = read.texts("numbers")
    base_url = read.url("base_url", default="https://api.vapi.ai")
    timeout = read.number("timeout", low=0.1, high=60, default=10, unit="seconds")
    read.finish()
    return VapiAdapter(
        name,
        api_key=api_key,
        signing_secret=signing_secret,
        base_url=base_url,
        credential_id=credential_id,
        numbers=numbers,
        timeout=timeout,
    )


SPEC = AdapterSpec(kind="vapi", build=_build, options=_OPTIONS)
