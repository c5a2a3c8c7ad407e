"""What every collection of things can do: create, get, list, update, delete."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

from dialer.client.errors import Unavailable
from dialer.client.paging import Listing
from dialer.client.transport import GONE, Transport

T = TypeVar("T")

SILENCE = 60.0
"""Seconds without a byte after which a streamed file counts as cut off."""


def part(id: str) -> str:
    """An id as one part of an address."""
    return quote(id, safe="")


def given(fields: Mapping[str, object]) -> dict[str, object]:
    """Fields in the contract's camelCase; both spellings are fine. None is sent as null, which clears."""
    return {camel(name): value for name, value in fields.items()}


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


class Resource:
    def __init__(self, transport: Transport, team_id: str) -> None:
        self._transport, self._team = transport, team_id

    async def _post(self, path: str, body: Mapping[str, object], idempotency_key: str | None = None) -> dict[str, Any]:
        return await self._transport.call("POST", path, body=body, idempotency_key=idempotency_key)

    async def _download(self, path: str, query: Mapping[str, object] | None = None) -> AsyncIterator[bytes]:
        """A file in pieces. Raises Unavailable when it is cut off; what came before it is not the whole."""
        async with self._transport.stream(path, query=query, silence=SILENCE) as response:
            try:
                async for piece in response.content.iter_any():
                    yield piece
            except GONE as lost:
                raise Unavailable(f"The file was cut off ({type(lost).__name__}); read it again from the start.") from None


class Collection(Resource, Generic[T]):
    """`path` below /api/crm; `one` and `many` as the answers name them."""

    path: str
    one: str
    many: str

    async def create(self, *, idempotency_key: str | None = None, **fields: Any) -> T:
        """Fields as in the contract, in snake_case or camelCase. With an `idempotency_key` of your own you may also ask again
        after `Ambiguous`, or after your process was restarted."""
        answer = await self._post(self.path, {"teamId": self._team, **given(fields)}, idempotency_key)
        return self._one(answer)

    async def get(self, id: str) -> T:
        return self._one(await self._transport.call("GET", f"{self.path}/{part(id)}"))

    async def update(self, id: str, **fields: Any) -> T:
        """Set the given fields; None clears."""
        return self._one(await self._transport.call("PATCH", f"{self.path}/{part(id)}", body=given(fields)))

    async def delete(self, id: str) -> None:
        await self._transport.call("DELETE", f"{self.path}/{part(id)}")

    def list(self, *, page: int = 100, **filters: Any) -> Listing[T]:
        return self._listing(self.path, self.many, filters, page)

    def _listing(self, path: str, many: str, filters: Mapping[str, Any], page: int) -> Listing[T]:
        return Listing(self._transport, path, many, {"teamId": self._team, **given(filters)}, page)

    def _one(self, answer: Mapping[str, Any]) -> T:
        return cast(T, answer[self.one])
