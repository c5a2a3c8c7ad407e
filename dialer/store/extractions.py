"""What calls told of contacts: noted by the ledger itself (migration 0021); here is what is still to be judged, and its writing.

Rows in, rows out, no decisions. Whoever judges holds the contact first, and then what the call told. Whoever writes down what
carriers tell holds contacts too, and only inserts here: neither waits for what the other one has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from dialer.domain.custom_field import CustomField, Kind
from dialer.domain.extracted import CUSTOM, STANDARD, Call, Cleared, Judgement, Line, Mark, Person, Telling, Verdict, Wrote
from dialer.store.database import Connection, Pool
from dialer.store.statements import fetch

_KEPT: Final = ("field", "verdict", "message")
TELLER: Final = ":extraction"
"""Stands where events have their trunk, when a transcript was asked (`dialer.store.transcripts`); no trunk can be called so."""
_COLUMNS: Final[Mapping[str, str]] = {field: column for column, field in STANDARD.items()}


@dataclass(frozen=True, slots=True)
class Held:
    """A call and its contact, as they stand while the contact is locked."""

    call: Call
    team: str
    contact: str
    person: Person


async def unjudged(pool: Pool, after: int, most: int) -> list[tuple[int, str]]:
    """Event and attempt of what was told and not judged, behind event `after`, in the order in which it was written."""
    return [(row["event_id"], row["attempt_id"]) for row in await fetch(pool, "extractions", after, most)]


async def hold(connection: Connection, attempt: str) -> Held | None:
    """Lock the attempt's contact until the transaction ends; None when somebody else has it."""
    rows = await fetch(connection, "extraction_contact", attempt)
    if not rows:
        return None
    [row] = rows
    values = {field: row[column] for field, column in _COLUMNS.items()}
    values |= {CUSTOM + key: value for key, value in row["custom_fields"].items()}
    marks = {field: _mark(told) for field, told in row["told"].items()}
    return Held(Call(row["id"], row["claimed_at"]), row["team_id"], row["contact_id"], Person(values, marks, row["erased"]))


async def tellings(connection: Connection, attempt: str) -> list[Telling]:
    """Lock what the call told, judged or not. After `hold`."""
    return [telling(row) for row in await fetch(connection, "extraction_tellings", attempt)]


def telling(row: Mapping[str, Any]) -> Telling:
    verdicts = row["verdicts"]
    lines = None if verdicts is None else _lines(verdicts)
    return Telling(row["event_id"], row["at"], row["told"], lines, row["adapter"] == TELLER)


async def definitions(connection: Connection, team: str, keys: Collection[str]) -> tuple[dict[str, CustomField], set[str]]:
    """The team's custom fields among these keys, and which of them a call may fill."""
    rows = await fetch(connection, "extraction_fields", team, list(keys))
    fields = {row["key"]: CustomField(row["key"], Kind(row["type"]), tuple(row["options"])) for row in rows}
    return fields, {row["key"] for row in rows if row["extractable"]}


async def write(connection: Connection, held: Held, done: Judgement, now: datetime) -> None:
    """What was judged, in the transaction that holds the contact; an audit row when a field changes."""
    if done.marks:
        own = {_COLUMNS[field]: value for field, value in done.values.items() if field in _COLUMNS}
        custom = {field.removeprefix(CUSTOM): value for field, value in done.values.items() if field not in _COLUMNS}
        marks = {field: {**asdict(mark), "began": mark.began.isoformat()} for field, mark in done.marks.items()}
        standard = (own.get("email"), own.get("job_title"), own.get("lead_status"))
        named = (held.team, held.call.id, sorted(done.values))
        await fetch(connection, "extraction_written", held.contact, now, *standard, custom, marks, *named)
    verdicts = [{line.name: {name: getattr(line, name) for name in _KEPT} for line in own} for own in done.lines.values()]
    await fetch(connection, "extraction_judged", list(done.lines), verdicts, now)


def _mark(told: Mapping[str, Any]) -> Mark:
    if "cleared" in told:
        return Cleared(datetime.fromisoformat(told["cleared"]))
    return Wrote(told["call"], datetime.fromisoformat(told["began"]), told["event"])


def _lines(verdicts: Mapping[str, Mapping[str, Any]]) -> tuple[Line, ...]:
    return tuple(Line(name, each["field"], Verdict(each["verdict"]), each["message"]) for name, each in verdicts.items())
