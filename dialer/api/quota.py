"""How many requests an hour a key may send; what is left is told with every answer.

The fields are those of draft-ietf-httpapi-ratelimit-headers-06: `RateLimit-Limit`, `-Remaining`, `-Reset` (seconds), `-Policy`.
The count is kept in Redis, for all API processes together. While Redis is away nobody is counted and everybody is let through:
this limit protects us, not people, and what protects people does not need it.
"""

from __future__ import annotations

import math
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dialer.api.context import ApiContext
from dialer.api.errors import answer
from dialer.domain.keys import Caller
from dialer.queue import Spent
from dialer.telemetry import metrics

WINDOW: Final = 3600
"""Seconds."""


class Quota:
    """Behind the gate: counts the requests of the caller's key. `[http] requests_per_hour` 0 counts nothing."""

    def __init__(self, app: ASGIApp, context: ApiContext) -> None:
        self._app = app
        self._context = context
        self._limit = context.settings.http.requests_per_hour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller: Caller | None = scope.get("state", {}).get("caller")
        spent = None
        if self._limit and caller is not None:
            spent = await self._context.quotas.spend(f"key:{caller.key_id}", WINDOW)
        if spent is None:
            if self._limit and caller is not None:
                metrics.UNCOUNTED_REQUESTS.inc()
            await self._app(scope, receive, send)
            return
        fields = told(self._limit, spent)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *((n.lower().encode(), v.encode()) for n, v in fields.items())]
            await send(message)

        if spent.count > self._limit:
            metrics.REFUSED_REQUESTS.inc()
            wait = fields["RateLimit-Reset"]
            sentence = f"This key has sent its {self._limit} requests of the hour; go on in {wait} seconds."
            await answer(429, sentence, headers={"Retry-After": wait})(scope, receive, sending)
            return
        await self._app(scope, receive, sending)


def told(limit: int, spent: Spent) -> dict[str, str]:
    return {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(max(limit - spent.count, 0)),
        "RateLimit-Reset": str(math.ceil(spent.seconds_left)),
        "RateLimit-Policy": f"{limit};w={WINDOW}",
    }
