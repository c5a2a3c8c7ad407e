"""What proves where a callback comes from, against vectors of the RFCs, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Forged
from adapters.signatures import fields, fresh, same, signature

NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
STAMP = NOW.timestamp()
MESSAGE = b"what do ya want for nothing?"


def test_hmacs_are_those_of_rfc_2202_and_4231() -> None:
    assert signature("Jefe", MESSAGE, digest="sha1") == "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    assert signature("Jefe", MESSAGE) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert signature("Jefe", MESSAGE, digest="sha1", form="base64") == "7/zfauXrL6LSdBbV8YTfnCWafHk="


def test_without_a_secret_nothing_is_proven() -> None:
    with pytest.raises(Forged):
        signature("", MESSAGE)
    with pytest.raises(Forged):
        same("", "")


@given(st.text(), st.text(alphabet=st.characters(max_codepoint=127), min_size=1))
def test_only_the_same_is_the_same_whatever_characters_there_are(given_: str, expected: str) -> None:
    same(expected, expected)
    for other in {given_, expected + "ü", expected + "\udcff", expected[:-1]} - {expected}:
        with pytest.raises(Forged):
            same(other, expected)


@pytest.mark.parametrize(("off", "good"), [(0, True), (-300, True), (300, True), (-301, False), (301, False)])
def test_a_timestamp_is_fresh_for_five_minutes_both_ways(off: int, good: bool) -> None:
    for stamp, ticks in ((f"{STAMP + off:.0f}", 1), (f"{(STAMP + off) * 1000:.0f}", 1000)):
        if good:
            fresh(stamp, NOW, ticks=ticks)
        else:
            with pytest.raises(Forged, match="more than 5 minutes off"):
                fresh(stamp, NOW, ticks=ticks)


@pytest.mark.parametrize("stamp", ["", "soon", "nan", "inf", "1e999"])
def test_what_is_no_timestamp_is_forged(stamp: str) -> None:
    with pytest.raises(Forged):
        fresh(stamp, NOW)


def test_a_header_of_fields_is_taken_apart() -> None:
    assert fields("t=1757000000, v0=a=b=,junk") == {"t": "1757000000", "v0": "a=b="}
    assert fields("") == {}
