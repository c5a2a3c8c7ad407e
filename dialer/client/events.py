"""Server-sent events, with the connection made again where it was lost."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from dialer.client.errors import RateLimited, Unavailable
from dialer.client.transport import GONE, Transport

SILENCE: Final = 60.0
"""Seconds. The service says something at least every 15 s."""


@dataclass(frozen=True, slots=True)
class Event:
    """`id` to resume after it: of this event or, where it has none, of the last one that had."""

    kind: str
    data: Any
    id: str | None


async def follow(transport: Transport, path: str, last_event_id: str | None) -> AsyncGenerator[Event, None]:
    """Never ends by itself. Raises `DialerError` when the service says no, or stays away for as many tries as a request has."""
    last, failed = last_event_id, 0
    while True:
        pause: float | None = None
        try:
            headers = {"Accept": "text/event-stream"} | ({} if last is None else {"Last-Event-ID": last})
            async with (
                transport.stream(path, headers=headers, silence=SILENCE) as response,
                aclosing(read(response, last)) as events,
            ):
                async for event in events:
                    last, failed = event.id, 0
                    yield event
        except GONE:
            pass
        except (RateLimited, Unavailable) as fault:
            if failed + 1 >= transport.tries:
                raise
            pause = fault.retry_after if isinstance(fault, RateLimited) else None
        failed += 1
        if failed > transport.tries:
            raise Unavailable("The stream of events ends again and again before its first event.")
        await transport.waited(failed, pause)


async def read(response: aiohttp.ClientResponse, last: str | None) -> AsyncGenerator[Event, None]:
    """The events of one connection, by the rules of the HTML standard, section 9.2.6."""
    kind, data = "", list[str]()
    async for raw in lines(response.content):
        field, _, value = raw.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "" if not raw:
                if data:
                    yield Event(kind or "message", _parsed("\n".join(data)), last)
                kind, data = "", []
            case "event":
                kind = value
            case "data":
                data.append(value)
            case "id" if "\0" not in value:
                last = value


async def lines(content: aiohttp.StreamReader) -> AsyncIterator[str]:
    rest = b""
    async for piece in content.iter_any():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
