"""Cursors say a place and nothing else; what nobody was given is refused before it reaches the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dialer.domain.cursor import CALLS, CONTACTS, MEMBERS
from dialer.domain.errors import Invalid

AT = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)


def test_a_place_is_read_as_it_was_written() -> None:
    assert CONTACTS.after(CONTACTS.cursor({"created_at": AT, "id": "cont_1", "notes": "x"})) == (AT, "cont_1")
    assert CALLS.after(CALLS.cursor({"id": "call_1"})) == ("call_1",)
    assert MEMBERS.after(MEMBERS.cursor({"priority": 7, "created_at": AT, "id": "cc_1"})) == (7, AT, "cc_1")


def test_a_moment_is_the_same_in_every_zone() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert CONTACTS.cursor({"created_at": elsewhere, "id": "a"}) == CONTACTS.cursor({"created_at": AT, "id": "a"})


@pytest.mark.parametrize("text", ["", "=", "x" * 400, "bnVsbA", CALLS.cursor({"id": "call_1"}), "W" * 401])
def test_what_is_no_cursor_of_the_list_names_its_field(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        CONTACTS.after(text)
    assert list(refused.value.fields) == ["cursor"]
