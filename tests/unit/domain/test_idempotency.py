"""Keys and fingerprints: the same request in other pieces is the same, another request is another."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.domain.errors import Invalid
from dialer.domain.idempotency import LONGEST, Fingerprint, checked

FORM = "multipart/form-data; boundary={}"


def of(body: bytes, *cuts: int, content_type: str = "application/json") -> bytes:
    mark = Fingerprint("POST", "/x", content_type=content_type)
    edges = [0, *sorted(cuts), len(body)]
    for start, end in pairwise(edges):
        mark.add(body[start:end])
    return mark.digest()


@given(st.lists(st.sampled_from([b"--abc", b"abc", b"ab", b"c", b"\r\n", b"aab"])), st.lists(st.integers(0, 60), max_size=6))
def test_the_pieces_a_body_comes_in_do_not_matter(parts: list[bytes], cuts: list[int]) -> None:
    body = b"".join(parts)
    within = [cut for cut in cuts if cut <= len(body)]
    for content_type in ("application/json", FORM.format("abc")):
        assert of(body, *within, content_type=content_type) == of(body, content_type=content_type)


def test_a_form_is_the_same_with_another_boundary_and_another_with_another_field() -> None:
    def form(boundary: str, value: str) -> bytes:
        return f"--{boundary}\r\nname=a\r\n\r\n{value}\r\n--{boundary}--\r\n".encode()

    def mark(boundary: str, value: str, quote: str = "") -> bytes:
        return of(form(boundary, value), content_type=FORM.format(f"{quote}{boundary}{quote}"))

    assert mark("one", "v") == mark("another", "v") == mark("third", "v", '"')
    assert mark("one", "v") != mark("one", "w")


def test_address_and_body_do_not_run_into_each_other() -> None:
    assert Fingerprint("POST", "/x", "q").digest() != Fingerprint("POST", "/xq", "").digest()
    longer = Fingerprint("POST", "/x")
    longer.add(b"y")
    assert longer.digest() != Fingerprint("POST", "/xy").digest()


@pytest.mark.parametrize("keys", [[""], ["a b"], ["ä"], ["a\n"], ["\x7f"], ["x" * (LONGEST + 1)], ["a", "a"]])
def test_what_is_no_key_is_refused_by_the_headers_name(keys: list[str]) -> None:
    with pytest.raises(Invalid) as fault:
        checked(keys)
    assert list(fault.value.fields) == ["Idempotency-Key"]
    assert not keys[0] or keys[0] not in str(fault.value).partition(": ")[2] or len(keys[0]) < 3


def test_a_key_is_taken_as_it_is() -> None:
    assert checked(["x" * LONGEST]) == "x" * LONGEST
    assert checked(['"7f0c~!"']) == '"7f0c~!"'
