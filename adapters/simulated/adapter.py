"""The simulated carrier over HTTP: place, hang up, find, health. Translation and signatures are translate.py's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from adapters import http
from adapters.base import Absent, Call, Capabilities, Health, Hook, Live, Once, Over, Reply, Sighting, Trace, Unsure
from adapters.errors import AdapterError, Ambiguous, PlaceError, RateLimited, Rejected
from adapters.events import CallEvent, Fault
from adapters.simulated import translate

_SETTLE = 2.0
_KEEP_ALIVE = 15.0
"""Seconds an idle connection is kept: shorter than servers keep theirs, so that a call seldom meets one that is just closing."""


class SimulatedAdapter:
    """One trunk to a simulated carrier. Used inside `async with`, by one event loop."""

    def __init__(self, name: str, *, base_url: str, api_key: str, signing_secret: str, timeout: float = 5.0) -> None:
        self.name = name
        self.capabilities = Capabilities(
            once=Once.NO,
            trace=Trace.EXACT,
            voices=frozenset({"agent"}),
            can=frozenset({"hang_up", "labels", "variables", "result"}),
            place_timeout=timeout,
            settle=_SETTLE,
        )
        self._calls = base_url.rstrip("/") + "/calls"
        self._healthz = base_url.rstrip("/") + "/healthz"
        self._authorization = {"Authorization": f"Bearer {api_key}"}
        self._secret = signing_secret
        self._timeout = timeout
        self._open: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._open = aiohttp.ClientSession(
            headers=self._authorization,
            connector=aiohttp.TCPConnector(limit=256, keepalive_timeout=_KEEP_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()

    async def place(self, call: Call) -> str:
        order = {
            "attempt": call.attempt,
            "to": call.to,
            "from": call.caller_id,
            "voice": call.voice,
            "ring_seconds": call.ring,
            "limit_seconds": call.limit,
            "callback_url": call.callback_url,
            "labels": dict(call.labels),
            "variables": dict(call.variables),
        }
        answer = await http.post_once(
            self._session,
            self._calls,
            body=json.dumps(order).encode(),
            timeout=self._timeout,
            start_before=call.start_before,
            departure=call.departure,
            refusal=_refused,
        )
        try:
            ref = answer.json()["id"]
        except (ValueError, KeyError, TypeError) as error:
            raise Ambiguous("the carrier accepted, but its answer cannot be read") from error
        if not isinstance(ref, str) or not ref:
            raise Ambiguous("the carrier accepted, but named no call")
        return ref

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        try:
            refs = [ref] if ref else [call["id"] for call in await self._known_calls(attempt, None)]
            for one in refs:
                async with self._session.post(f"{self._calls}/{quote(one, safe='')}/hangup") as response:
                    if response.status not in {200, 404}:
                        raise AdapterError(f"the carrier answered HTTP {response.status} to a hang-up")
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
            raise AdapterError(f"the carrier could not be asked to hang up: {type(error).__name__}") from error

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        try:
            calls = await self._known_calls(attempt, ref)
            # Were it placed twice, the one that still rings is the one to mind.
            call = next((one for one in calls if not one["over"]), calls[0] if calls else None)
            if call is None:
                return Absent()
            if not call["over"]:
                return Live(call["id"], answered=bool(call["answered"]))
            return Over(call["id"], tuple(event for payload in call["events"] for event in translate.translate(payload)))
        except (AdapterError, aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as error:
            return Unsure(f"the look-up failed: {type(error).__name__}")

    async def events(self) -> AsyncIterator[CallEvent]:
        return
        yield  # an empty iterator: this carrier calls back

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        translate.verify(self._secret, hook)
        try:
            return translate.read(hook.body), Reply()
        except ValueError:
            return [], Reply(400, b"the event cannot be read")

    async def health(self) -> Health:
        try:
            async with self._session.get(self._healthz) as response:
                if response.status != 200:
                    return Health(False, f"the carrier answers HTTP {response.status}")
                free = (await response.json()).get("free")
        except (aiohttp.ClientError, OSError, ValueError, AttributeError) as error:
            return Health(False, f"the carrier is not reached: {type(error).__name__}")
        return Health(True, free=free if isinstance(free, int) else None)

    async def _known_calls(self, attempt: str, ref: str | None) -> list[Mapping[str, Any]]:
        """The carrier's records of one attempt; by `ref` when it has one, else by the attempt id."""
        address = f"{self._calls}/{quote(ref, safe='')}" if ref else self._calls
        async with self._session.get(address, params=None if ref else {"attempt": attempt}) as response:
            # 404 for a ref is an error too: the carrier once had that call, so it is not absent, only forgotten.
            if response.status != 200:
                raise AdapterError(f"the carrier answered HTTP {response.status} to a look-up")
            found = await response.json()
        return [found] if ref else list(found["calls"])

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._open is None:
            raise RuntimeError(f"the adapter {self.name!r} is used outside `async with`")
        return self._open


def _refused(answer: http.Answer) -> PlaceError:
    """This carrier names the reason of a refusal, and the seconds to wait more finely than a header can."""
    try:
        said = answer.json()
        error = said["error"]
    except (ValueError, KeyError, TypeError):
        return http.refused(answer)
    if answer.status == 400 and error == "invalid_number":
        return Rejected("the carrier calls the number invalid", fault=Fault.NUMBER, cause=error)
    if answer.status == 429 and isinstance(said.get("retry_after"), int | float):
        return RateLimited("the carrier asked to slow down", retry_after=float(said["retry_after"]))
    return http.refused(answer)
