from __future__ import annotations

import asyncio
import logging
import time

import pytest
from redis.exceptions import ConnectionError as Away

from dialer.queue import QueueUnavailable
from dialer.queue.connection import reaching
from dialer.queue.outage import Outage, pause


def test_tries_come_ever_slower_and_begin_anew_after_a_success() -> None:
    outage = Outage("test")
    assert [outage.failed(Away()) for _ in range(7)] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    outage.over()
    assert outage.failed(Away()) == 0.05


def test_a_long_outage_does_not_overflow() -> None:
    outage = Outage("test")
    assert {outage.failed(Away()) for _ in range(5000)} >= {1.0}


def test_an_outage_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dialer.queue")
    outage = Outage("test")
    outage.over()
    for _ in range(5):
        outage.failed(Away())
    outage.over()
    outage.over()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_connection_that_broke_as_it_was_used_is_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    Outage("test").failed(RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed"))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    with pytest.raises(QueueUnavailable), reaching("testing"):
        raise RuntimeError("the handler is closed")


def test_what_is_not_an_outage_is_logged_each_time_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("test")
    outage.failed(KeyError("x"))
    outage.failed(KeyError("x"))
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert all(record.exc_info for record in caplog.records)


async def test_a_pause_ends_with_its_time_or_its_event() -> None:
    event = asyncio.Event()
    began = time.monotonic()
    await pause(0.05, event)
    assert 0.04 <= time.monotonic() - began < 1
    asyncio.get_running_loop().call_later(0.01, event.set)
    began = time.monotonic()
    await pause(10, event)
    assert time.monotonic() - began < 1
