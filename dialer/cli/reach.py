"""How far one gets on the way to a server: its name, its port, its certificate. Each step is bounded."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass

STEP_SECONDS = 3.0
"""What each step may take."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """`step`: DNS, TCP or TLS."""

    step: str
    why: str
    remedy: str


async def reach(host: str, port: int, *, secure: bool) -> Stopped | None:
    """Where the way ends; None where a connection can be opened, with a good certificate if `secure`."""
    try:
        async with asyncio.timeout(STEP_SECONDS):
            await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return Stopped("DNS", f"the name {host} was not answered for", "check the machine's resolver")
    except OSError:
        return Stopped("DNS", f"{host} has no address", "check how it is spelled, and the machine's resolver")
    stopped = await _open(host, port, None)
    return await _open(host, port, ssl.create_default_context()) if secure and stopped is None else stopped


async def _open(host: str, port: int, context: ssl.SSLContext | None) -> Stopped | None:
    step = "TCP" if context is None else "TLS"
    try:
        async with asyncio.timeout(STEP_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except TimeoutError:
        return Stopped(step, f"{host}:{port} does not answer", "check firewalls and routes to there")
    except ssl.SSLCertVerificationError as fault:
        why = f"the certificate of {host} is not good ({fault.verify_message})"
        return Stopped(step, why, "check the address and the machine's clock and root certificates")
    except ssl.SSLError as fault:
        why = f"{host}:{port} does not speak TLS with us ({fault.reason or type(fault).__name__})"
        return Stopped(step, why, "check the port, and whether the address begins with https or http")
    except OSError as fault:
        why = os.strerror(fault.errno) if fault.errno else type(fault).__name__
        return Stopped(step, f"{host}:{port} cannot be connected to ({why})", NOBODY_THERE)
    writer.transport.abort()
    return None


NOBODY_THERE = "check the address and the port, whether the server runs, and firewalls"
