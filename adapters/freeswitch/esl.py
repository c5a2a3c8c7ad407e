"""The event socket of FreeSWITCH, inbound: frames of header lines, with a body where they tell its length.

Promises: answers are matched to commands by their order; a frame that is too long or cannot be read ends the connection; what is
given up is not delivered later, for a connection is closed with a reset, which drops what the other side has not taken.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapters.errors import AdapterError

LONGEST_HEAD = 1 << 16
LONGEST_BODY = 1 << 20
"""Bytes of the header lines of a frame, and of its body. An event of a channel with many variables has some 20,000."""
_ANSWERS = frozenset({"command/reply", "api/response"})
_LENGTH = re.compile(r"[0-9]{1,9}", re.ASCII)


class Lost(AdapterError):
    """The connection to FreeSWITCH was lost."""


class Refused(AdapterError):
    """FreeSWITCH refuses our password, or connections from here."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Header names are lower case."""

    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def kind(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def text(self) -> str:
        """What an answer says: its body, or the text in its head."""
        return (self.body.decode(errors="replace") if self.body else self.headers.get("reply-text", "")).strip()


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """The next frame. Raises `Lost` at the end, and for what is no frame or too long; the text repeats nothing of it."""
    try:
        head = await reader.readuntil(b"\n\n")
        headers = {}
        for line in head.decode(errors="replace").strip("\n").split("\n"):
            name, colon, value = line.partition(":")
            if not colon:
                raise Lost("FreeSWITCH sent something that is no frame")
            headers[name.strip().lower()] = value.strip()
        length = headers.get("content-length", "0")
        if _LENGTH.fullmatch(length) is None or int(length) > LONGEST_BODY:
            raise Lost("FreeSWITCH sent a frame whose length cannot be read, or is too much")
        return Frame(headers, await reader.readexactly(int(length)))
    except asyncio.LimitOverrunError:
        raise Lost("FreeSWITCH sent header lines that are too long") from None
    except (EOFError, OSError) as error:
        raise Lost from error


class Link:
    """One connection that is open and let in. `hear` gets each frame that is no answer, as it comes; it must not raise."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hear: Callable[[Frame], None]) -> None:
        self._reader = reader
        self._writer = writer
        self._hear = hear
        self._awaited: deque[asyncio.Future[Frame]] = deque()
        self.closed = asyncio.Event()

    @classmethod
    async def open(
        cls, tasks: asyncio.TaskGroup, address: tuple[str, int], password: str, timeout: float, hear: Callable[[Frame], None]
    ) -> Link:
        """Connect and log in, within `timeout` seconds. `tasks` keeps the reading, which ends with the connection. Raises `Lost`,
        or `Refused`."""
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_connection(*address, limit=LONGEST_HEAD)
                link = cls(reader, writer, hear)
                try:
                    await link._log_in(password)
                except BaseException:
                    link.close()
                    raise
        except TimeoutError:
            raise Lost("FreeSWITCH did not answer in time") from None
        except OSError as error:
            raise Lost(f"FreeSWITCH was not reached: {type(error).__name__}") from error
        tasks.create_task(link._read(), name="event socket")
        return link

    @property
    def flows(self) -> bool:
        """Whether what is written leaves at once: it is open, and nothing is waiting to leave."""
        transport = self._writer.transport
        return not (self.closed.is_set() or transport.is_closing() or transport.get_write_buffer_size())

    def send(self, command: str, **headers: str) -> asyncio.Future[Frame]:
        """Write a command now; its answer will come. Raises `Lost` when nothing was written. The command is one line."""
        lines = [command, *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        if any("\n" in line or "\r" in line for line in lines):
            raise ValueError("a command of the event socket is one line")
        if self.closed.is_set() or self._writer.transport.is_closing():
            raise Lost
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._awaited.append(answer)
        self._writer.write("\n".join([*lines, "", ""]).encode())
        return answer

    async def ask(self, command: str, timeout: float) -> Frame:
        """A command and its answer. Raises `Lost`; a FreeSWITCH that does not answer in time is one that is lost."""
        answer = self.send(command)
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            self.close()
            raise Lost("FreeSWITCH did not answer in time") from None

    async def api(self, command: str, timeout: float) -> str:
        """What a command of FreeSWITCH itself says. Raises `Lost`."""
        return (await self.ask(f"api {command}", timeout)).text

    def close(self) -> None:
        """At once, with a reset. Whoever waits for an answer gets `Lost`."""
        self.closed.set()
        self._writer.transport.abort()
        while self._awaited:
            answer = self._awaited.popleft()
            if not answer.done():
                answer.set_exception(Lost())
                answer.exception()  # not every answer is waited for, and asyncio complains of those

    async def _log_in(self, password: str) -> None:
        peer = self._writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if (await read_frame(self._reader)).kind != "auth/request":
            raise Refused
        self._writer.write(f"auth {password}\n\n".encode())
        reply = await read_frame(self._reader)
        if reply.kind != "command/reply" or not reply.text.startswith("+OK"):
            raise Refused

    async def _read(self) -> None:
        try:
            while True:
                frame = await read_frame(self._reader)
                if frame.kind == "text/disconnect-notice":
                    return
                if frame.kind not in _ANSWERS:
                    self._hear(frame)
                elif not self._awaited:
                    return  # an answer to nothing: from here on each would be taken for another
                elif not (answer := self._awaited.popleft()).done():
                    answer.set_result(frame)
        except Lost:
            pass
        finally:
            self.close()
