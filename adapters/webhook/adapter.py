"""Any provider that takes calls over HTTP and calls back, as its operator describes it: place, hang up, find, health."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlencode

from adapters import http
from adapters.base import SAMPLE, Call, Capabilities, Health, Hook, Live, Reply, Sighting, Trace, Unsure
from adapters.errors import AdapterError, Ambiguous, PlaceError
from adapters.events import CallEvent
from adapters.session import Form, Session
from adapters.webhook import templates
from adapters.webhook.answers import among, refusal, unclear
from adapters.webhook.config import Body, Config, HangUp
from adapters.webhook.lookup import sighting
from adapters.webhook.paths import word
from adapters.webhook.templates import Values
from adapters.webhook.translate import translate

_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class WebhookAdapter:
    """One trunk to the provider that `config` describes. Used inside `async with`, by one event loop."""

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        find = config.find
        parts = find.reading.result if find else None
        can = {"hang_up": config.hang_up is not None, "result": parts is not None and bool(parts.parts)}
        asks = {hole.partition(".")[0] for hole in templates.holes(config.place.body.template)}
        self.capabilities = Capabilities(
            once=config.once,
            trace=Trace.EXACT if find and find.by_attempt else Trace.NOTHING,
            voices=config.voices,
            can=frozenset({each for each, there in can.items() if there} | (asks & {"labels", "variables"})),
            place_timeout=config.timeout,
            settle=config.settle,
            clock_tolerance=config.callback.proof.tolerance,
        )
        self._config = config
        self._session = Session(config.base_url, timeout=config.timeout, headers=config.headers)

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.__aexit__(*exc)

    async def place(self, call: Call) -> str:
        place, own = self._config.place, {"attempt": call.attempt}
        json, form = _filled(place.body, templates.values_of(call, self._callback_url(call)))
        headers = {name: line.header(own) for name, line in place.headers.items()}
        answer = await self._session.place(
            call, place.path.address(own), json=json, form=form, headers=headers, refusal=self._refused
        )
        if refused := refusal(self._config.refusals, answer):
            raise refused
        try:
            ref = word(place.id, answer.json())
        except ValueError as error:
            raise Ambiguous("the provider accepted, but its answer cannot be read") from error
        if not ref:
            raise Ambiguous("the provider accepted, but named no call")
        return ref

    async def hang_up(self, attempt: str, ref: str | None) -> None:
        how = self._config.hang_up
        if how is None:
            raise AdapterError("no hang_up is configured for this provider")
        if ref is None and "ref" in {*how.path.holes, *templates.holes(how.body.template)}:
            found = await self.find(attempt, "", None, _ANY_TIME)
            if isinstance(found, Unsure):
                raise AdapterError(f"the call to hang up is not known: {found.detail}")
            if not isinstance(found, Live):
                return
            ref = found.ref
        await self._end(how, {"attempt": attempt, "ref": ref or ""})

    async def find(self, attempt: str, to: str, ref: str | None, since: datetime) -> Sighting:
        how = self._config.find
        if how is None:
            return Unsure("no look-up is configured for this provider")
        by_ref = ref is not None and how.by_ref is not None
        line = how.by_ref if by_ref else how.by_attempt
        if line is None:
            return Unsure("no look-up by attempt is configured for this provider")
        try:
            answer = await self._session.ask("GET", line.address({"attempt": attempt, "ref": ref or ""}))
            return sighting(how, answer, attempt, ref, by_ref=by_ref, since=since)
        except (AdapterError, ValueError) as error:
            return Unsure(f"the look-up failed: {error}")

    async def events(self) -> AsyncIterator[CallEvent]:
        return
        yield  # an empty iterator: this provider calls back

    def sample(self, url: str, at: datetime) -> Hook:
        return self._config.callback.proof.sample(Hook("POST", url, {}, SAMPLE, at))

    def receive(self, hook: Hook) -> tuple[list[CallEvent], Reply]:
        self._config.callback.proof.verify(hook)
        try:
            return translate(self._config.callback, hook), Reply()
        except ValueError:
            return [], Reply(400, b"the event cannot be read")

    async def health(self) -> Health:
        path = self._config.health_path
        try:
            answer = await self._session.ask("GET", path)
        except AdapterError as error:
            return Health(False, str(error))
        well = 200 <= answer.status < 300 if path else answer.status < 500
        return Health(well, "" if well else f"the provider answers HTTP {answer.status}")

    async def _end(self, how: HangUp, own: Mapping[str, str]) -> None:
        json, form = _filled(how.body, own.__getitem__)
        answer = await self._session.ask(how.method, how.path.address(own), json=json, form=form)
        if not 200 <= answer.status < 300 and not among(how.gone, answer):
            raise AdapterError(f"the provider answered HTTP {answer.status} to a hang-up")

    def _callback_url(self, call: Call) -> str:
        """With what the callback has to say of itself in its address."""
        callback = self._config.callback
        own = {callback.attempt_query: call.attempt} if callback.attempt_query else {}
        added = {**own, **callback.proof.query}
        return f"{call.callback_url}?{urlencode(added)}" if added else call.callback_url

    def _refused(self, answer: http.Answer) -> PlaceError:
        return refusal(self._config.refusals, answer) or unclear(answer)


def _filled(body: Body, values: Values) -> tuple[Any, Form | None]:
    """JSON or form, whichever the body is."""
    if body.template is None:
        return None, None
    return (None, templates.as_form(body.template, values)) if body.form else (templates.as_json(body.template, values), None)
