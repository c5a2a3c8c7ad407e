"""The simulated carrier over HTTP: place, hang up, find, health. Translation and signatures are translate.py's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

from adapters import http
from adapters.base import SAMPLE, Absent, Call, Capabilities, Health, Hook, Live, Once, Over, Reply, Sighting, Trace, Unsure
from adapters.errors import AdapterError, PlaceError, RateLimited, Rejected
from adapters.events import CallEvent, Fault
from adapters.session import Session
from adapters.simulated import translate

_SETTLE = 2.0


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
        self._session = Session(base_url, timeout=timeout, headers={"Authorization": f"Bearer {api_key}"})
        self._secret = signing_secret

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.__aexit__(*exc)

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
        answer = await self._session.place(call, "/calls", json=order, refusal=_refused)
        return http.reference(answer, "id")

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        for one in [ref] if ref else [call["id"] for call in await self._known_calls(attempt, None)]:
            answer = await self._session.ask("POST", f"{_path(one)}/hangup")
            if answer.status not in {200, 404}:
                raise AdapterError(f"the carrier answered HTTP {answer.status} to a hang-up")

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
        except (AdapterError, ValueError, KeyError, TypeError) as error:
            return Unsure(f"the look-up failed: {type(error).__name__}")

    async def events(self) -> AsyncIterator[CallEvent]:
        return
        yield  # an empty iterator: this carrier calls back

    def sample(self, url: str, at: datetime) -> Hook:
        timestamp = str(at.timestamp())
        headers = {translate.TIMESTAMP: timestamp, translate.SIGNATURE: translate.sign(self._secret, timestamp, SAMPLE)}
        return Hook("POST", url, headers, SAMPLE, at)

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        translate.verify(self._secret, hook)
        try:
            return translate.read(hook.body), Reply()
        except ValueError:
            return [], Reply(400, b"the event cannot be read")

    async def health(self) -> Health:
        try:
            answer = await self._session.ask("GET", "/healthz")
            free = answer.json().get("free") if answer.status == 200 else None
            if answer.status == 200:  # that answers anybody; whether our key is right, a look-up tells
                answer = await self._session.ask("GET", "/calls", params={"attempt": "none"})
        except (AdapterError, ValueError, AttributeError) as error:
            return Health(False, str(error) or type(error).__name__)
        if answer.status != 200:
            return Health(False, f"the carrier answers HTTP {answer.status}")
        return Health(True, free=free if isinstance(free, int) else None)

    async def _known_calls(self, attempt: str, ref: str | None) -> list[Mapping[str, Any]]:
        """The carrier's records of one attempt; by `ref` when it has one, else by the attempt id. Raises `AdapterError`."""
        answer = await self._session.ask("GET", _path(ref) if ref else "/calls", params=None if ref else {"attempt": attempt})
        # 404 for a ref is an error too: the carrier once had that call, so it is not absent, only forgotten.
        if answer.status != 200:
            raise AdapterError(f"the carrier answered HTTP {answer.status} to a look-up")
        try:
            found = answer.json()
            return [found] if ref else [each for each in found["calls"] if each["id"]]
        except (ValueError, KeyError, TypeError) as error:
            raise AdapterError("the carrier's answer to a look-up cannot be read") from error


def _path(ref: str) -> str:
    return f"/calls/{quote(ref, safe='')}"


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
