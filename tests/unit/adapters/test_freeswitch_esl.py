"""The frames of FreeSWITCH's event socket: however they are cut, and what is none."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.freeswitch.esl import LONGEST_BODY, LONGEST_HEAD, Frame, Lost, read_frame


async def frames(*chunks: bytes) -> list[Frame]:
    """What is read of a stream that comes in these pieces and ends."""
    reader = asyncio.StreamReader(limit=LONGEST_HEAD)
    found = []

    async def read() -> None:
        while True:
            found.append(await read_frame(reader))

    reading = asyncio.get_running_loop().create_task(read())
    for chunk in chunks:
        reader.feed_data(chunk)
        await asyncio.sleep(0)
    reader.feed_eof()
    with pytest.raises(Lost):
        await reading
    return found


@given(st.lists(st.binary(max_size=20), max_size=4), st.lists(st.integers(1, 30), min_size=1))
def test_a_stream_may_be_cut_anywhere(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(b"Content-Type: text/event-json\nContent-Length: %d\n\n%b" % (len(body), body) for body in bodies)
    chunks: list[bytes] = []
    while stream:
        cut = cuts[len(chunks) % len(cuts)]
        chunks.append(stream[:cut])
        stream = stream[cut:]
    found = asyncio.run(frames(*chunks))
    assert [(frame.kind, frame.body) for frame in found] == [("text/event-json", body) for body in bodies]


async def test_an_answer_is_its_body_or_the_text_in_its_head() -> None:
    head = b"Content-Type: command/reply\nReply-Text: +OK Job-UUID: 1: 2\n\n"
    replied, said = await frames(head + b"Content-Type: api/response\nContent-Length: 5\n\ntrue\n")
    assert (replied.text, said.text) == ("+OK Job-UUID: 1: 2", "true")


@pytest.mark.parametrize(
    "stream",
    [
        b"\n\n",
        b"HTTP/1.1 400 Bad Request\n\n",
        b"Content-Length: welcome\n\n",
        b"Content-Length: -1\n\n",
        b"Content-Length: 1_0\n\n" + b"x" * 10,
        b"Content-Length: %d\n\n" % (LONGEST_BODY + 1) + b"x" * (LONGEST_BODY + 1),
        b"Content-Length: 9\n\nshort",
        b"X: " + b"x" * (LONGEST_HEAD + 1) + b"\n\n",
        b"X: " + b"x" * (LONGEST_HEAD + 1),
        b"X: y",
        b"",
    ],
)
async def test_what_is_no_frame_ends_the_connection(stream: bytes) -> None:
    assert await frames(stream) == []
