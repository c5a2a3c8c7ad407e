"""Retell AI: its agents call, through the phone numbers that a Retell account has.

Owns the options of a `[adapters.NAME]` table of kind "retell".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.base import AdapterSpec
from adapters.options import Options
from adapters.retell.adapter import RetellAdapter

_OPTIONS = {
    "api_key": "API key of the account; required",
    "webhook_key": "the API key that signs webhooks, where it is another one; default: api_key",
    "own_webhook": "true: webhooks go where the agent or the account sends them; default false: each call names our callback"
    " address, in place of the agent's webhook",
    "base_url": "address of the API; default https://api.retellai.com",
    "timeout": "seconds one request may take, 0.1 to 60; default 10",
}


def _build(name: str, options: Mapping[str, Any]) -> RetellAdapter:
    read = Options(options)
    api_key = read.secret("api_key")
    webhook_key = read.secret("webhook_key", default="")
    own_webhook = read.flag("own_webhook", default=False)
    base_url = read.url("base_url", default="https://api.retellai.com")
    timeout = read.number("timeout", low=0.1, high=60, default=10, unit="seconds")
    read.finish()
    return RetellAdapter(
        name, api_key=api_key, webhook_key=webhook_key, own_webhook=own_webhook, base_url=base_url, timeout=timeout
    )


SPEC = AdapterSpec(kind="retell", build=_build, options=_OPTIONS)
