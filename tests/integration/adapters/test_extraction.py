"""Asking an OpenAI-compatible endpoint over a real socket, with what such endpoints do wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from adapters.extraction.endpoint import Endpoint, Form
from adapters.extraction.errors import Away, ExtractionError, Failed
from adapters.extraction.extractor import Extractor
from adapters.extraction.fields import Extraction, Field, Found, Kind
from adapters.extraction.transcript import Transcript
from tests.support.chat import KEY, MODEL, Chat, Vice, says

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SAID = Transcript.of([{"role": "user", "text": "I wear forty-one, my canary is blue."}])
SIZE = Field("size", Kind.NUMBER, "Shoe size.", lambda v: None if isinstance(v, int) else "must be a number such as 12.5")
GOOD = says(size=(41, "I wear forty-one", 0.9))
FOUND = Extraction({"size": Found(41, "I wear forty-one", 0.9)})


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with Chat([GOOD]) as opened:
        yield opened


async def ask(chat: Chat, *, form: Form = Form.AUTO, key: str = KEY, timeout: float = 5, fields: int = 1) -> Extraction:
    wanted = [SIZE, *(Field(f"more {n}", Kind.TEXT, "", lambda v: None) for n in range(1, fields))]
    async with Endpoint(chat.url, MODEL, key, timeout=timeout, form=form) as endpoint:
        return await Extractor(endpoint, least=0.5, hints="").extract(wanted, SAID, NOON)


@pytest.mark.parametrize("form", Form)
async def test_what_was_said_is_found_by_either_form(chat: Chat, form: Form) -> None:
    assert await ask(chat, form=form) == FOUND
    [question] = chat.questions
    assert question["response_format"]["type"] == ("json_object" if form is Form.OBJECT else "json_schema")
    assert question["messages"][1]["content"].splitlines()[1] == "user: I wear forty-one, my canary is blue."


async def test_whoever_refuses_a_schema_is_asked_for_an_object_from_then_on(chat: Chat) -> None:
    chat.vice = Vice.NO_SCHEMA
    async with Endpoint(chat.url, MODEL, KEY, timeout=5) as endpoint:
        extractor = Extractor(endpoint)
        assert [await extractor.extract([SIZE], SAID, NOON) for _ in range(2)] == [FOUND, FOUND]
    assert [each["response_format"]["type"] for each in chat.questions] == ["json_object"] * 2
    with pytest.raises(Failed, match="HTTP 400"):
        await ask(chat, form=Form.SCHEMA)


async def test_a_quote_that_nobody_said_is_dropped_without_a_second_question(chat: Chat) -> None:
    chat.answers = [says(size=(41, "I wear size 41", 1))]
    assert await ask(chat) == Extraction({}, {"size": "quote_not_found"})
    assert len(chat.questions) == 1


async def test_a_wrong_type_is_repaired_in_one_turn(chat: Chat) -> None:
    chat.answers = [says(size=("forty-one", "forty-one")), GOOD]
    assert await ask(chat) == FOUND
    first, second = chat.questions
    assert second["messages"][:2] == first["messages"] and json.loads(second["messages"][2]["content"])["size"]
    assert "- size: value must be a number such as 12.5\n" in second["messages"][3]["content"]


async def test_there_is_no_second_repair(chat: Chat) -> None:
    chat.answers = [says(size=("forty-one", "forty-one"))]
    assert await ask(chat) == Extraction({}, {"size": "unfit"})
    assert len(chat.questions) == 2


async def test_what_is_no_json_is_repaired_or_fails(chat: Chat) -> None:
    chat.answers = [lambda question: "Gladly!", GOOD]
    assert await ask(chat) == FOUND
    chat.answers = [lambda question: "{"]
    with pytest.raises(Failed, match="not JSON, nor is its repair"):
        await ask(chat)
    assert len(chat.questions) == 4


async def test_a_great_many_fields_are_several_questions(chat: Chat) -> None:
    chat.answers = [GOOD, says()]
    assert await ask(chat, fields=51) == FOUND
    assert len(chat.questions) == 2


@pytest.mark.parametrize(
    ("vice", "kind", "said", "wait"),
    [
        (Vice.THROTTLE, Away, "HTTP 429", 40),
        (Vice.UNAVAILABLE, Away, "HTTP 503", None),
        (Vice.MOVED, Away, "HTTP 307", None),
        (Vice.ERROR, Failed, "HTTP 500", None),
        (Vice.DROP, Failed, "did not answer", None),
        (Vice.HUGE, Failed, "did not answer", None),
        (Vice.GARBAGE, Failed, "no chat completion", None),
        (Vice.REFUSAL, Failed, "without a text", None),
    ],
)
async def test_what_goes_wrong_is_one_quiet_error(
    chat: Chat, vice: Vice, kind: type[ExtractionError], said: str, wait: float | None
) -> None:
    chat.vice = vice
    with pytest.raises(kind, match=said) as caught:
        await ask(chat)
    assert caught.value.retry_after == wait
    assert len(chat.questions) == 1
    assert caught.value.__cause__ is None and "canary" not in str(caught.value)


async def test_a_wrong_key_is_for_a_person_to_mend(chat: Chat) -> None:
    with pytest.raises(Away, match=r"HTTP 401: check extraction\.base_url, model and api_key"):
        await ask(chat, key="sk-canary-wrong")


async def test_one_that_keeps_silent_is_left_in_time(chat: Chat) -> None:
    chat.vice = Vice.SLOW
    with pytest.raises(Failed, match="no answer in time"):
        await asyncio.wait_for(ask(chat, timeout=0.1), 5)


async def test_one_that_is_not_there_is_away(chat: Chat) -> None:
    await chat.__aexit__()
    with pytest.raises(Away, match="not reached"):
        await ask(chat)


async def look(chat: Chat, model: str = MODEL, key: str = KEY) -> str:
    async with Endpoint(chat.url, model, key, timeout=5) as endpoint:
        return await endpoint.look()


async def test_a_look_says_whether_it_has_the_model_and_asks_nothing_of_it(chat: Chat) -> None:
    assert await look(chat) == f"reachable; it has {MODEL}"
    assert await look(chat, model="another") == "reachable; it does not list another"
    chat.vice = Vice.NO_LIST
    assert "lists no models" in await look(chat)
    assert chat.questions == []


async def test_a_look_finds_what_is_for_a_person_to_mend(chat: Chat) -> None:
    with pytest.raises(Away, match=r"HTTP 401: check extraction\.base_url, model and api_key"):
        await look(chat, key="sk-canary-wrong")
    for vice, kind, said in ((Vice.UNAVAILABLE, Away, "HTTP 503"), (Vice.GARBAGE, Failed, "check extraction.base_url")):
        chat.vice = vice
        with pytest.raises(kind, match=said):
            await look(chat)
    await chat.__aexit__()
    with pytest.raises(Away, match="not reached"):
        await look(chat)
