"""Who asks: the key of a request, and what it may do.

Nothing under /api is read, not even a body, before its key is known to be good. A key belongs to one team: the `teamId` of a
request must be that team (403), and what belongs to another team does not exist for it (404): the flows ask for it by team, and
behind them the ledger shows a request nothing else (`dialer.store.transaction`).
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dialer.api.context import ApiContext
from dialer.api.errors import refusal
from dialer.domain.errors import Forbidden, Unauthorized
from dialer.domain.keys import Caller, hashed, looks_like_key
from dialer.store import keys
from dialer.store.transaction import within

# For the OpenAPI document; the keys themselves are read in `Gate`.
BEARER = HTTPBearer(auto_error=False, scheme_name="bearer", description="An API key: `Authorization: Bearer tk_live_…`")
API_KEY = APIKeyHeader(
    name="x-api-key", auto_error=False, scheme_name="apiKey", description="The same key in a header of its own"
)


def _key_of(headers: Headers) -> str | None:
    kind, _, key = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return key.strip()
    return headers.get("x-api-key")


class Gate:
    """Lets nobody without a valid key into /api, leaves the caller in the request's state, and keeps the request in its team."""

    def __init__(self, app: ASGIApp, context: ApiContext) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            caller = await self._caller(Headers(scope=scope))
            if caller is None:
                await refusal(Unauthorized())(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller
            with within(caller.team_id):
                await self._app(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _caller(self, headers: Headers) -> Caller | None:
        key = _key_of(headers)
        if key is None or not looks_like_key(key):
            return None
        return await keys.find(self._context.database.pool, hashed(key), self._context.clock.now())


def may(scope: str) -> Any:
    """For a route's parameter, `caller: Annotated[Caller, may("contacts:read")]`: the caller, whose key has this scope."""

    def check(request: Request, _bearer: Annotated[Any, Security(BEARER)], _key: Annotated[Any, Security(API_KEY)]) -> Caller:
        caller: Caller = request.state.caller
        if not caller.may(scope):
            raise Forbidden(f"This key may not do that: it lacks the scope {scope}.")
        return caller

    return Security(check, scopes=[scope])  # the scopes are for the OpenAPI document


def own_team(caller: Caller, team_id: str | None) -> str:
    """The team a request names, which must be the key's; where it may be left out (None), the key's."""
    if team_id not in (None, caller.team_id):
        raise Forbidden("teamId: this key belongs to another team; use the id of its own team.")
    return caller.team_id
