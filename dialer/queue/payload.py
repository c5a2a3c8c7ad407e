"""Job records as JSON: arq's fields, a version, and an optional bound on tries.

Never pickle: with it, whoever can write to Redis can run code in the worker. Values come back as JSON knows them: tuples as
lists, dates as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

VERSION = 1


class Malformed(ValueError):
    """The job record is not one of ours. Raised by a job itself, it says that no try can succeed: the job is refused."""


class Record(msgspec.Struct, frozen=True):
    """A job as it lies in Redis, with arq's short names."""

    v: Literal[1]
    f: str
    """Name of the function."""
    et: Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_000)]
    """When it was enqueued, unix ms; before the year 10000, or it is no time that Python knows."""
    k: dict[str, Any]
    """Keyword arguments."""
    a: list[Any] = []
    """Positional arguments; ours have none, those of stock producers may."""
    t: int | None = None
    """Number of the first try, when a stock producer does not begin with 1."""
    m: int | None = None
    """The most tries, when the job has its own bound. Stock workers ignore it."""


_records = msgspec.json.Decoder(Record)
_encode = msgspec.json.Encoder().encode


def open_record(function: str, payload: Mapping[str, Any], max_tries: int | None) -> bytes:
    """A record up to its last field `et`, which the enqueueing script completes with Redis' own time."""
    fields = {"v": VERSION, "f": function, "a": (), "k": dict(payload), "t": None, "m": max_tries}
    return _encode(fields)[:-1] + b',"et":'


def read(raw: bytes) -> Record:
    """Raises `Malformed`, saying what is wrong but not what was written: records may name people."""
    try:
        return _records.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not a job record of version {VERSION}: {error}") from error


def serialize(fields: dict[str, Any]) -> bytes:
    """For stock arq, as `job_serializer`."""
    return _encode({**fields, "v": VERSION})


def deserialize(raw: bytes) -> dict[str, Any]:
    """For stock arq, as `job_deserializer`; takes job records and results. Raises `Malformed`."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from error
    if fields.pop("v", None) != VERSION:
        raise Malformed(f"not a record of version {VERSION}")
    return fields
