"""An adapter's HTTP client: one pool of connections per trunk, for placements, look-ups and hang-ups.

Promises: no cookies, no redirects (they would carry the key elsewhere), answers of bounded size, and errors that name neither
addresses nor bodies, for both hold numbers and keys. Placements go out through `http.post_once`, once.
Connections are not opened before they are needed: one that is idle is closed after `KEEP_ALIVE`, so they would be cold again when
a campaign starts.
"""

from __future__ import annotations

import base64
import json as json_text
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeAlias
from urllib.parse import urlencode

import aiohttp

from adapters import http, witness
from adapters.base import Call
from adapters.errors import AdapterError, PlaceError

KEEP_ALIVE = 15.0
"""Seconds an idle connection is kept: shorter than servers keep theirs, so that a call seldom meets one that is just closing."""
CONNECTIONS = 256
"""At once, per trunk and process."""

Form: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]
"""The fields of a form; a name may come more than once in a sequence."""


def basic(user: str, password: str) -> str:
    """The `Authorization` header of basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Session:
    """Used inside `async with`, by one event loop. `base_url` is what paths are appended to; `headers` go with each request;
    `timeout` is seconds for one request, placements too."""

    def __init__(self, base_url: str, *, timeout: float, headers: Mapping[str, str] | None = None) -> None:
        self._base = base_url.rstrip("/")
        self._headers = dict(headers or {})
        self._timeout = timeout
        self._open: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._open = aiohttp.ClientSession(
            headers=self._headers,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()

    @property
    def client(self) -> aiohttp.ClientSession:
        """For what is no request, such as a WebSocket. Raises `RuntimeError` outside `async with`."""
        if self._open is None:
            raise RuntimeError("the adapter is used outside `async with`")
        return self._open

    async def place(
        self,
        call: Call,
        path: str,
        *,
        json: Any = None,
        form: Form | None = None,
        headers: Mapping[str, str] | None = None,
        refusal: Callable[[http.Answer], PlaceError] = http.refused,
    ) -> http.Answer:
        """Transmit one placement, with a body of `json` or `form`, by `http.post_once`: its 2xx answer, or its errors."""
        body, content_type = _body(json, form)
        return await http.post_once(
            self.client,
            self._base + path,
            body=body or b"",
            content_type=content_type,
            headers=headers,
            timeout=self._timeout,
            start_before=call.start_before,
            departure=call.departure,
            refusal=refusal,
        )

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Form | None = None,
        json: Any = None,
        form: Form | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        longest: int = http.LONGEST_ANSWER,
    ) -> http.Answer:
        """One request that places nothing; its answer, whatever the status. What a path is made of must be quoted
        (`urllib.parse.quote(ref, safe="")`). `timeout` in seconds and `longest` in bytes of the answer, where they shall differ.
        Raises `AdapterError` when no whole answer came. Never for placements."""
        body, content_type = _body(json, form)
        client = self.client
        seen = witness.asks(self._base)
        try:
            async with client.request(
                method,
                self._base + path,
                params=params,
                data=body,
                headers={**(headers or {}), **({} if body is None else {"Content-Type": content_type})},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout or self._timeout),
            ) as response:
                answer = await http.read(response, longest)
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            raise AdapterError(f"the carrier could not be asked: {http.reason(error)}") from error
        if seen is not None:
            seen.answered(answer.status, answer.date)
        return answer


def _body(json: Any, form: Form | None) -> tuple[bytes | None, str]:
    if form is not None:
        return urlencode(list(form.items()) if isinstance(form, Mapping) else form).encode(), "application/x-www-form-urlencoded"
    return None if json is None else json_text.dumps(json).encode(), "application/json"
