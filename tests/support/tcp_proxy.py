"""A TCP proxy that harms what passes through it, switched at run time.

async with FaultProxy("127.0.0.1", 5432) as proxy:   # clients connect to proxy.port
    proxy.mode = "blackhole"                          # from now on, also on connections that are open
    proxy.latency = 0.5                               # seconds added to every packet, in each direction
    proxy.reset()                                     # every open connection, now
    proxy.target = ("127.0.0.1", 5433)                # where new connections go from now on

pass       as if it were not there
refuse     new connections are reset at once; open ones live on
reset      open connections and new ones are reset
blackhole  nothing arrives any more, in either direction, and nobody is told; what comes meanwhile is kept and flows on "pass"
half_open  what clients send arrives, what servers answer does not
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Literal, Self

Mode = Literal["pass", "refuse", "reset", "blackhole", "half_open"]
_PIECE = 65_536


class FaultProxy:
    """One server behind one port of the loopback. `port` 0 picks a free one."""

    def __init__(self, host: str, to_port: int, *, port: int = 0) -> None:
        self.target = (host, to_port)
        self.port = port
        self.latency = 0.0
        self.connections = 0
        """Connections that were let in so far."""
        self._mode: Mode = "pass"
        self._open: set[asyncio.StreamWriter] = set()
        self._pipes: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._let_in, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for pipe in list(self._pipes):
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        self._changed.set()
        self._changed = asyncio.Event()
        if mode == "reset":
            self.reset()

    def reset(self) -> None:
        """Break every open connection with a reset, on both sides."""
        for writer in list(self._open):
            _reset(writer)

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode in ("refuse", "reset"):
            _reset(writer)
            return
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        task.add_done_callback(self._pipes.discard)
        self.connections += 1
        there: asyncio.StreamWriter | None = None
        self._open.add(writer)
        try:
            answers, there = await asyncio.open_connection(*self.target)
            self._open.add(there)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pipe(reader, there, answer=False))
                group.create_task(self._pipe(answers, writer, answer=True))
        except* OSError:
            _reset(writer)  # the server is away, or one side broke the connection: so the other sees the same
            if there is not None:
                _reset(there)
        finally:
            for side in (writer, there):
                if side is not None:
                    self._open.discard(side)
                    side.close()

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answer: bool) -> None:
        """What comes from `source`, to `sink`, until its end."""
        while piece := await source.read(_PIECE):
            if self.latency:
                await asyncio.sleep(self.latency)
            await self._until_open(answer)
            sink.write(piece)
            await sink.drain()
        await self._until_open(answer)  # an end that is not told is part of a blackhole
        with suppress(OSError):
            sink.write_eof()

    async def _until_open(self, answer: bool) -> None:
        while self._mode == "blackhole" or (self._mode == "half_open" and answer):
            await self._changed.wait()


def _reset(writer: asyncio.StreamWriter) -> None:
    peer: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):  # it is closed already
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
