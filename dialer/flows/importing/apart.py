"""Reading a large file in a process of its own, so that this one keeps answering: a million rows take a core 20 to 40 s.

The process belongs to one import: started by it, ended with it, and by the closed pipe if this process is killed. It gets the
file's descriptor, no secret and no connection, and writes batches into a pipe, which holds it up when Postgres is slower. One
suffices, for one backend of Postgres takes as long over the rows. That is why it lives here and not in the composition root:
to the flow it is what a thread is to a small file.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import BinaryIO, Final, TypeAlias

from dialer.flows.importing.batches import Batch, batches
from dialer.flows.importing.rows import Reader
from dialer.flows.importing.sheet import FileRefused, Sheet

LARGE: Final = 1024 * 1024
"""Bytes; a file above is read apart. Starting the process takes as long as some 20,000 rows."""

NextBatch: TypeAlias = Callable[[], Awaitable[Batch | None]]

LENGTH: Final = 8
"""Bytes of the number that goes before what the process tells: a pickled Batch, None at the end, or the `told` of a refusal."""
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


class ReadingFailed(Exception):
    """The process that reads the file ended before the file did."""


@asynccontextmanager
async def reading_of(
    file: BinaryIO, sheet: Sheet, delimiter: str, reader: Reader, room: asyncio.Semaphore
) -> AsyncIterator[NextBatch]:
    """The batches of a file whose header `sheet` has read. Asked for one, it raises FileRefused when what follows cannot be read.

    Waits for room when the file is large.
    """
    descriptor = _descriptor(file) if _size(file) > LARGE else None
    if descriptor is None:
        each = batches(iter(sheet), reader)
        yield lambda: asyncio.to_thread(next, each, None)
        return
    async with room, _process(descriptor, delimiter, reader) as process:
        yield lambda: _batch_of(process)


def _size(file: BinaryIO) -> int:
    at = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(at)
    return size


def _descriptor(file: BinaryIO) -> int | None:
    try:
        return file.fileno()
    except OSError:  # it is held in memory
        return None


@asynccontextmanager
async def _process(descriptor: int, delimiter: str, reader: Reader) -> AsyncIterator[Process]:
    environ = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith("PYTHON")}
    # A session of its own: Ctrl-C reaches only this process, which ends it.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "dialer.flows.importing", str(descriptor)),
        stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environ, pass_fds=(descriptor,), start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        process.stdin.write(pickle.dumps((delimiter, reader)))
        process.stdin.close()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _batch_of(process: Process) -> Batch | None:
    assert process.stdout is not None
    try:
        length = int.from_bytes(await process.stdout.readexactly(LENGTH))
        told = pickle.loads(await process.stdout.readexactly(length))
    except asyncio.IncompleteReadError:
        raise ReadingFailed((ReadingFailed.__doc__ or "").strip()) from None
    if isinstance(told, tuple):
        raise FileRefused.again(*told)
    assert told is None or isinstance(told, Batch)
    return told
