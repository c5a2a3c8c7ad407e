"""A callback to facts: its format, its type and whose call it is. Pure."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from adapters.base import Hook
from adapters.events import CallEvent
from adapters.webhook.config import Callback
from adapters.webhook.paths import word
from adapters.webhook.proof import query


def translate(callback: Callback, hook: Hook) -> list[CallEvent]:
    """The events of a callback that was verified; none for a type that was not mapped, or for a call that is none of ours. Raises
    `ValueError` if it cannot be read."""
    said = _document(callback, hook.body)
    phase = callback.phase or callback.types.get(word(callback.type, said))
    attempt = query(hook.url, callback.attempt_query) if callback.attempt_query else word(callback.reading.attempt, said)
    if phase is None or not attempt:
        return []
    ref = word(callback.reading.ref, said) or None
    return callback.reading.events(phase, said, attempt, ref, hook.received_at)


def _document(callback: Callback, body: bytes) -> Any:
    if callback.form:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
    said = json.loads(body)
    if not isinstance(said, dict | list):
        raise ValueError("the callback is neither an object nor a list")
    return said
