"""A CSV file as a header and records, read as a stream.

Owns the judgement whether a file can be read at all: UTF-8 (a byte order mark is fine), no NUL, records of bounded size, quotes
that close. What cannot is refused with its row and column.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO, Final

from dialer.domain.errors import Invalid

LONGEST_RECORD: Final = 1024 * 1024
"""Bytes."""

_OTHER_MARKS: Final = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_UTF8_MARK: Final = b"\xef\xbb\xbf"


class FileRefused(Invalid):
    """The file cannot be imported; nothing of it was."""

    def __init__(self, said: str, *, row: int | None = None, column: int | None = None, field: str = "file") -> None:
        where = [f"{name} {at}" for name, at in (("row", row), ("column", column)) if at is not None]
        super().__init__({field: f"{', '.join(where)}: {said}" if where else said})
        self.row = row
        self.column = column
        self.told = (said, row, column, field)

    @classmethod
    def again(cls, said: str, row: int | None, column: int | None, field: str) -> FileRefused:
        """The refusal that `told` was of, after it came from another process."""
        return cls(said, row=row, column=column, field=field)


class Sheet:
    """`header` is row 1. Iterating yields each record that is not blank, with its row, once."""

    def __init__(self, file: BinaryIO, delimiter: str) -> None:
        self._lines = _Lines(file)
        # strict: a quote out of place shifts columns, and a shifted row would call the wrong number.
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        self.header: list[str] = []
        header = next(self._records(), None)
        if header is None:
            raise FileRefused("the file is empty; it needs a header row and a row for each contact", row=1, column=1)
        self.header = [name.strip() for name in header[1]]
        if not any(self.header):
            raise FileRefused("the header row is blank; the first row has to name the columns", row=1, column=1)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        for row, cells in self._records():
            if any(cells):
                yield row, cells

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        lines = self._lines
        while True:
            lines.begin()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as fault:
                raise FileRefused(_said(fault), row=lines.row) from None
            if lines.odd:
                self._refuse_odd(cells)
            yield lines.row, cells

    def _refuse_odd(self, cells: list[str]) -> None:
        for column, cell in enumerate(cells, 1):
            name = f" ({self.header[column - 1]})" if column <= len(self.header) else ""
            if "\x00" in cell:
                said = f"contains a NUL byte{name}; save the file as CSV UTF-8 (UTF-16 and spreadsheet files are not CSV)"
                raise FileRefused(said, row=self._lines.row, column=column)
            try:
                cell.encode()
            except UnicodeEncodeError:
                said = f"is not UTF-8{name}; save the file as CSV UTF-8"
                raise FileRefused(said, row=self._lines.row, column=column) from None


class _Lines:
    """The lines of the file as text, with the row of the record they belong to."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = 0
        self.row = 0
        self.odd = False
        """Whether the record holds NUL or bytes that are not UTF-8, which are kept as lone surrogates until they are found."""

    def begin(self) -> None:
        self.row += 1
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(LONGEST_RECORD + 1)
        if not line:
            raise StopIteration
        if self.row == 1 and self._size == 0:
            line = self._without_mark(line)
        self._size += len(line)
        if self._size > LONGEST_RECORD:
            said = f"is longer than {LONGEST_RECORD:,} bytes; end each row with a line break and close every quote"
            raise FileRefused(said, row=self.row, column=1)
        if b"\x00" in line:
            self.odd = True
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.odd = True
            return line.decode(errors="surrogateescape")

    @staticmethod
    def _without_mark(line: bytes) -> bytes:
        for mark, name in _OTHER_MARKS:
            if line.startswith(mark):
                raise FileRefused(f"the file is {name}; save it as CSV UTF-8", row=1, column=1)
        return line.removeprefix(_UTF8_MARK)


def _said(fault: csv.Error) -> str:
    text = str(fault)
    if "unexpected end" in text:
        return "a quote is opened and never closed; close it, or double quotes inside a quoted cell"
    if "expected after" in text:
        return "text follows a closing quote; double quotes inside a quoted cell"
    if "new-line" in text:
        return "lines end with CR alone; save the file with LF or CRLF line ends"
    if "field larger" in text:
        return f"a cell is longer than {csv.field_size_limit():,} characters; shorten it, and close every quote"
    return f"cannot be read as CSV ({text})"
