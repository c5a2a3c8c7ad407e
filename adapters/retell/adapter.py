"""Retell over HTTP: place, hang up, find, health. Payloads and signatures are translate.py's, the ending words endings.py's."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

from adapters import http
from adapters.base import SAMPLE, Absent, Call, Capabilities, Health, Hook, Live, Once, Over, Reply, Sighting, Trace, Unsure
from adapters.errors import AdapterError, PlaceError, Rejected
from adapters.events import CallEvent, Fault
from adapters.retell import translate
from adapters.session import Session

SETTLE = 120.0
"""Seconds. The list is sorted by when calls started, and whether one that still rings is in it is not documented. Two minutes
later it has been answered or given up, by `RING`."""
RECORDS = 8 << 20
"""Bytes of an answer that holds a transcript."""
RING = (5, 115)
"""Seconds. Retell takes up to 300, but for `SETTLE`."""
LIMIT = (60, 7200)
"""Seconds that Retell takes."""

_OF_THE_ACCOUNT = re.compile(r"agent|from[_ ]?number|payment|credit|subscription|trial", re.IGNORECASE)
"""What a 400 or 422 complains of that is the same for every call."""
_DO_NOT_CALL = re.compile(r"do[_ ]?not[_ ]?call|\bdnc\b", re.IGNORECASE)


class RetellAdapter:
    """One trunk to a Retell account. Used inside `async with`, by one event loop."""

    def __init__(
        self,
        name: str,
        *,
        api_key: str,
        webhook_key: str = "",
        base_url: str = "https://api.retellai.com",
        own_webhook: bool = False,
        timeout: float = 10.0,
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            once=Once.WINDOW,
            trace=Trace.EXACT,
            voices=frozenset({"agent"}),
            can=frozenset({"hang_up", "labels", "variables", "result"}),
            place_timeout=timeout,
            settle=SETTLE,
        )
        self._session = Session(base_url, timeout=timeout, headers={"Authorization": f"Bearer {api_key}"})
        self._key = webhook_key or api_key
        self._own_webhook = own_webhook

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.__aexit__(*exc)

    async def place(self, call: Call) -> str:
        agent: dict[str, Any] = {
            "ring_duration_ms": _within(RING, call.ring) * 1000,
            "max_call_duration_ms": _within(LIMIT, call.limit) * 1000,
        }
        if not self._own_webhook:
            agent |= {"webhook_url": call.callback_url, "webhook_events": ["call_started", "call_ended", "call_analyzed"]}
        order = {
            "from_number": call.caller_id,
            "to_number": call.to,
            "override_agent_id": call.voice,
            "agent_override": {"agent": agent},
            "metadata": {**call.labels, "attempt": call.attempt},
            "retell_llm_dynamic_variables": {name: _text(value) for name, value in call.variables.items() if value is not None},
            "idempotency_key": call.attempt,
            "honor_internal_dnc": True,
        }
        return http.reference(await self._session.place(call, "/v2/create-phone-call", json=order, refusal=_refused), "call_id")

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        for one in [ref] if ref else [str(call["call_id"]) for call in await self._listed(attempt) if not _over(call)]:
            answer = await self._session.ask("POST", f"/v2/stop-call/{quote(one, safe='')}")
            if 200 <= answer.status < 300 or answer.status == 404:
                continue
            call, _ = await self._record(one)  # it may be over by now, and is refused for that
            if call is not None and not _over(call):
                raise AdapterError(f"Retell answered HTTP {answer.status} to a hang-up")

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        try:
            if ref is None:
                calls = await self._listed(attempt)
                # Were it placed twice, the one that still rings is the one to mind.
                known = next((call for call in calls if not _over(call)), calls[0] if calls else None)
                if known is None:
                    return Absent()
                ref = str(known["call_id"])
            call, now = await self._record(ref)
            if call is None:
                return Unsure("Retell does not know the call any more")
            if call["call_status"] in translate.LIVE:
                return Live(ref, answered=translate.LIVE[call["call_status"]])
            if call["call_status"] in translate.OVER:
                return Over(ref, translate.events_of(call, now))
            return Unsure("Retell tells a status that says nothing")
        except (AdapterError, ValueError, LookupError, TypeError, AttributeError) as error:
            return Unsure(f"the look-up failed: {type(error).__name__}")

    async def events(self) -> AsyncIterator[CallEvent]:
        return
        yield  # an empty iterator: Retell calls back

    def sample(self, url: str, at: datetime) -> Hook:
        signature = translate.sign(self._key, str(round(at.timestamp() * 1000)), SAMPLE)
        return Hook("POST", url, {translate.SIGNATURE: signature}, SAMPLE, at)

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        told_at = translate.verify(self._key, hook)
        try:
            return translate.read(hook.body, told_at), Reply()
        except ValueError:
            return [], Reply(400, b"the webhook cannot be read")

    async def health(self) -> Health:
        try:
            answer = await self._session.ask("GET", "/get-concurrency")
            if answer.status != 200:
                return Health(False, f"Retell answers HTTP {answer.status}")
            told = answer.json()
            used = int(told["current_concurrency"]) + int(told.get("reserved_inbound_concurrency") or 0)
            return Health(True, free=max(0, int(told["concurrency_limit"]) - used))
        except (ValueError, LookupError, TypeError, AttributeError):
            return Health(True)  # it answers; how much is free is only good to know
        except AdapterError as error:
            return Health(False, str(error))

    async def _record(self, ref: str) -> tuple[Mapping[str, Any] | None, datetime | None]:
        """The call of that id, None if Retell has none, and when that was told. Raises `AdapterError`."""
        answer = await self._session.ask("GET", f"/v2/get-call/{quote(ref, safe='')}", longest=RECORDS)
        if answer.status in {400, 404, 422}:
            return None, answer.date
        return _object(answer, "a look-up"), answer.date

    async def _listed(self, attempt: str) -> list[Mapping[str, Any]]:
        """What the list holds of the attempt's calls. Raises `AdapterError`, too, when the list was not filtered."""
        by_attempt = {"type": "string", "op": "eq", "key": "attempt", "value": attempt}
        question = {"filter_criteria": {"metadata": [by_attempt]}, "limit": 10}
        told = _object(await self._session.ask("POST", "/v3/list-calls", json=question, longest=RECORDS), "a search")
        items = told.get("items")
        if not isinstance(items, list) or not all(isinstance(each, Mapping) for each in items):
            raise AdapterError("Retell's list of calls cannot be read")
        if any(translate.attempt_of(each) != attempt for each in items):
            raise AdapterError("Retell lists calls that were not asked for")
        return items


def _over(call: Mapping[str, Any]) -> bool:
    return call.get("call_status") in translate.OVER


def _within(bounds: tuple[int, int], seconds: int) -> int:
    return min(max(seconds, bounds[0]), bounds[1])


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _object(answer: http.Answer, question: str) -> Mapping[str, Any]:
    if answer.status != 200:
        raise AdapterError(f"Retell answered HTTP {answer.status} to {question}")
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        raise AdapterError(f"Retell's answer to {question} cannot be read")
    return found


def _refused(answer: http.Answer) -> PlaceError:
    """Retell says in words what is wrong with a request."""
    found = http.refused(answer)
    if answer.status not in {400, 422}:
        return found
    try:
        complaint = str(answer.json().get("message") or "")
    except (ValueError, AttributeError):
        return found
    if _DO_NOT_CALL.search(complaint):
        return Rejected("Retell has the callee as do-not-call", fault=Fault.REQUEST, cause="do_not_call")
    if _OF_THE_ACCOUNT.search(complaint):
        return Rejected(
            "Retell refuses the agent, the caller ID or the account", fault=Fault.CONFIG, cause=f"http_{answer.status}"
        )
    return found
