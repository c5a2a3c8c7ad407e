"""HTTP as a task of a role: uvicorn with our signals, our logs and our drain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dialer.api.errors import MOST_HEAD, SENTENCES
from dialer.health import listening

DRAIN_SECONDS = 10
"""How long open requests may take to end after SIGTERM."""


class _Bounded(HttpToolsProtocol):
    """Reads no more of a head (address and headers) that does not end than a head may have; uvicorn would read for ever. One
    that ends is judged by the API's own guard."""

    _head: int | None = None
    """Bytes read of a head that has not ended yet."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head is not None and not self.transport.is_closing():
            self._head += len(data)
            if self._head > MOST_HEAD:
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()


def _too_large() -> bytes:
    body = json.dumps({"success": False, "error": SENTENCES[431], "details": {"fieldErrors": {}, "formErrors": []}}).encode()
    head = "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\nconnection: close\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


_TOO_LARGE = _too_large()


class _Server(uvicorn.Server):
    """Leaves the signals to the role that runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    app: ASGIApp, host: str, port: int, stop: asyncio.Event, *, on_listening: Callable[[], None] = lambda: None
) -> None:
    """Answer at `host`:`port` until `stop` is set, then let open requests end. From `on_listening` on no request is turned away.
    Raises `PortTaken`."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=DRAIN_SECONDS,
        server_header=False,
        proxy_headers=False,
        http=_Bounded,
    )
    server = _Server(config)
    with listening("http.port", host, port) as bound:
        on_listening()
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve([bound]), name="uvicorn")
            stopping = group.create_task(_stop(server, stop), name="uvicorn stop")
            await asyncio.wait({serving})
            stopping.cancel()


async def _stop(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
