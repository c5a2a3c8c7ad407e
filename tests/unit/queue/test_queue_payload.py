from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.queue.payload import Malformed, deserialize, open_record, read, serialize

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,  # as deep as without a bound, and a fifteenth of the time
)
payloads = st.dictionaries(st.text(), nested)
millis = st.integers(0, 253_402_300_799_000)


@settings(max_examples=40)
@given(st.text(), payloads, st.none() | st.integers(1, 9), millis)
def test_a_completed_record_reads_back(function: str, payload: dict[str, Any], most: int | None, at: int) -> None:
    record = read(open_record(function, payload, most) + b"%d}" % at)
    assert (record.f, record.k, record.m, record.et, record.a, record.t) == (function, payload, most, at, [], None)


@settings(max_examples=40)
@given(st.text(), payloads, st.lists(scalars), st.none() | st.integers(1, 9), millis)
def test_stock_arq_and_we_read_each_other(f: str, k: dict[str, Any], a: list[Any], t: int | None, et: int) -> None:
    fields = {"t": t, "f": f, "a": tuple(a), "k": k, "et": et}
    raw = serialize(fields)
    assert deserialize(raw) == {**fields, "a": a}
    record = read(raw)
    assert (record.f, record.k, record.a, record.t, record.et) == (f, k, a, t, et)
    ours = deserialize(open_record(f, k, None) + b"%d}" % et)
    assert (ours["f"], ours["k"], ours["a"], ours["et"]) == (f, k, [], et)


@given(st.binary())
def test_rubbish_is_malformed_and_nothing_else(raw: bytes) -> None:
    for reader in (read, deserialize):
        with pytest.raises(Malformed):
            reader(raw)


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"v": None}, {"f": 1}, {"k": []}, {"a": {}}, {"t": "1"}, {"et": -1}, {"et": 10**18}, {"et": None}],
)
def test_a_record_with_one_wrong_field_is_malformed(change: dict[str, Any]) -> None:
    good = {"v": 1, "f": "dial", "k": {}, "a": [], "t": None, "et": 1}
    read(msgspec.json.encode(good))
    with pytest.raises(Malformed):
        read(msgspec.json.encode({**good, **change}))


def test_deep_nesting_is_malformed() -> None:
    with pytest.raises(Malformed):
        read(b'{"v":1,"f":"x","et":1,"k":{"a":' + b"[" * 100_000)


def test_what_is_wrong_is_said_without_what_was_written() -> None:
    with pytest.raises(Malformed) as caught:
        read(b'{"v":1,"f":"dial","k":"+4930123456","et":1}')
    assert "+4930123456" not in str(caught.value)
    assert "$.k" in str(caught.value)


def test_a_record_of_another_version_is_not_for_stock_arq_either() -> None:
    with pytest.raises(Malformed):
        deserialize(b'{"v":2,"f":"dial","k":{},"a":[],"t":null,"et":1}')
