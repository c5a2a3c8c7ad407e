"""`Idempotency-Key`: a POST that is sent again is answered again, and has its effect once.

What is remembered is decided by what happened, for 24 hours, per team:

- A success is remembered with its answer. A replay gets it with `Idempotent-Replayed: true`.
- A refusal had no effect and is forgotten: the same key may be sent again, corrected.
- The same key with another method, address or body is a 409, and so is one that is just being carried out.
- A crash between the effect and the answer: the receipt is there, for it is written with the effect (`store.receipts`). Most
  flows promise their answer in the same transaction; then the replay gets it. Others (run, pause, cancel) are asked again after
  a few seconds and do only what comes after their commit. Where neither is possible the replay is a 409 that says so. A list of
  suppressions commits in pieces and is receipted with the last of them: before that a replay is carried out again, which only
  adds what is missing. What has no effect (a preflight) is carried out again as well.
- A fault (5xx) after the effect is committed is like a crash.

A key of the team that may less than the one that was used first is not told the answer (403).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dialer.api.bodies import again, is_form, read
from dialer.api.context import ApiContext
from dialer.api.errors import answer, refusal
from dialer.domain.errors import Conflict, Forbidden, Invalid
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.idempotency import HEADER, Fingerprint, checked
from dialer.domain.keys import Caller
from dialer.store import receipts
from dialer.store.outage import is_outage
from dialer.store.receipts import AlreadyDone, Kept, Receipt, UnderWay

PREFIX: Final = "/api/crm/"
REPLAYED: Final = (b"idempotent-replayed", b"true")

PATIENCE: Final = 5.0
"""Seconds in which a request whose effect is committed may still be answered by whoever carries it out. Past it a replay finishes
it; should both do so, what comes after a commit is harmless when it is done twice."""

FRESH: Final = 30.0
"""Seconds. An answer that is younger may not have waited out the fence yet, so its replay does; more than a commit may take."""

OTHER: Final = "Idempotency-Key: this key was used for another request; draw a new key for each request."
BUSY: Final = "Idempotency-Key: the request with this key is being carried out; send it again in a moment."
LOST: Final = "Idempotency-Key: the request with this key was carried out but its answer is lost; look at what it changed."
WEAKER: Final = "Idempotency-Key: the request was sent with a key that may more than this one; replay it with that one."

log = logging.getLogger(__name__)
T = TypeVar("T")
A = TypeVar("A", bound=BaseModel)


async def once(shape: Callable[[T], A], work: Awaitable[T]) -> A:
    """For a route: the answer to what `work` brings, told to the receipt too when the flow promises it before it commits."""
    receipts.shaped_by(lambda result: shape(result).model_dump_json(by_alias=True).encode())
    return shape(await work)


class Idempotency:
    """The innermost ring, behind the gate."""

    def __init__(self, app: ASGIApp, context: ApiContext) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        keys = headers.getlist(HEADER)
        if not keys or scope["method"] != "POST" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        try:
            key = checked(keys)
        except Invalid as fault:
            await refusal(fault)(scope, receive, send)
            return
        caller: Caller = scope["state"]["caller"]
        kind = headers.get("content-type", "")
        mark = Fingerprint("POST", scope["path"], scope["query_string"].decode("latin-1"), content_type=kind)
        receipt = Receipt(caller.team_id, key, mark, sorted(caller.scopes))
        receiving = _listening(receive, mark)
        form = is_form(headers)
        if not form:
            body = await read(receiving)
            if body is None:
                return
            receiving = again(body, receive)
        replay = await self._replay(receipt, caller, receiving, form=form)
        if replay is None:
            replay = await self._carry_out(receipt, caller, scope, receiving, send)
        if replay is not None:
            await replay(scope, receive, send)

    async def _replay(self, receipt: Receipt, caller: Caller, receive: Receive, *, form: bool) -> Response | None:
        """The answer for a key that was used; None where the request is to be carried out, or only finished."""
        kept = await receipts.find(self._context.database.pool, receipt.team, receipt.key)
        if kept is None:
            return None
        if form and await read_through(receive) is None:
            return Response(status_code=400)  # nobody is there to get it
        if kept.fingerprint != receipt.mark.digest():
            return refusal(Conflict(OTHER))
        if kept.answer is None and kept.age >= PATIENCE and not form:
            receipt.unfinished = kept.at
            return None
        return await self._answer(kept, caller)

    async def _answer(self, kept: Kept, caller: Caller) -> Response:
        if not ("*" in caller.scopes or kept.scopes <= caller.scopes):
            return refusal(Forbidden(WEAKER))
        if kept.answer is None:
            return _busy() if kept.age < PATIENCE else refusal(Conflict(LOST))
        if kept.age < FRESH:
            await self._context.pause(FENCE_SECONDS)
        response = Response(kept.answer, kept.status or 200, media_type="application/json")
        response.raw_headers.append(REPLAYED)
        return response

    async def _carry_out(self, receipt: Receipt, caller: Caller, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """Let the route answer, and remember a success before it is sent. Returns an answer where the route did nothing."""
        held = _Held()
        try:
            with receipts.carried(receipt):
                await self._app(scope, receive, held)
        except UnderWay:
            return _busy()
        except AlreadyDone:
            if receipt.unfinished is not None:
                return refusal(Conflict(LOST))
            # Another one with the same key was quicker, and has committed since we looked.
            kept = await receipts.find(self._context.database.pool, receipt.team, receipt.key)
            if kept is None or kept.fingerprint != receipt.mark.digest():
                return refusal(Conflict(OTHER))
            return await self._answer(kept, caller)
        if held.is_success:
            await self._keep(receipt, held.body)
            if receipt.unfinished is not None:
                held.start["headers"] = [*held.start["headers"], REPLAYED]
        await held.release(send)
        return None

    async def _keep(self, receipt: Receipt, body: bytes) -> None:
        if receipt.written and receipt.answer is not None:
            return  # promised, and committed with the effect
        try:
            await receipts.keep(self._context.database.pool, receipt, body)
        except Exception as fault:
            if not is_outage(fault):
                raise
            log.warning("the answer to a request with an idempotency key could not be kept: %s", type(fault).__name__)


def _busy() -> Response:
    return answer(409, BUSY, headers={"Retry-After": "1"})


class _Held:
    """What a route answers, held back until it is remembered."""

    def __init__(self) -> None:
        self.start: Message = {}
        self._rest: list[Message] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self._rest.append(message)

    @property
    def is_success(self) -> bool:
        kind = dict(self.start.get("headers", ())).get(b"content-type", b"")
        return 200 <= self.start.get("status", 500) < 300 and bool(kind.startswith(b"application/json"))

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self._rest)

    async def release(self, send: Send) -> None:
        for message in (self.start, *self._rest):
            await send(message)


def _listening(receive: Receive, mark: Fingerprint) -> Receive:
    async def receiving() -> Message:
        message = await receive()
        mark.add(message.get("body", b""))
        return message

    return receiving


async def read_through(receive: Receive) -> bool | None:
    """Read a body to its end and keep nothing of it; None when the client went away."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if not message.get("more_body", False):
            return True
