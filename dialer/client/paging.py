"""Lists, page by page, as they are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Generic, TypeVar, cast

from dialer.client.transport import Transport

T = TypeVar("T")

PAGE: Final = 100


class Listing(Generic[T]):
    """`async for item in listing` reads pages as they are needed; `await listing.count()` is the number of all that match.

    By cursor where the service gives one, which stays exact while things are added; else by offset.
    """

    def __init__(self, transport: Transport, path: str, field: str, query: Mapping[str, object], page: int = PAGE) -> None:
        self._transport, self._path, self._field, self._query, self._page = transport, path, field, dict(query), page

    async def __aiter__(self) -> AsyncIterator[T]:
        offset, cursor = 0, None
        while True:
            at: dict[str, object] = {"cursor": cursor} if cursor else {"offset": offset} if offset else {}
            answer = await self._read({"limit": self._page, **at})
            items = cast(list[T], answer[self._field])
            for item in items:
                yield item
            offset += len(items)
            cursor = answer.get("next_cursor")
            ended = cursor is None if "next_cursor" in answer else offset >= answer["count"]
            if ended or not items:
                return

    async def count(self) -> int:
        found: int = (await self._read({"limit": 1}))["count"]
        return found

    async def first(self, limit: int) -> list[T]:
        """At most `limit` ≤ 500 of them, in one request."""
        return cast(list[T], (await self._read({"limit": limit}))[self._field])

    async def _read(self, at: Mapping[str, object]) -> dict[str, Any]:
        return await self._transport.call("GET", self._path, query={**self._query, **at})
