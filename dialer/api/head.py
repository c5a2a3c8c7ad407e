"""HEAD, as GET answers it and without the body."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Outside all other rings. Once the head is sent there is nobody left to tell more: to those further in the client is gone,
    so that a long list ends, and a stream that would not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        sent = False

        async def receiving() -> Message:
            return {"type": "http.disconnect"} if sent else await receive()

        async def sending(message: Message) -> None:
            nonlocal sent
            if message["type"] == "http.response.start":
                sent = True
                await send(message)
                await send({"type": "http.response.body"})

        await self._app({**scope, "method": "GET"}, receiving, sending)
