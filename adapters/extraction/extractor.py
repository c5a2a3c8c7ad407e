"""The conversation: for each question an answer, and one repair turn if something in it is at fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from adapters.extraction.endpoint import Endpoint
from adapters.extraction.errors import Failed
from adapters.extraction.fields import Extraction, Field, Found
from adapters.extraction.prompt import question, repair
from adapters.extraction.reading import read, together
from adapters.extraction.schema import questions, schema
from adapters.extraction.transcript import Transcript


class Extractor:
    """`least`: how sure the model must be of a value, 0 to 1. `hints`: what the operator says of the calls."""

    def __init__(self, endpoint: Endpoint, *, least: float = 0.0, hints: str = "") -> None:
        self._endpoint = endpoint
        self._least = least
        self._hints = hints

    async def extract(self, fields: Sequence[Field], transcript: Transcript, began: datetime) -> Extraction:
        """What the transcript says about the fields. Raises `Away` or `Failed`, and then nothing is kept."""
        found: dict[str, Found] = {}
        dropped: dict[str, str] = {}
        for asked in questions(fields):
            part = await self._ask(asked, transcript, began)
            found |= part.found
            dropped |= part.dropped
        return Extraction(found, dropped)

    async def _ask(self, asked: Mapping[str, Field], transcript: Transcript, began: datetime) -> Extraction:
        messages, form = question(transcript, began, self._hints), schema(asked)
        answer = await self._endpoint.complete(messages, form)
        first = read(answer, asked, transcript, self._least)
        if not first.faults:
            return together(first, None, asked)
        again = await self._endpoint.complete([*messages, *repair(answer, first.faults)], form)
        second = read(again, asked, transcript, self._least)
        if first.unreadable and second.unreadable:
            raise Failed("the extraction endpoint's answer is not JSON, nor is its repair")
        return together(first, second, asked)
