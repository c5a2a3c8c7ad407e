"""Twilio over HTTP: place, hang up, find, health. Words, signatures, refusals and the search are the neighbours'."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlsplit

from adapters import http
from adapters.base import SAMPLE, Absent, Call, Capabilities, Health, Hook, Once, Over, Reply, Sighting, Trace, Unsure
from adapters.errors import AdapterError
from adapters.events import CallEvent, Phase
from adapters.options import Secret
from adapters.session import Form, Session
from adapters.twilio import search, signed, translate
from adapters.twilio.detection import Detection
from adapters.twilio.refusals import refusal
from adapters.twilio.voice import Voice, more

SETTLE = 5.0
"""Seconds until the first look-up. What it must not believe at once it doubts for `search.PATIENCE`."""
LONGEST_RING = 600
"""Seconds that the field Timeout takes."""
PAGE = 1000
"""Calls on a page of the list, the most there is."""
PAGES = 10
"""Pages of calls to one number that are read; with more the look-up cannot tell."""
TOLD = ("initiated", "ringing", "answered", "completed")
DETECTION = "detection"
"""In the callback's query: it says who picked up."""


class TwilioAdapter:
    """One trunk to a Twilio account. Used inside `async with`, by one event loop."""

    def __init__(
        self,
        name: str,
        *,
        account: str,
        token: Secret,
        authorization: Secret,
        voice: Voice,
        detection: Detection,
        base_url: str,
        timeout: float = 10.0,
        doubts: search.Doubts | None = None,
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            once=Once.NO,
            trace=Trace.SEARCH,
            voices=frozenset({voice.kind}),
            can=frozenset({"hang_up", "variables"} if voice.kind == "stream" else {"hang_up"}),
            place_timeout=timeout,
            settle=SETTLE,
        )
        self._session = Session(base_url, timeout=timeout, headers={"Authorization": authorization})
        self._path = f"/2010-04-01/Accounts/{account}"
        self._token = token
        self._voice = voice
        self._detection = detection
        self._doubts = doubts or search.Doubts()

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.__aexit__(*exc)

    async def place(self, call: Call) -> str:
        callback = more(call.callback_url, attempt=call.attempt)
        order = [
            ("To", call.to),
            ("From", call.caller_id),
            *self._voice.fields(call),
            ("Timeout", str(min(call.ring, LONGEST_RING))),
            ("TimeLimit", str(call.limit)),
            ("StatusCallback", callback + signed.OVERRIDES),
            ("StatusCallbackMethod", "POST"),
            *(("StatusCallbackEvent", event) for event in TOLD),
            *self._detection.fields(more(callback, about=DETECTION) + signed.OVERRIDES),
        ]
        answer = await self._session.place(call, f"{self._path}/Calls.json", form=order, refusal=refusal)
        return http.reference(answer, "sid")

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        """Without a `ref` there is no telling which call it is: success only if none is up at all."""
        if ref is None:
            await self._nothing_is_up()
            return
        # "canceled" ends a call that is queued or rings, "completed" one that is answered, meanwhile perhaps.
        for wanted in ("canceled", "completed"):
            answer = await self._session.ask("POST", self._of(ref), form={"Status": wanted})
            if answer.status == 404 or (answer.status == 200 and _is_over(answer)):
                return
        if answer.status == 200:
            return
        known = await self._session.ask("GET", self._of(ref))
        if known.status != 404 and not (known.status == 200 and _is_over(known)):
            raise AdapterError(f"Twilio answered HTTP {answer.status} to a hang-up")

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        try:
            if ref is not None:
                record = await self._record(ref)
                return translate.sighting(record, attempt) if record else Unsure("Twilio does not know the call any more")
            record = search.newest(await self._calls({"To": to}), to, since)
            if record is None:
                return Absent() if self._doubts.over(attempt) else Unsure("no call to this number was seen, so far")
            seen = translate.sighting(record, attempt)
            # After a call that was answered the next one is not made within seconds; any other may be the attempt's before.
            if isinstance(seen, Over) and record["status"] != "completed" and not self._doubts.over(attempt):
                return Unsure("the newest call to this number may be one from before")
            return seen
        except (AdapterError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            return Unsure(f"the look-up failed: {type(error).__name__}")

    async def events(self) -> AsyncIterator[CallEvent]:
        return
        yield  # an empty iterator: Twilio calls back

    def sample(self, url: str, at: datetime) -> Hook:
        headers = {signed.SIGNATURE: signed.sign(self._token, url, signed.form_of(SAMPLE))}
        return Hook("POST", url, headers, SAMPLE, at)

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        try:
            told = signed.fields(self._token, hook)
            query = parse_qs(urlsplit(hook.url).query)
            if "attempt" not in query:  # a call of the account's that is not ours
                return [], Reply()
            read = translate.detected if query.get("about") == [DETECTION] else translate.progress
            return read(told, query["attempt"][0], hook.received_at), Reply()
        except ValueError:
            return [], Reply(400, b"the callback cannot be read")

    async def health(self) -> Health:
        try:
            answer = await self._session.ask("GET", f"{self._path}.json")
            if answer.status != 200:
                return Health(False, f"Twilio answers HTTP {answer.status}")
            status = answer.json()["status"]
            if status != "active":
                return Health(False, f"the account is {'suspended' if status == 'suspended' else 'not active'}")
            return Health(True, await self._balance())
        except (AdapterError, ValueError, KeyError, TypeError) as error:
            return Health(False, str(error) or type(error).__name__)

    async def _balance(self) -> str:
        """In words; empty where it is not told, such as for a subaccount. One that is used up suspends the account, unless it is
        billed monthly, so the account's status alone decides."""
        answer = await self._session.ask("GET", f"{self._path}/Balance.json")
        try:
            told = answer.json() if answer.status == 200 else {}
            return f"balance {float(told['balance']):.2f} {told['currency'][:3]}"
        except (ValueError, KeyError, TypeError):
            return ""

    async def _record(self, ref: str) -> Mapping[str, Any] | None:
        """The record of a call; None if Twilio has none. Raises `AdapterError`."""
        answer = await self._session.ask("GET", self._of(ref))
        if answer.status == 404:
            return None
        return _object(answer)

    async def _calls(self, wanted: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """All calls of a list, page by page. Raises `AdapterError`, also when there are more than are read."""
        path, found = f"{self._path}/Calls.json", list[Mapping[str, Any]]()
        params: Form | None = {**wanted, "PageSize": str(PAGE)}
        for _ in range(PAGES):
            page = _object(await self._session.ask("GET", path, params=params))
            found += page["calls"]
            if not page.get("next_page_uri"):
                return found
            path, params = str(page["next_page_uri"]), None
            if not path.startswith(f"{self._path}/Calls.json?"):  # it is appended to the API's address, and gets our key
                raise AdapterError("Twilio's list goes on elsewhere")
        raise AdapterError("there are more calls to this number than a look-up reads")

    async def _nothing_is_up(self) -> None:
        # In the order in which calls go through them: one that moves on between two questions is seen by the later.
        for status in ("queued", "ringing", "in-progress"):
            page = _object(await self._session.ask("GET", f"{self._path}/Calls.json", params={"Status": status, "PageSize": "1"}))
            if page.get("calls") != []:
                raise AdapterError("Twilio cannot tell which call it is before its id is known")

    def _of(self, ref: str) -> str:
        return f"{self._path}/Calls/{quote(ref, safe='')}.json"


def _object(answer: http.Answer) -> Mapping[str, Any]:
    """The JSON object of a 200. Raises `AdapterError`."""
    if answer.status != 200:
        raise AdapterError(f"Twilio answered HTTP {answer.status} to a look-up")
    try:
        found = answer.json()
    except ValueError as error:
        raise AdapterError("Twilio's answer to a look-up cannot be read") from error
    if not isinstance(found, Mapping):
        raise AdapterError("Twilio's answer to a look-up cannot be read")
    return found


def _is_over(answer: http.Answer) -> bool:
    try:
        return translate.PHASES.get(answer.json()["status"]) is Phase.ENDED
    except (ValueError, KeyError, TypeError):
        return False
