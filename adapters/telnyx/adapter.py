"""Telnyx Call Control over HTTP: place, hang up, find, health. Events and signatures are translate.py's, errors codes.py's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote, urlencode

from nacl.signing import VerifyKey

from adapters import http
from adapters.base import Call, Capabilities, Health, Hook, Live, Once, Over, Reply, Sighting, Trace, Unsure
from adapters.errors import AdapterError
from adapters.events import CallEvent, Phase
from adapters.session import Session
from adapters.telnyx import codes, translate

TRACKS = ("inbound_track", "outbound_track", "both_tracks")
DETECTIONS = ("disabled", "detect", "premium")

LONGEST_CALL = 14_400
"""Seconds; more than Telnyx takes is asked for as this (its documentation, not verified)."""
_SETTLE = 30.0
_PAGE = "250"
_PAGES = 40
"""More calls than these pages hold are not read."""


class TelnyxAdapter:
    """One Call Control application. Used inside `async with`, by one event loop. `public_key`: the account's 32 bytes."""

    def __init__(
        self,
        name: str,
        *,
        api_key: str,
        public_key: bytes,
        connection_id: str,
        stream_url: str = "",
        stream_track: str = TRACKS[0],
        detection: str = DETECTIONS[0],
        base_url: str = "https://api.telnyx.com",
        timeout: float = 10.0,
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            once=Once.WINDOW,
            trace=Trace.SEARCH,
            voices=frozenset({"stream" if stream_url else "agent"}),
            can=frozenset({"hang_up"} | ({"amd"} if detection != DETECTIONS[0] else set())),
            place_timeout=timeout,
            settle=_SETTLE,
        )
        self._session = Session(base_url, timeout=timeout, headers={"Authorization": f"Bearer {api_key}"})
        self._key = VerifyKey(public_key)
        self._connection = connection_id
        self._stream_url, self._stream_track = stream_url, stream_track
        self._detection = detection

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.__aexit__(*exc)

    async def place(self, call: Call) -> str:
        order = {
            "connection_id": self._connection,
            "to": call.to,
            "from": call.caller_id,
            "command_id": call.attempt,
            "client_state": translate.client_state(call.attempt),
            "timeout_secs": call.ring,
            "time_limit_secs": min(call.limit, LONGEST_CALL),
            **self._voice(call),
        }
        if self._detection != DETECTIONS[0]:
            order["answering_machine_detection"] = self._detection
        if call.callback_url:
            order |= {"webhook_url": call.callback_url, "webhook_url_method": "POST"}
        answer = await self._session.place(call, "/v2/calls", json=order, refusal=codes.refused)
        return http.reference(answer, "data", "call_control_id")

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        for one in [ref] if ref else await self._live(attempt):
            answer = await self._session.ask("POST", f"{_path(one)}/actions/hangup", json={})
            if answer.status != 200 and not codes.gone(answer):
                raise AdapterError(f"Telnyx answered HTTP {answer.status} to a hang-up")

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        try:
            live = [] if ref else await self._live(attempt)
            told = await self._told(attempt, to, since)
            # Were it placed twice, the one that still rings is the one to mind.
            ref = ref or next(iter([*live, *(event.ref for event in told)]), None)
            if ref is None:
                return Unsure("no call of this attempt is seen, which does not prove that there is none")
            events = tuple(event for event in told if event.ref == ref)
            phases = {event.phase for event in events}
            if Phase.ENDED in phases:
                return Over(ref, events)
            if not await self._alive(ref):
                return Unsure("the call does not live, and nothing is told of its end")
            if not events:
                return Unsure("the call lives, but nothing tells whether it was answered")
            return Live(ref, answered=not phases.isdisjoint({Phase.ANSWERED, Phase.CLASSIFIED}))
        except AdapterError as error:
            return Unsure(f"the look-up failed: {error}")

    async def events(self) -> AsyncIterator[CallEvent]:
        return
        yield  # an empty iterator: Telnyx calls back

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        translate.verify(self._key, hook)
        try:
            return translate.read(hook.body), Reply()
        except ValueError:
            return [], Reply(400, b"the event cannot be read")

    async def health(self) -> Health:
        try:
            await self._listed(self._active_calls, {"page[limit]": "1"})
        except AdapterError as error:
            return Health(False, str(error))
        return Health(True)

    @property
    def _active_calls(self) -> str:
        return f"/v2/connections/{quote(self._connection, safe='')}/active_calls"

    def _voice(self, call: Call) -> Mapping[str, Any]:
        if not self._stream_url:
            return {"assistant": {"id": call.voice}}
        named = urlencode({"attempt": call.attempt, "voice": call.voice})
        return {
            "stream_url": f"{self._stream_url}{'&' if '?' in self._stream_url else '?'}{named}",
            "stream_track": self._stream_track,
            "stream_bidirectional_mode": "rtp",
        }

    async def _live(self, attempt: str) -> list[str]:
        """The ids of the attempt's calls that are not over. Raises `AdapterError`."""
        state, found, after = translate.client_state(attempt), list[str](), ""
        for _ in range(_PAGES):
            calls, after = await self._listed(
                self._active_calls, {"page[limit]": _PAGE, **({"page[after]": after} if after else {})}
            )
            found += [str(call.get("call_control_id", "")) for call in calls if call.get("client_state") == state]
            if not after:
                return found
        raise AdapterError("Telnyx lists more calls than are read")

    async def _told(self, attempt: str, to: str, since: datetime) -> list[CallEvent]:
        """What Telnyx's records tell of the attempt, with each fact once. Raises `AdapterError`."""
        asked = {
            "filter[to]": to,
            "filter[occurred_at][gte]": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "page[size]": _PAGE,
        }
        records, _ = await self._listed("/v2/call_events", asked)
        try:
            told = [event for record in records for event in translate.recorded(record)]
        except ValueError as error:
            raise AdapterError("a record of an event cannot be read") from error
        return list({event.key: event for event in told if event.attempt == attempt}.values())

    async def _alive(self, ref: str) -> bool:
        answer = await self._session.ask("GET", _path(ref))
        if answer.status == 404:
            return False
        call = _read(answer).get("data")
        if not isinstance(call, Mapping) or not isinstance(call.get("is_alive"), bool):
            raise AdapterError("Telnyx does not say whether the call lives")
        return call["is_alive"] is True

    async def _listed(self, path: str, params: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str]:
        """One page of a list, and where the next one begins ("" for none). Raises `AdapterError`."""
        said = _read(await self._session.ask("GET", path, params=params))
        data, meta = said.get("data"), said.get("meta")
        if not isinstance(data, list) or not all(isinstance(each, Mapping) for each in data):
            raise AdapterError("Telnyx's answer holds no list")
        cursors = meta.get("cursors") if isinstance(meta, Mapping) else None
        after = cursors.get("after") if isinstance(cursors, Mapping) else None
        return data, after if isinstance(after, str) else ""


def _read(answer: http.Answer) -> Mapping[str, Any]:
    """Raises `AdapterError` unless the answer is 200 and an object."""
    if answer.status != 200:
        raise AdapterError(f"Telnyx answered HTTP {answer.status}")
    try:
        said = answer.json()
    except ValueError as error:
        raise AdapterError(str(error)) from error
    if not isinstance(said, Mapping):
        raise AdapterError("Telnyx's answer is no object")
    return said


def _path(ref: str) -> str:
    return f"/v2/calls/{quote(ref, safe='')}"
