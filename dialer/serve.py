"""HTTP as a task of a role: uvicorn with our signals, our logs and our drain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from dialer.health import listening

DRAIN_SECONDS = 10
"""How long open requests may take to end after SIGTERM."""


class _Server(uvicorn.Server):
    """Leaves the signals to the role that runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: ASGIApp, host: str, port: int, stop: asyncio.Event) -> None:
    """Answer at `host`:`port` until `stop` is set, then let open requests end. Raises `PortTaken`."""
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
    )
    server = _Server(config)
    with listening("http.port", host, port) as bound:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve([bound]), name="uvicorn")
            stopping = group.create_task(_stop(server, stop), name="uvicorn stop")
            await asyncio.wait({serving})
            stopping.cancel()


async def _stop(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True
