"""One HTTP request that places a call, and the one mapping from HTTP to what we know about that call.

Promises: a placement is transmitted at most once: no retry, no redirect, no re-send on a connection that died in the pool; not
one byte leaves after `start_before`; what is given up is not delivered later; and every failure says whether the carrier may have
acted. The line is drawn where the request is handed to the socket: before it nothing can have been placed, after it only an
answer proves anything.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from aiohttp.payload import BytesPayload

from adapters.base import Departure
from adapters.errors import Ambiguous, PlaceError, RateLimited, Rejected, TooLate, Unavailable
from adapters.events import Fault
from adapters.failpoints import failpoint

LONGEST_ANSWER = 1 << 20
"""Bytes of an answer that are read; no carrier needs more to acknowledge a call."""


OF_THE_REQUEST = frozenset({400, 413, 414, 415, 422, 431})
"""Statuses that find fault with what was asked, not with who asked or where."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises `ValueError`, never prints the body."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise ValueError(f"the carrier's answer ({len(self.body)} bytes) is not JSON") from None

    @property
    def date(self) -> datetime | None:
        """When the carrier wrote it, by its own clock, to the second."""
        return _http_date(self.headers.get("date", ""))


def reference(answer: Answer, *path: str) -> str:
    """The carrier's id for the call that a 2xx answer tells of, at `path` in its JSON. Raises `Ambiguous` if it is not there: the
    call was accepted all the same."""
    try:
        found: Any = answer.json()
        for name in path:
            found = found[name]
    except (ValueError, LookupError, TypeError) as error:
        raise Ambiguous("the carrier accepted, but its answer cannot be read") from error
    if not isinstance(found, str) or not found:
        raise Ambiguous("the carrier accepted, but named no call")
    return found


class _Fence(BytesPayload):
    """A body that refuses to be written late, and knows whether it was written at all.

    aiohttp keeps the request's head back and sends it together with the first write of the body, so this is the last moment
    before any byte leaves; a check when the connection is ready would leave a gap for a blocked event loop.
    """

    def __init__(self, body: bytes, content_type: str, start_before: float, departure: Departure) -> None:
        super().__init__(body, content_type=content_type)
        self._start_before = start_before
        self._departure = departure
        self.late = False
        self._transport: asyncio.BaseTransport | None = None

    @property
    def sent(self) -> bool:
        return self._departure.begun

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        failpoint("K2")
        if time.monotonic() > self._start_before:
            self.late = True
            raise TooLate
        transport = writer.transport if isinstance(writer, StreamWriter) else None
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the connection was closed before the request was sent")
        self._transport = transport
        self._linger(False)
        self._departure.begun = True
        await super().write_with_length(writer, content_length)

    def answered(self) -> None:
        """The connection may be used again, and be closed like any other."""
        self._linger(True)

    def _linger(self, on: bool) -> None:
        """Whether the kernel goes on delivering what was sent when the connection is closed, or this process dies. While an
        answer is awaited it must not: after a cut in the line it would deliver the request many seconds late, when a look-up
        may have found no call already."""
        peer = self._transport.get_extra_info("socket") if self._transport is not None else None
        if peer is not None:
            with suppress(OSError):  # it is closed already
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", not on, 0))


def refused(answer: Answer) -> PlaceError:
    """What a non-2xx answer to a placement says, for carriers that do not say it more exactly.

    429 → `RateLimited`; other 4xx and 307/308 (which by definition were not acted upon) → `Rejected`: by what is wrong with
    just this call (`REQUEST`), else a person must look (`CONFIG`). 408 and 409 may speak of a request that a gateway passed on,
    a 303 may follow a call that was placed, 5xx says nothing: `Ambiguous`. Each with the `Retry-After` that came with it.
    """
    detail = f"the carrier answered HTTP {answer.status}"
    wait = retry_after(answer.headers)
    if answer.status == 429:
        return RateLimited(detail, retry_after=wait)
    if answer.status in {307, 308} or (400 <= answer.status < 500 and answer.status not in {408, 409}):
        fault = Fault.REQUEST if answer.status in OF_THE_REQUEST else Fault.CONFIG
        return Rejected(detail, fault=fault, cause=f"http_{answer.status}", retry_after=wait)
    return Ambiguous(detail, retry_after=wait)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds a `Retry-After` header asks for, or None. A date is read against the carrier's own `Date`, not our clock."""
    value = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    until, now = _http_date(value), _http_date(headers.get("date", ""))
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


async def post_once(
    session: aiohttp.ClientSession,
    url: str,
    *,
    body: bytes,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    timeout: float,
    start_before: float,
    departure: Departure,
    refusal: Callable[[Answer], PlaceError] = refused,
) -> Answer:
    """Transmit one placement; return the 2xx answer or raise what is known.

    `timeout` is seconds for the whole exchange; `start_before` a reading of `time.monotonic()`, and a connection that is not
    ready by then is given up; `departure` is marked when the request is handed over. `refusal` reads any other answer; it must
    return `Ambiguous` unless the carrier certainly did not act. Raises `TooLate` or `Unavailable` when nothing was sent,
    `Ambiguous` when something was and no answer came.
    """
    if session.closed:
        raise Unavailable("the adapter is closed")
    patience = start_before - time.monotonic()
    if patience <= 0:
        raise TooLate
    fence = _Fence(body, content_type, start_before, departure)
    try:
        async with session.post(
            url,
            data=fence,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout, connect=patience),
        ) as response:
            failpoint("K3")
            answer = await read(response)
            fence.answered()
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _known(fence, error) from error
    if not fence.sent:
        raise Ambiguous("an answer came before the request was sent")
    if 200 <= answer.status < 300:
        return answer
    raise refusal(answer)


async def read(response: aiohttp.ClientResponse, longest: int = LONGEST_ANSWER) -> Answer:
    """The whole answer. Raises what aiohttp does, and `ClientPayloadError` for more than `longest` bytes."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > longest:
            raise aiohttp.ClientPayloadError("the answer is too long")
    return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, bytes(body))


def _known(fence: _Fence, error: Exception) -> PlaceError:
    if fence.late:
        return TooLate()
    if fence.sent:
        return Ambiguous(f"the request was sent, but its answer was lost: {reason(error)}")
    return Unavailable(f"the carrier was not reached: {reason(error)}")


def reason(error: Exception) -> str:
    """Why an exchange failed, in words that may be shown: messages of the client repeat URLs and addresses, which may hold a
    number or a key."""
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
