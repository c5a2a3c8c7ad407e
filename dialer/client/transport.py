"""Requests and their retries.

What may be repeated is decided by what is known. Certainly not carried out (no connection, 429): any request is. Maybe carried
out (a lost answer, 500 and up): only what is harmless when done twice, which is reading, and a POST, whose Idempotency-Key makes
the service do it once. Between tries it waits as long as the service says, else a random part of a span that doubles.
(aiohttp itself sends a GET or DELETE once more where a connection that was kept turns out to be closed.)
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from dialer.client.errors import KINDS, Ambiguous, DialerError, Invalid, RateLimited, Refused, Unavailable, Unexpected

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 20.0
"""Seconds; what the service asks for may be longer, up to `longest_wait`."""

GONE: Final = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError, ConnectionError)
"""The connection failed or was cut."""


def _chance() -> float:
    return secrets.randbelow(1 << 32) / (1 << 32)


@dataclass(frozen=True, slots=True)
class File:
    """A form with one file. `content` is kept whole, so that it can be sent again."""

    content: bytes
    name: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """`timeout` seconds for one try, `tries` in all, waits of `longest_wait` seconds at most: a longer one is raised instead."""

    timeout: float = 30.0
    tries: int = 4
    longest_wait: float = 60.0
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    chance: Callable[[], float] = _chance
    """A number ≥ 0 and < 1."""


class Transport:
    """One session with one key. Used inside `async with`."""

    def __init__(self, base_url: str, key: str, patience: Patience) -> None:
        self._base = base_url.rstrip("/") + "/api/crm/"
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._patience = patience
        self._open: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._open = aiohttp.ClientSession(
            headers=self._headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._patience.timeout),
        )

    async def close(self) -> None:
        if self._open is not None:
            await self._open.close()
            self._open = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, object] | None = None,
        file: File | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """The JSON object of the answer. Raises `DialerError`."""
        headers = {}
        if method == "POST":
            headers["Idempotency-Key"] = idempotency_key or secrets.token_hex(16)
        answer = await self._tried(method, path, query, lambda: _sent(body, file, headers))
        try:
            found = json.loads(answer)
        except ValueError:
            raise Unexpected("The service's answer is not JSON; is the base URL the dialer's?") from None
        if not isinstance(found, dict):
            raise Unexpected("The service's answer is not a JSON object.")
        return found

    async def _tried(
        self, method: str, path: str, query: Mapping[str, object] | None, sent: Callable[[], dict[str, Any]]
    ) -> bytes:
        repeatable = method in ("GET", "POST")
        tries, maybe_done = 0, False
        while True:
            tries += 1
            wait: float | None = None
            try:
                async with self._session.request(method, self._base + path, params=_query(query), **sent()) as response:
                    content = await response.read()
                    if response.status < 300:
                        return content
                    wait = _retry_after(response)
                    fault = _fault(response, content)
            except aiohttp.ClientConnectorError:
                fault = Unavailable("The service cannot be reached.")
            except GONE as lost:
                maybe_done = maybe_done or method != "GET"
                fault = (Ambiguous if method != "GET" else Unavailable)(f"The answer was lost ({type(lost).__name__}).")
            again = _may_repeat(fault, wait, repeatable)
            if isinstance(fault, Unavailable) and fault.status is not None and method != "GET":
                maybe_done = True
            if not again or tries >= self._patience.tries or (wait or 0) > self._patience.longest_wait:
                raise _told(fault, maybe_done)
            await self._patience.sleep(wait if wait is not None else self._pause(tries))

    def _pause(self, tries: int) -> float:
        span = min(FIRST_PAUSE * 2.0 ** (tries - 1), LONGEST_PAUSE)
        factor: float = 0.5 + self._patience.chance() / 2
        return span * factor

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, object] | None = None, headers: Mapping[str, str] | None = None, silence: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer to be read piece by piece, without a limit in all; `silence` seconds without a piece are a lost connection.
        Raises `DialerError` for the beginning; while reading, `GONE` is for the caller to translate."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._patience.timeout, sock_read=silence)
        asked = self._session.get(self._base + path, params=_query(query), headers=headers, timeout=limits)
        try:
            response = await asked
        except GONE as lost:
            raise Unavailable(f"The service cannot be reached ({type(lost).__name__}).") from None
        async with response:
            if response.status >= 300:
                raise _fault(response, await response.read())
            yield response

    async def waited(self, tries: int, seconds: float | None = None) -> None:
        """Wait before try number `tries` + 1 of something that is repeated elsewhere."""
        await self._patience.sleep(self._pause(tries) if seconds is None else seconds)

    @property
    def tries(self) -> int:
        return self._patience.tries

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._open is None:
            raise RuntimeError("use the client inside `async with`")
        return self._open


def _sent(body: Mapping[str, object] | None, file: File | None, headers: Mapping[str, str]) -> dict[str, Any]:
    """What aiohttp sends, made anew for each try and the same each time, to the last byte."""
    if file is None:
        return {"json": body, "headers": headers} if body is not None else {"headers": headers}
    form = aiohttp.MultipartWriter("form-data", boundary=f"dialer-{headers.get('Idempotency-Key', '')[:48]}")
    for name, value in file.fields.items():
        form.append(value).set_content_disposition("form-data", name=name)
    part = form.append(file.content, {"Content-Type": "text/csv"})
    part.set_content_disposition("form-data", name="file", filename=file.name)
    return {"data": form, "headers": headers}


def _query(query: Mapping[str, object] | None) -> dict[str, str]:
    return {name: _text(value) for name, value in (query or {}).items() if value is not None}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    try:
        return max(float(response.headers["Retry-After"]), 0.0)
    except (KeyError, ValueError):  # also where it is a date, which our service never sends
        return None


def _may_repeat(fault: DialerError, wait: float | None, repeatable: bool) -> bool:
    match fault:
        case RateLimited():
            return True
        case Unavailable(status=None):
            return True  # never sent, or only read
        case Unavailable() | Ambiguous():
            return repeatable
        case Refused(status=409):
            return repeatable and wait is not None  # the same request is being carried out just now
    return False


def _told(fault: DialerError, maybe_done: bool) -> DialerError:
    """An outage after a try that may have had its effect is no longer "no effect"."""
    if maybe_done and isinstance(fault, Unavailable):
        return Ambiguous(f"{fault} An earlier try may have had its effect.", status=fault.status, request_id=fault.request_id)
    return fault


def _fault(response: aiohttp.ClientResponse, content: bytes) -> DialerError:
    status = response.status
    request_id = response.headers.get("X-Request-Id")
    try:
        told = json.loads(content)
        sentence = str(told["error"])
        details = told.get("details") or {}
    except (ValueError, KeyError, TypeError, AttributeError):
        sentence, details = "", {}
    if status == 400 or status == 415 or status == 422:
        return Invalid(
            sentence,
            fields=details.get("fieldErrors"),
            form=details.get("formErrors") or (),
            status=status,
            request_id=request_id,
        )
    if status == 429:
        return RateLimited(sentence, retry_after=_retry_after(response) or 1.0, request_id=request_id)
    if status >= 500:
        return Unavailable(sentence or f"The service answered {status}.", status=status, request_id=request_id)
    kind = KINDS.get(status, Unexpected)
    return kind(sentence or f"The service answered {status}.", status=status, request_id=request_id)
