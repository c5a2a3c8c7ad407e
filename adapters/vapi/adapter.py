"""Vapi over HTTP: place, hang up, find, health. Translation and signatures are translate.py's, the ending words endings.py's."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeAlias
from urllib.parse import quote

from adapters import http
from adapters.base import SAMPLE, Absent, Call, Capabilities, Health, Hook, Live, Once, Over, Reply, Sighting, Trace, Unsure
from adapters.errors import AdapterError, PlaceError, RateLimited, Rejected
from adapters.events import CallEvent, Fault
from adapters.numbers import CallerIds
from adapters.session import Session
from adapters.vapi import translate

SETTLE = 60.0
"""Seconds: nothing is documented of how soon a new call is in the list."""
AROUND = timedelta(minutes=10)
"""From the earliest moment at which a call may have been placed: so long a stretch is searched for it."""
PAGE = 20
"""Calls asked for at once: a record holds the whole conversation, several times."""
QUESTIONS = 100
"""The most requests of one search."""
RECORDS = 8 << 20
"""Bytes of an answer that holds records."""

Found: TypeAlias = tuple[Mapping[str, Any] | None, datetime | None]
"""A call's record, if there is one, and when Vapi told it, by its own clock."""

_OF_THE_ACCOUNT = re.compile(
    r"assistant(?!overrides)|phone ?number ?id|couldn't (find|get) phone|organi[sz]ation|wallet|credit|subscription|billing",
    re.IGNORECASE,
)
"""What a 400 complains of that is the same for every call."""


class VapiAdapter:
    """One trunk to a Vapi organisation. Used inside `async with`, by one event loop."""

    def __init__(
        self,
        name: str,
        *,
        api_key: str,
        signing_secret: str,
        base_url: str = "https://api.vapi.ai",
        credential_id: str = "",
        numbers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            once=Once.NO,
            trace=Trace.SEARCH,
            voices=frozenset({"agent"}),
            can=frozenset({"hang_up", "labels", "variables", "result"}),
            place_timeout=timeout,
            settle=SETTLE,
        )
        self._base = base_url
        self._session = Session(base_url, timeout=timeout, headers={"Authorization": f"Bearer {api_key}"})
        self._control = Session("", timeout=timeout)  # its addresses are other hosts: the key must not go there
        self._open = AsyncExitStack()
        self._secret = signing_secret
        self._credential_id = credential_id
        self._timeout = timeout
        self._caller_ids = CallerIds(numbers or {}, self._phone_numbers)

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self._session)
        await self._open.enter_async_context(self._control)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._open.aclose()

    async def place(self, call: Call) -> str:
        overrides: dict[str, Any] = {
            "variableValues": dict(call.variables),
            "metadata": {**call.labels, "attempt": call.attempt},
            "maxDurationSeconds": min(max(call.limit, 10), 43200),  # what Vapi takes
        }
        if self._credential_id:
            overrides["server"] = {"url": call.callback_url, "credentialId": self._credential_id}
            overrides["serverMessages"] = ["status-update", "end-of-call-report"]
        order = {
            "name": call.attempt,
            "assistantId": call.voice,
            "phoneNumberId": await self._caller_ids.of(call),
            "customer": {"number": call.to, "externalId": call.attempt},
            "assistantOverrides": overrides,
        }
        return http.reference(await self._session.place(call, "/call", json=order, refusal=_refused), "id")

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        """A call that waits is deleted; one that is up is ended by its control address, or deleted where it has none."""
        call = (await self._record(ref))[0] if ref else await self._recent(attempt)
        try:
            if call is None or not translate.is_live(call):
                return
            path, control = _path(call["id"]), (call.get("monitor") or {}).get("controlUrl")
        except (LookupError, TypeError, AttributeError) as error:
            raise AdapterError("Vapi's record of a call cannot be read") from error
        if control and call["status"] not in ("scheduled", "queued") and self._trusted(control):
            answer = await self._control.ask("POST", control, json={"type": "end-call"})
            if 200 <= answer.status < 300:
                return
        answer = await self._session.ask("DELETE", path)
        if not 200 <= answer.status < 300 and answer.status != 404:
            raise AdapterError(f"Vapi answered HTTP {answer.status} to a hang-up")

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        try:
            call, now = await self._record(ref) if ref else await self._search(attempt, since, since + AROUND)
            if call is None:
                return Unsure("Vapi does not know the call any more") if ref else Absent()
            if translate.is_live(call):
                return Live(str(call["id"]), answered=translate.is_answered(call))
            if call["status"] == translate.ENDED:
                return Over(str(call["id"]), translate.events_of(call, now))
            return Unsure("Vapi tells a status that says nothing")
        except (AdapterError, ValueError, LookupError, TypeError, AttributeError) as error:
            return Unsure(f"the look-up failed: {type(error).__name__}")

    async def events(self) -> AsyncIterator[CallEvent]:
        return
        yield  # an empty iterator: Vapi calls back

    def sample(self, url: str, at: datetime) -> Hook:
        timestamp = str(at.timestamp())
        headers = {translate.TIMESTAMP: timestamp, translate.SIGNATURE: translate.sign(self._secret, timestamp, SAMPLE)}
        return Hook("POST", url, headers, SAMPLE, at)

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        translate.verify(self._secret, hook)
        try:
            return translate.read(hook.body), Reply()
        except ValueError:
            return [], Reply(400, b"the message cannot be read")

    async def health(self) -> Health:
        try:
            answer = await self._session.ask("GET", "/phone-number", params={"limit": "1"})
        except AdapterError as error:
            return Health(False, str(error))
        return Health(answer.status == 200, "" if answer.status == 200 else f"Vapi answers HTTP {answer.status}")

    async def _record(self, ref: str) -> Found:
        """The call of that id, None if Vapi has none. Raises `AdapterError`."""
        answer = await self._session.ask("GET", _path(ref), longest=RECORDS)
        # An id that is not one of theirs is a 400.
        if answer.status in {400, 404}:
            return None, answer.date
        found = _json(answer, "a look-up")
        if not isinstance(found, Mapping):
            raise AdapterError("Vapi's record of a call cannot be read")
        return found, answer.date

    async def _recent(self, attempt: str) -> Mapping[str, Any] | None:
        """The attempt's call, if it was made within the last minutes by Vapi's clock. Raises `AdapterError`."""
        calls, now = await self._made({})
        newest = next((call for call in calls if translate.attempt_of(call) == attempt), None)
        if newest is not None:
            return newest
        if now is None:
            raise AdapterError("Vapi does not tell the time")
        return (await self._search(attempt, now - AROUND, now + AROUND))[0]

    async def _search(self, attempt: str, after: datetime, before: datetime) -> Found:
        """The attempt's call among those that were made between the two; None if it certainly is not one of them. The order of
        the list is not documented, so a stretch with more calls than fit an answer is halved. Raises `AdapterError`."""
        stretches, found, now = [(after, before)], None, None
        for _ in range(QUESTIONS):
            if not stretches:
                return found, now
            low, high = stretches.pop()
            calls, now = await self._made({"createdAtGe": _iso(low), "createdAtLt": _iso(high)})
            for call in calls:
                if translate.attempt_of(call) == attempt:
                    found = call
                    if call.get("status") != translate.ENDED:  # were it placed twice, the one that still rings is the one to mind
                        return found, now
            if len(calls) >= PAGE:
                middle = low + (high - low) / 2
                stretches += [(middle, high), (low, middle)]
        raise AdapterError("too many calls were made around that time to look through them")

    async def _made(self, when: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], datetime | None]:
        answer = await self._session.ask("GET", "/call", params={**when, "limit": str(PAGE)}, longest=RECORDS)
        return _objects(answer, "a search"), answer.date

    async def _phone_numbers(self, timeout: float) -> Mapping[str, str]:
        answer = await self._session.ask(
            "GET", "/phone-number", params={"limit": "1000"}, timeout=min(timeout, self._timeout), longest=RECORDS
        )
        numbers = _objects(answer, "a question for its phone numbers")
        return {str(each["number"]): str(each["id"]) for each in numbers if each.get("number") and each.get("id")}

    def _trusted(self, control: object) -> bool:
        return isinstance(control, str) and control.startswith(("https://", f"{self._base}/"))


def _path(ref: str) -> str:
    return f"/call/{quote(ref, safe='')}"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(answer: http.Answer, question: str) -> Any:
    if answer.status != 200:
        raise AdapterError(f"Vapi answered HTTP {answer.status} to {question}")
    try:
        return answer.json()
    except ValueError as error:
        raise AdapterError(f"Vapi's answer to {question} cannot be read") from error


def _objects(answer: http.Answer, question: str) -> list[Mapping[str, Any]]:
    found = _json(answer, question)
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise AdapterError(f"Vapi's answer to {question} cannot be read")
    return found


def _refused(answer: http.Answer) -> PlaceError:
    """Vapi says in words what is wrong with a request; that no slot is free, in a field."""
    found = http.refused(answer)
    try:
        said = answer.json()
        if answer.status == 400 and (said.get("subscriptionLimits") or {}).get("concurrencyBlocked") is True:
            return RateLimited("Vapi has no free slot", retry_after=found.retry_after)
        complaint = said.get("message")
    except (ValueError, AttributeError):
        return found
    complaints = complaint if isinstance(complaint, list) else [complaint]
    if answer.status == 400 and any(_OF_THE_ACCOUNT.search(str(each)) for each in complaints):
        return Rejected("Vapi refuses the assistant, the phone number or the account", fault=Fault.CONFIG, cause="http_400")
    return found
