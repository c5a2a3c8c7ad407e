"""An endpoint of OpenAI's chat completions that does not exist: as strict as the real one, with vices on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Self, TypeAlias

from aiohttp import web

from dialer.settings import Extraction, Settings

KEY = "sk-canary-of-the-tests"
MODEL = "reader-1"

Content: TypeAlias = Callable[[Mapping[str, Any]], str]
"""Question → the answer's text."""


class Vice(Enum):
    SLOW = auto()
    """Answers when `hurry` is set."""
    THROTTLE = auto()
    ERROR = auto()
    UNAVAILABLE = auto()
    NO_SCHEMA = auto()
    """Refuses `json_schema`, as one that has never heard of it."""
    HUGE = auto()
    GARBAGE = auto()
    """No chat completion."""
    REFUSAL = auto()
    MOVED = auto()
    NO_LIST = auto()
    """Knows no list of models."""
    DROP = auto()
    """Closes the connection without a word."""


def settings(chat: Chat, **more: Any) -> Settings:
    """Of a dialer that asks it."""
    given = {"base_url": chat.url, "model": MODEL, "api_key": KEY, "timeout_seconds": 5, **more}
    return Settings(extraction=Extraction.model_validate(given))


def says(**found: Any) -> Content:
    """An answer that finds these: name → (value, quote) or (value, quote, confidence); the other fields are null."""

    def content(question: Mapping[str, Any]) -> str:
        whole = dict.fromkeys(asked(question))
        parts = {name: dict(zip(("value", "quote", "confidence"), (*each, 0.9)[:3], strict=True)) for name, each in found.items()}
        return json.dumps(whole | parts)

    return content


def asked(question: Mapping[str, Any]) -> list[str]:
    """The properties that a question wants."""
    form = question["response_format"]
    if form["type"] == "json_schema":
        return list(form["json_schema"]["schema"]["properties"])
    return list(json.loads(question["messages"][0]["content"].rpartition("JSON Schema:\n")[2])["properties"])


@dataclass
class Chat:
    """Used inside `async with`; listens at `url`. `answers` are given one after the other, the last one for ever."""

    answers: list[Content] = field(default_factory=lambda: [says()])
    vice: Vice | None = None
    questions: list[dict[str, Any]] = field(default_factory=list)
    at_once: int = 0
    most: int = 0
    port: int = 0

    async def __aenter__(self) -> Self:
        self.hurry = asyncio.Event()
        self._came = asyncio.Condition()
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._list)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.hurry.set()
        await self._runner.cleanup()

    async def until(self, count: int, timeout: float = 10) -> None:
        """Return once so many questions have come."""
        async with asyncio.timeout(timeout), self._came:
            await self._came.wait_for(lambda: len(self.questions) >= count)

    async def _list(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": "Incorrect API key"}}, status=401)
        match self.vice:
            case Vice.NO_LIST:
                return web.json_response({"detail": "Not Found"}, status=404)
            case Vice.GARBAGE:
                return web.Response(body=b"<html>hello</html>")
            case Vice.UNAVAILABLE:
                return web.Response(status=503)
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": "Incorrect API key"}}, status=401)
        question = await request.json()
        if (fault := _fault(question)) or (self.vice is Vice.NO_SCHEMA and question["response_format"]["type"] == "json_schema"):
            return web.json_response({"error": {"message": fault or "unknown response_format"}}, status=400)
        async with self._came:
            self.questions.append(question)
            self._came.notify_all()
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        if self.vice is Vice.DROP and request.transport:
            request.transport.abort()
        try:
            return await self._answer(question)
        finally:
            self.at_once -= 1

    async def _answer(self, question: Mapping[str, Any]) -> web.StreamResponse:
        match self.vice:
            case Vice.THROTTLE:
                return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "40"})
            case Vice.ERROR:
                return web.json_response({"error": {"message": "internal"}}, status=500)
            case Vice.UNAVAILABLE:
                return web.Response(status=503)
            case Vice.HUGE:
                return web.Response(body=b" " * (1 << 21), content_type="application/json")
            case Vice.GARBAGE:
                return web.Response(body=b"<html>hello</html>")
            case Vice.MOVED:
                return web.Response(status=307, headers={"Location": "/v1/chat/completions"})
            case Vice.SLOW:
                await self.hurry.wait()
        content = None if self.vice is Vice.REFUSAL else self._next()(question)
        message = {"role": "assistant", "content": content, "refusal": "No." if content is None else None}
        return web.json_response({"object": "chat.completion", "choices": [{"index": 0, "message": message}]})

    def _next(self) -> Content:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def _fault(question: Any) -> str | None:
    """What a strict endpoint finds wrong with a question."""
    if question.get("model") != MODEL or set(question) != {"model", "messages", "response_format"}:
        return "model or keys"
    messages = question["messages"]
    if [each["role"] for each in messages] not in (["system", "user"], ["system", "user", "assistant", "user"]):
        return "roles"
    form = question["response_format"]
    if form == {"type": "json_object"}:
        return None if "JSON" in messages[0]["content"] else "the word JSON is missing"
    wrapped = form["json_schema"]
    strict = form["type"] == "json_schema" and wrapped["strict"] is True and wrapped["name"].isidentifier()
    return None if strict and is_strict(wrapped["schema"]) else "schema"


def is_strict(schema: Any) -> bool:
    """Whether a schema is one of strict structured output: every object closed, with all its properties required."""
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object":
        if schema["additionalProperties"] is not False or schema["required"] != list(schema["properties"]):
            return False
        return all(map(is_strict, schema["properties"].values()))
    return all(is_strict(each) for name, each in schema.items() if name != "enum")
