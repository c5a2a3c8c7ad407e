"""Bookmarks: what is written is read again, and what was never written by us is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dialer.domain.bookmark import LARGEST, Bookmark, Snapshot

numbers = st.integers(0, LARGEST)
snapshots = st.builds(lambda end, open_: Snapshot(end, tuple(sorted(open_))), numbers, st.sets(numbers, max_size=5))
bookmarks = st.builds(Bookmark, snapshots) | st.builds(Bookmark, snapshots, snapshots, numbers, numbers)


@given(bookmarks)
def test_what_is_written_is_read_again(mark: Bookmark) -> None:
    assert Bookmark.parse(str(mark)) == mark


@given(st.text() | st.from_regex(r"[0-9_-]*", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    mark = Bookmark.parse(text)
    assert mark is None or Bookmark.parse(str(mark)) == mark


def test_postgres_spells_a_snapshot_in_its_own_way() -> None:
    assert Snapshot.of("10:20:") == Snapshot(20)
    assert Snapshot.of("10:20:10,14") == Snapshot(20, (10, 14))


def test_what_was_under_way_is_asked_for_again_until_it_was_read() -> None:
    mark = Bookmark(Snapshot(20, (10, 14)))
    assert (mark.late, mark.start) == ([10, 14], (20, 0))
    within = mark.turned(10, 7, Snapshot(30, (14,)))
    assert (within.late, within.start) == ([10], (20, 0))
    assert within.turned(21, 9, Snapshot(30, (14,))).start == (21, 9)


def test_a_bookmark_ahead_of_the_ledger_is_of_another_one() -> None:
    assert Bookmark(Snapshot(20)).behind(Snapshot(20))
    assert not Bookmark(Snapshot(21)).behind(Snapshot(20))
    assert not Bookmark(Snapshot(5), Snapshot(21), 6, 1).behind(Snapshot(20))
