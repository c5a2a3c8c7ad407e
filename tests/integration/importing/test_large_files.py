"""A large file is read in a process of its own: the same comes of it, and the process never outlives its import."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from dialer.flows.importing import FileRefused, ImportOptions, ImportResult, import_contacts
from dialer.flows.importing.apart import LARGE
from dialer.flows.importing.batches import BATCH
from dialer.store.outage import is_outage
from tests.support.api import Api

HEADER = "First Name,Last Name,Phone,Notes,Tags,custom.said\n"
NASTY = ["tab\there", "back\\slash", "\\N", "\\.", '"quoted"', "line\nbreak", "carriage\r\nreturn", "{curly,}", "NULL", "ünï ☎"]


def rows_of(count: int) -> str:
    """Each with padding, so that a few thousand make a large file; every tenth number is none, every 50th is repeated."""
    lines = []
    for n in range(count):
        number = "12" if n % 10 == 9 else f"+1415{2_000_000 + n - (n % 50 == 49)}"
        lines.append(f"A,B{n},{number},{'x' * 400},a;b,\n")
    return "".join(lines)


def quoted(cells: Sequence[str]) -> str:
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"


def large(path: Path, more: str = "") -> Path:
    path.write_bytes((HEADER + rows_of(3 * BATCH // 2) + more).encode())
    assert path.stat().st_size > LARGE
    return path


async def imported(api: Api, source: Any, **options: Any) -> ImportResult:
    return await import_contacts(api.context, api.team, "test", source, ImportOptions(**options), name="x.csv")


def readers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "dialer.flows.importing" in child.cmdline()]


async def contents(api: Api) -> list[Any]:
    pool = api.context.database.pool
    there = await pool.fetch("select first_name, last_name, phone, notes, tags, custom_fields from contacts order by created_at")
    rejected = await pool.fetch("select row_number, field, message, cells from import_rejects order by batch_id, row_number")
    return [*map(tuple, there), *map(tuple, rejected)]


async def test_a_file_read_apart_becomes_what_it_becomes_here(api: Api, tmp_path: Path) -> None:
    nasty = "".join(quoted([cell, cell, f"+1415300{n:04}", cell, f"{cell};b", cell]) for n, cell in enumerate(NASTY))
    spoilt = "".join(quoted([cell, cell, "12", cell, cell, cell]) for cell in NASTY)
    path = large(tmp_path / "list.csv", nasty + spoilt)
    apart: list[Any] = []
    here: list[Any] = []
    for found, source in ((apart, path.open("rb")), (here, io.BytesIO(path.read_bytes()))):
        with source:
            result = await imported(api, source)
        counts = (result.imported, result.updated, result.skipped, result.failed, result.total)
        found += [counts, result.errors, *await contents(api)]
        await api.context.database.pool.execute("truncate contacts, import_rejects cascade")
    assert apart == here
    texts = [cell for found in here[2:] for cell in found if isinstance(cell, str)]
    assert set(NASTY) <= set(texts)
    assert result.imported + result.updated + result.skipped + result.failed == result.total == 3 * BATCH // 2 + 2 * len(NASTY)
    assert readers() == []


async def test_over_http(api: Api, tmp_path: Path) -> None:
    file = large(tmp_path / "list.csv").read_bytes()
    answer = await api.upload("/api/crm/contacts/import", file, teamId=api.team)
    total = 3 * BATCH // 2
    assert (answer.status, answer.json["total"], answer.json["failed"]) == (200, total, total // 10)
    again = (await api.upload("/api/crm/contacts/import", file, teamId=api.team)).json
    assert (again["imported"], again["skipped"], again["total"]) == (0, total - total // 10, total)


async def test_a_fault_at_its_end_takes_everything_back(api: Api, tmp_path: Path) -> None:
    path = large(tmp_path / "list.csv", "Bad\0,Row,1,,,\n")
    with path.open("rb") as source, pytest.raises(FileRefused) as refused:
        await imported(api, source)
    assert (refused.value.row, refused.value.column) == (3 * BATCH // 2 + 2, 1)
    assert await contents(api) == []
    assert readers() == []


async def test_a_reader_that_is_killed_fails_the_import_and_leaves_nothing(api: Api, tmp_path: Path) -> None:
    with large(tmp_path / "list.csv").open("rb") as source:
        work = asyncio.create_task(imported(api, source))
        await _reading()
        (reader,) = readers()
        reader.kill()
        with pytest.raises(Exception, match="ended before the file did"):
            await work
    assert await contents(api) == []


async def test_an_import_that_is_given_up_ends_its_reader(api: Api, tmp_path: Path) -> None:
    with large(tmp_path / "list.csv").open("rb") as source:
        work = asyncio.create_task(imported(api, source))
        await _reading()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert readers() == []
    assert await contents(api) == []


async def _reading() -> None:
    async with asyncio.timeout(20):
        while not readers():  # noqa: ASYNC110 - a process cannot say that it is there
            await asyncio.sleep(0.005)


ORPHANING = """
import asyncio, pickle, sys
from dialer.flows.importing.apart import reading_of
from dialer.flows.importing.columns import resolve
from dialer.flows.importing.rows import Reader
from dialer.flows.importing.sheet import Sheet

async def main():
    with open(sys.argv[1], "rb") as file:
        sheet = Sheet(file, ",")
        reader = Reader(resolve(sheet.header, None, ","), "US")
        async with reading_of(file, sheet, ",", reader, asyncio.Semaphore()) as next_batch:
            await next_batch()
            print("reading", flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_reader_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    path = large(tmp_path / "list.csv", rows_of(4 * BATCH))  # more than the pipe holds, so that it still has something to say
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", ORPHANING, str(path), stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None and await parent.stdout.readline() == b"reading\n"
    (reader,) = psutil.Process(parent.pid).children()
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, [reader], 20)
    assert alive == []


async def test_a_backend_that_dies_in_the_middle_leaves_nothing(api: Api, tmp_path: Path) -> None:
    pool = api.context.database.pool
    told = asyncio.Event()
    with large(tmp_path / "list.csv").open("rb") as source:
        work = asyncio.create_task(
            import_contacts(
                api.context, api.team, "test", source, ImportOptions(), name="x.csv", progress=lambda _rows: told.set()
            )
        )
        await told.wait()
        killed = await pool.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid in ("
            "select pid from pg_locks where locktype = 'advisory')"
        )
        assert killed == 1
        with pytest.raises(Exception) as met:  # which one depends on when the news comes
            await work
    assert is_outage(met.value)
    assert await contents(api) == []
    with (tmp_path / "list.csv").open("rb") as source:
        assert (await imported(api, source)).imported > 0
