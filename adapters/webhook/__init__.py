"""Any provider over HTTP that has no adapter of its own: its requests, answers and callbacks described in the config file.

Owns the options of a `[adapters.NAME]` table of kind "webhook"; `adapters/README.md` describes the tables with an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.base import AdapterSpec
from adapters.webhook.adapter import WebhookAdapter
from adapters.webhook.settings import read

_OPTIONS = {
    "base_url": "address of the provider's API, such as https://api.example.com/v1; required",
    "api_key": "the provider's key, {api_key} in `headers`, or the password of `username`; unset: no key is sent",
    "username": "user of basic authentication; unset: none",
    "headers": "table of headers that go with each request; empty by default",
    "timeout": "seconds one request may take, 0.1 to 60; default 10",
    "settle": "seconds until a call that was placed is certainly found by a look-up, 0 to 600; default 60",
    "once": "how long the provider refuses a second call with the same attempt id: no, while_alive or window; default no",
    "voices": 'list of what calls may be connected to; default ["agent"]',
    "health_path": "path that answers 2xx while the provider is well; unset: any answer below 500 of base_url will do",
    "outcomes": "table from the provider's words for how a call ended to outcomes; required",
    "place": "table: the request that places a call; required",
    "refusals": "list of tables: answers that prove that nothing was placed; empty by default",
    "callback": "table: how callbacks are proven and read; required",
    "signing_secret": "secret callbacks are signed with; required by callback.signature",
    "callback_token": "secret that callbacks bring, 16 characters or more; required by callback.token",
    "find": "table: how a call is looked up; unset: calls cannot be looked up",
    "hang_up": "table: the request that ends a call; unset: calls cannot be hung up",
}


def _build(name: str, options: Mapping[str, Any]) -> WebhookAdapter:
    return WebhookAdapter(name, read(options))


SPEC = AdapterSpec(kind="webhook", build=_build, options=_OPTIONS)
