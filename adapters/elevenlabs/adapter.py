"""ElevenLabs' agents over HTTP: place and find. Payloads and signatures are translate.py's. There is no way to end a call."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self
from urllib.parse import quote

from adapters import http
from adapters.base import SAMPLE, Absent, Call, Capabilities, Health, Hook, Live, Once, Over, Reply, Sighting, Trace, Unsure
from adapters.elevenlabs import translate
from adapters.errors import AdapterError, PlaceError, Rejected
from adapters.events import CallEvent, Fault
from adapters.numbers import CallerIds
from adapters.session import Session

PATHS = {"twilio": "/v1/convai/twilio/outbound-call", "sip_trunk": "/v1/convai/sip-trunk/outbound-call"}
"""By what a phone number is connected with."""
RING = (5, 115)
"""Seconds. For `SETTLE`."""
SETTLE = 120.0
"""Seconds. Whether the list shows a conversation while its phone rings is not documented. Two minutes later it was answered or
given up, by `RING`."""
RECORDS = 8 << 20
"""Bytes of an answer that holds a transcript."""

_CONVERSATIONS = "/v1/convai/conversations"
_OF_THE_ACCOUNT = re.compile(r"agent|phone[_ ]number[_ ](id|not)|quota|credit|subscription|workspace", re.IGNORECASE)
"""What a 400 or 422 complains of that is the same for every call."""


class Line(NamedTuple):
    """A phone number as ElevenLabs knows it."""

    id: str
    path: str


class ElevenLabsAdapter:
    """One trunk to an ElevenLabs workspace. Used inside `async with`, by one event loop."""

    def __init__(
        self,
        name: str,
        *,
        api_key: str,
        signing_secret: str,
        base_url: str = "https://api.elevenlabs.io",
        numbers: Mapping[str, str] | None = None,
        telephony: str = "twilio",
        timeout: float = 10.0,
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            once=Once.NO,
            trace=Trace.EXACT,
            voices=frozenset({"agent"}),
            can=frozenset({"labels", "variables", "result"}),
            place_timeout=timeout,
            settle=SETTLE,
            clock_tolerance=translate.TOLERANCE,
        )
        self._session = Session(base_url, timeout=timeout, headers={"xi-api-key": api_key})
        self._secret = signing_secret
        self._timeout = timeout
        self._audio = f"{base_url}{_CONVERSATIONS}/{{}}/audio"
        lines = {number: Line(known, PATHS[telephony]) for number, known in (numbers or {}).items()}
        self._caller_ids = CallerIds(lines, self._lines)

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.__aexit__(*exc)

    async def place(self, call: Call) -> str:
        line = await self._caller_ids.of(call)
        variables = {name: value for name, value in call.variables.items() if value is not None}
        order = {
            "agent_id": call.voice,
            "agent_phone_number_id": line.id,
            "to_number": call.to,
            "conversation_initiation_client_data": {
                "user_id": call.attempt,
                "dynamic_variables": {**variables, **call.labels, "attempt": call.attempt},
            },
            "telephony_call_config": {"ringing_timeout_secs": min(max(call.ring, RING[0]), RING[1])},
        }
        return http.reference(await self._session.place(call, line.path, json=order, refusal=_refused), "conversation_id")

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        call, _ = await self._known(attempt, ref)
        if call is not None and call.get("status") not in translate.OVER:
            raise AdapterError("ElevenLabs has no way to end a call")

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        try:
            call, now = await self._known(attempt, ref)
            if call is None:
                return Unsure("ElevenLabs does not know the conversation any more") if ref else Absent()
            if translate.attempt_of(call) != attempt:
                return Unsure("ElevenLabs tells of a conversation that was not asked for")
            found = str(call["conversation_id"])
            if translate.is_left_over(call, now, RING[1] + SETTLE):
                return Unsure("ElevenLabs calls a conversation initiated whose phone cannot ring any more")
            if call["status"] in translate.LIVE:
                return Live(found, answered=translate.LIVE[call["status"]])
            if call["status"] in translate.OVER:
                return Over(found, translate.events_of(call, self._audio))
            return Unsure("ElevenLabs tells a status that says nothing")
        except (AdapterError, ValueError, LookupError, TypeError, AttributeError) as error:
            return Unsure(f"the look-up failed: {type(error).__name__}")

    async def events(self) -> AsyncIterator[CallEvent]:
        return
        yield  # an empty iterator: ElevenLabs calls back

    def sample(self, url: str, at: datetime) -> Hook:
        signature = translate.sign(self._secret, str(int(at.timestamp())), SAMPLE)
        return Hook("POST", url, {translate.SIGNATURE: signature}, SAMPLE, at)

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        translate.verify(self._secret, hook)
        try:
            return translate.read(hook.body, self._audio), Reply(200)
        except ValueError:
            return [], Reply(400, b"the webhook cannot be read")

    async def health(self) -> Health:
        try:
            answer = await self._session.ask("GET", _CONVERSATIONS, params={"page_size": "1"}, longest=RECORDS)
        except AdapterError as error:
            return Health(False, str(error))
        return Health(answer.status == 200, "" if answer.status == 200 else f"ElevenLabs answers HTTP {answer.status}")

    async def _known(self, attempt: str, ref: str | None) -> tuple[Mapping[str, Any] | None, datetime | None]:
        """The conversation of that id, else of that attempt, None if there is none; and when that was told. Raises
        `AdapterError`."""
        if ref is None and (ref := await self._listed(attempt)) is None:
            return None, None
        answer = await self._session.ask("GET", f"{_CONVERSATIONS}/{quote(ref, safe='')}", longest=RECORDS)
        if answer.status in {400, 404, 422}:
            return None, answer.date
        found = _json(answer, "a look-up")
        if not isinstance(found, Mapping):
            raise AdapterError("ElevenLabs' record of a conversation cannot be read")
        return found, answer.date

    async def _listed(self, attempt: str) -> str | None:
        """The id of the attempt's conversation. Raises `AdapterError`."""
        answer = await self._session.ask("GET", _CONVERSATIONS, params={"user_id": attempt, "page_size": "10"}, longest=RECORDS)
        try:
            found = [(str(each["conversation_id"]), each["status"]) for each in _json(answer, "a search")["conversations"]]
        except (LookupError, TypeError) as error:
            raise AdapterError("ElevenLabs' list of conversations cannot be read") from error
        # Were it placed twice, the one that still rings is the one to mind.
        return next((ref for ref, status in found if status not in translate.OVER), found[0][0] if found else None)

    async def _lines(self, timeout: float) -> Mapping[str, Line]:
        answer = await self._session.ask("GET", "/v1/convai/phone-numbers", timeout=min(timeout, self._timeout), longest=RECORDS)
        try:
            return {
                str(each["phone_number"]): Line(str(each["phone_number_id"]), PATHS[each["provider"]])
                for each in _json(answer, "a question for its phone numbers")
                if each.get("provider") in PATHS
            }
        except (LookupError, TypeError, AttributeError) as error:
            raise AdapterError("ElevenLabs' list of phone numbers cannot be read") from error


def _json(answer: http.Answer, question: str) -> Any:
    if answer.status != 200:
        raise AdapterError(f"ElevenLabs answered HTTP {answer.status} to {question}")
    try:
        return answer.json()
    except ValueError as error:
        raise AdapterError(f"ElevenLabs' answer to {question} cannot be read") from error


def _refused(answer: http.Answer) -> PlaceError:
    """ElevenLabs says in words what is wrong with a request."""
    found = http.refused(answer)
    if answer.status in {400, 422}:
        try:
            detail = answer.json().get("detail")
        except (ValueError, AttributeError):
            return found
        complaints = [detail] if isinstance(detail, Mapping) else detail if isinstance(detail, list) else []
        texts = [
            f"{each.get('loc')} {each.get('status')} {each.get('message')}" for each in complaints if isinstance(each, Mapping)
        ]
        if any(_OF_THE_ACCOUNT.search(text) for text in [*texts, detail if isinstance(detail, str) else ""]):
            cause = f"http_{answer.status}"
            return Rejected("ElevenLabs refuses the agent, the phone number or the account", fault=Fault.CONFIG, cause=cause)
    return found
