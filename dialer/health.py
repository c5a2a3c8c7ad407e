"""Health and figures of the roles that serve no HTTP of their own: `/healthz` (alive), `/readyz` (stores), `/metrics`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from dialer.telemetry import metrics

READY_SECONDS = 2.0
"""How long the stores may take to answer before the role calls itself not ready."""


class PortTaken(Exception):
    """A port cannot be listened at."""


def listening(setting: str, host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises `PortTaken`, which names the `setting` to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(2048)
    except OSError as fault:
        bound.close()
        why = fault.strerror or str(fault)
        raise PortTaken(f"{setting} {port} on {host} cannot be listened at ({why}); choose another, or end who has it.") from None
    bound.setblocking(False)
    return bound


@asynccontextmanager
async def serving(setting: str, port: int | None, ready: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Serve at `port` (None = not at all), which is the value of `setting`, on all interfaces, for probes come from outside.
    `ready` raises while the stores cannot be used. Raises `PortTaken`."""
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
        await web.SockSite(runner, listening(setting, "0.0.0.0", port)).start()
        yield
    finally:
        await runner.cleanup()
