"""Health and figures of the roles that serve no HTTP of their own: `/healthz` (alive), `/readyz` (stores), `/metrics`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from dialer.telemetry import metrics

READY_SECONDS = 2.0
"""How long the stores may take to answer before the role calls itself not ready."""


@asynccontextmanager
async def serving(port: int | None, ready: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Serve on all interfaces at `port` (None = not at all); `ready` raises while the stores cannot be used."""
    if port is None:
        yield
        return
    from aiohttp import web

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await ready()
        except Exception as fault:
            return web.Response(status=503, text=f"not ready: {type(fault).__name__}\n")
        return web.Response(text="ready\n")

    async def figures(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", figures)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()
