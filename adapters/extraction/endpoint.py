"""One question to `POST {base_url}/chat/completions`, or a look at `GET {base_url}/models`, and the one mapping from HTTP to what
it means for whoever asks.

Promises: no redirect is followed, for the key goes to nobody else; an answer is read up to a bound; no error holds a word of the
question or the answer, nor the key. Never repeats anything, but that an endpoint which refuses a JSON schema is asked once more
with `json_object`, and from then on like that.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Self

import aiohttp

from adapters import http
from adapters.extraction.errors import Away, Failed
from adapters.extraction.prompt import Message
from adapters.session import Session

LONGEST_ANSWER: Final = 1 << 20
"""Bytes."""

_BUSY: Final = frozenset({429, 502, 503, 504, 529})
_REFUSED: Final = frozenset({401, 402, 403, 404, 405, 407})
_NO_SCHEMA: Final = frozenset({400, 415, 422})
_NO_LIST: Final = frozenset({404, 405, 501})

log = logging.getLogger(__name__)


class Form(StrEnum):
    """What the answer is bound to. AUTO: the schema, unless the endpoint refuses it."""

    AUTO = "auto"
    SCHEMA = "json_schema"
    OBJECT = "json_object"


class Endpoint:
    """Used inside `async with`. `timeout`: seconds for one question; an empty `api_key`: none is sent."""

    def __init__(self, base_url: str, model: str, api_key: str = "", *, timeout: float, form: Form = Form.AUTO) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._session = Session(base_url, timeout=timeout, headers=headers)
        self._base = base_url.rstrip("/")
        self.model = model
        self._form = form

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.__aexit__(*exc)

    async def complete(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> str:
        """The answer's text. Raises `Away` or `Failed`."""
        form = Form.OBJECT if self._form is Form.OBJECT else Form.SCHEMA
        answer = await self._post(_body(self.model, messages, schema, form))
        if answer.status in _NO_SCHEMA and self._form is Form.AUTO:
            other = await self._post(_body(self.model, messages, schema, Form.OBJECT))
            if other.status == 200:
                log.info("the extraction endpoint takes no JSON schema (HTTP %d); it is asked for a JSON object", answer.status)
                self._form = Form.OBJECT
                answer = other
        return _content(answer)

    async def look(self) -> str:
        """Whether it is there, takes the key and has the model, by its list of models: nothing is asked of it. Not all have such
        a list. Raises `Away` or `Failed`."""
        answer = await self._exchange("GET", "/models")
        if answer.status in _NO_LIST:
            return f"reachable; it lists no models, so whether it has {self.model} is not known"
        body = _body_of(answer)
        try:
            has = any(each["id"] == self.model for each in json.loads(body)["data"])
        except (ValueError, LookupError, TypeError, RecursionError):
            raise Failed("the extraction endpoint's list of models is none; check extraction.base_url") from None
        return f"reachable; it {'has' if has else 'does not list'} {self.model}"

    async def _post(self, body: Mapping[str, Any]) -> http.Answer:
        return await self._exchange("POST", "/chat/completions", body)

    async def _exchange(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> http.Answer:
        try:
            async with self._session.client.request(method, self._base + path, json=body, allow_redirects=False) as response:
                return await http.read(response, LONGEST_ANSWER)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Away(f"the extraction endpoint was not reached: {http.reason(error)}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Failed(f"the extraction endpoint did not answer: {http.reason(error)}") from None


def _body(model: str, messages: Sequence[Message], schema: Mapping[str, Any], form: Form) -> dict[str, Any]:
    if form is Form.SCHEMA:
        bound = {"type": "json_schema", "json_schema": {"name": "call_fields", "strict": True, "schema": schema}}
        return {"model": model, "messages": list(messages), "response_format": bound}
    first, *rest = messages
    told = f"{first['content']}\n\nAnswer with one JSON object, and nothing else, of this JSON Schema:\n{json.dumps(schema)}"
    return {"model": model, "messages": [{**first, "content": told}, *rest], "response_format": {"type": "json_object"}}


def _body_of(answer: http.Answer) -> bytes:
    """Of an answer that is one. Raises `Away` or `Failed`."""
    detail, wait = f"the extraction endpoint answered HTTP {answer.status}", http.retry_after(answer.headers)
    if answer.status in _BUSY:
        raise Away(detail, retry_after=wait)
    if answer.status in _REFUSED or 300 <= answer.status < 400:
        raise Away(f"{detail}: check extraction.base_url, model and api_key", retry_after=wait)
    if answer.status != 200:
        raise Failed(detail, retry_after=wait)
    return answer.body


def _content(answer: http.Answer) -> str:
    body = _body_of(answer)
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Failed("the extraction endpoint's answer is no chat completion") from None
    if not isinstance(content, str):
        raise Failed("the extraction endpoint answered without a text; the model may have refused")
    return content
