"""Records become rows or reasons, whatever they hold."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.domain.phone import E164
from dialer.flows.cells import harmless
from dialer.flows.importing.columns import SPELLINGS, Columns, resolve
from dialer.flows.importing.rows import Reader
from dialer.flows.importing.sheet import FileRefused, Sheet
from dialer.store.imports import Rejected, Staged

HEADER = ["First Name", "Last Name", "Phone", "E-Mail", "DNC", "TZ", "Tags", "custom.x"]
READER = Reader(resolve(HEADER, None, ","), "US")

cells = st.lists(st.text(max_size=30), max_size=10)
plausible = st.tuples(
    st.sampled_from(["Ann", "Łukasz", "さくら", " "]),
    st.sampled_from(["Lee", "Öz", ""]),
    st.sampled_from(["+14155552671", "(415) 555-2671", "911", "", "12"]),
    st.sampled_from(["", "a@b.c", "nobody"]),
    st.sampled_from(["", "YES", "x", "No", "0", "maybe"]),
    st.sampled_from(["", "Europe/Berlin", "Nowhere"]),
    st.sampled_from(["", "a;b", ";;a;a"]),
    st.text(max_size=5),
)


@given(cells | plausible.map(list))
def test_any_record_is_a_row_or_is_rejected_with_a_reason(record: list[str]) -> None:
    match READER.read(7, record):
        case Staged() as staged:
            assert staged.first_name and staged.last_name
            assert staged.phone is None or E164.fullmatch(staged.phone)
            place = next(place for place, number in READER.places.items() if number == staged.place)
            assert (place.zones == ()) == (staged.place_source == "unknown")
        case Rejected(row_number=row, field=field, message=message, cells=kept):
            assert (row, kept) == (7, record)
            assert field and message
            assert "4155552671" not in message


@pytest.mark.parametrize("field", SPELLINGS)
def test_every_spelling_is_guessed_in_any_case(field: str) -> None:
    others = [name for name in ("first_name", "last_name", "phone") if name != field]
    for spelling in (field, *SPELLINGS[field]):
        for header in (spelling, spelling.upper(), f" {spelling.title()} ", spelling.replace(" ", "_")):
            assert resolve([*others, header], None, ",").fields[field] == len(others)


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\x00\r\n", codec="utf-8"), min_size=1), min_size=3, max_size=3),
        max_size=20,
    )
)
def test_what_csv_writes_is_read_back_with_its_row(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["first_name", "last_name", "phone"], *rows])
    sheet = Sheet(io.BytesIO(text.getvalue().encode()), ",")
    assert sheet.header == ["first_name", "last_name", "phone"]
    assert list(sheet) == list(enumerate(rows, 2))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert all(row > 1 and any(record) for row, record in Sheet(io.BytesIO(data), ","))
    except FileRefused as refused:
        assert str(refused)


@given(st.dictionaries(st.sampled_from([*HEADER, *SPELLINGS, "x"]), st.sampled_from([*HEADER, *SPELLINGS, "custom.y", "", "x"])))
def test_a_mapping_resolves_or_is_refused(mapping: dict[str, str]) -> None:
    try:
        found = resolve(HEADER, mapping, ",")
    except FileRefused:
        return
    assert isinstance(found, Columns)
    assert not found.missing


@given(st.text())
def test_no_cell_of_the_rejects_is_a_formula(cell: str) -> None:
    shown = harmless(cell)
    assert shown.removeprefix("'") == cell.removeprefix("'") or shown == cell
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))
