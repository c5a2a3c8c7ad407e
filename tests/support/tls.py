"""A TLS door before a plain server of the loopback, which may also behave as no such door should."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

Manner = Literal["open", "closed", "garbage", "stranger"]


def certificate(directory: Path, name: str) -> Path:
    """A certificate of 127.0.0.1 that nobody but itself signed, and its key, in one PEM file. Raises FileNotFoundError without
    the program openssl."""
    path = directory / f"{name}.pem"
    how = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "7"]
    who = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", "-x509", *how, *who, "-keyout", str(path), "-out", f"{path}.crt"], check=True, capture_output=True
    )
    with path.open("ab") as file:
        file.write(Path(f"{path}.crt").read_bytes())
    return path


class TlsDoor:
    """Inside `async with`; what comes to `port` goes on to `target`.

    open      as it should be, with `own` as its certificate
    closed    nobody listens
    garbage   answers with a text instead of a handshake
    stranger  has `other` as its certificate
    """

    def __init__(self, own: Path, other: Path) -> None:
        self._certificates = {"open": own, "stranger": other}
        self.target = ("127.0.0.1", 0)
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        await self.become("open")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.become("closed")

    async def become(self, manner: Manner) -> None:
        """From now on, also for connections that are open: they are broken."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()
        if manner == "closed":
            self._server = None
            return
        context = None
        if manner != "garbage":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificates[manner])
        way = self._babble if manner == "garbage" else self._hand_on
        self._server = await asyncio.start_server(way, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _babble(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 welcome\r\n")
        writer.close()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there: asyncio.StreamWriter | None = None
        self._open.add(writer)
        with suppress(OSError):
            answers, there = await asyncio.open_connection(*self.target)
            await asyncio.gather(_pipe(reader, there), _pipe(answers, writer))
        self._open.discard(writer)
        for side in filter(None, (writer, there)):
            side.close()


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(65_536):
            sink.write(piece)
            await sink.drain()
    sink.close()
