"""What log lines look like, and that no line gets around the mask."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

from dialer.telemetry import configure

NUMBER = "+4930123456712"
Lines = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Takes the lines that were logged since it was last called."""

    def take() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return take


def log() -> logging.Logger:
    return logging.getLogger("dialer.flows.place")


def test_text_has_time_level_role_logger_message_and_extras(lines: Lines) -> None:
    configure("info", "text", "worker")
    log().info("placed %d calls", 3, extra={"trunk": "simulated"})
    log().debug("not shown")
    (line,) = lines()
    at, rest = line.split(" ", 1)
    assert rest == "INFO worker dialer.flows.place: placed 3 calls trunk=simulated"
    assert at.endswith("Z") and at[10] == "T"


def test_json_is_one_object_a_line_with_the_extras(lines: Lines) -> None:
    configure("info", "json", "api")
    log().warning("slow\nanswer", extra={"seconds": 1.5, "level": "mine", "what": {1}})
    (line,) = lines()
    found: dict[str, Any] = json.loads(line)
    assert found.pop("at").endswith("Z")
    assert found == {
        "level": "warning",
        "role": "api",
        "logger": "dialer.flows.place",
        "message": "slow\nanswer",
        "seconds": 1.5,
        "what": "{1}",
    }


def test_a_message_cannot_forge_a_second_line(lines: Lines) -> None:
    configure("info", "text", "api")
    log().info("name %s", "x\n2026-01-01T00:00:00Z INFO forged\r")
    (line,) = lines()
    assert line.endswith("name x\\n2026-01-01T00:00:00Z INFO forged\\r")


@pytest.mark.parametrize("form", ["text", "json"])
def test_numbers_are_masked_in_message_arguments_extras_exceptions_and_stack(form: Literal["text", "json"], lines: Lines) -> None:
    configure("debug", form, "worker")
    log().info(f"a {NUMBER}")
    log().info("b %s", NUMBER, extra={"to": NUMBER})
    log().info("c %s %s", NUMBER)
    log().info("d", stack_info=True)
    try:
        try:
            raise ValueError(NUMBER)
        except ValueError as error:
            raise RuntimeError(f"again {NUMBER}") from error
    except RuntimeError:
        log().exception("e")
    text = "\n".join(lines())
    assert NUMBER not in text
    assert text.count("+4930…12") == 6
    assert "RuntimeError" in text and "Traceback" in text and "Stack (most recent call last)" in text


def test_arguments_that_do_not_fit_are_still_one_masked_line(lines: Lines) -> None:
    configure("info", "text", "worker")
    log().info("%d calls", NUMBER)
    log().info("%(x)s", {"to": NUMBER})
    first, second = lines()
    assert first.endswith("%d calls ('+4930…12',)")
    assert second.endswith("{'to': '+4930…12'}")


def test_foreign_loggers_take_the_same_way(lines: Lines) -> None:
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler())
    logging.getLogger("uvicorn").propagate = False
    configure("info", "text", "api")
    logging.getLogger("uvicorn.error").info("started for %s", NUMBER)
    logging.getLogger("uvicorn.access").info("GET /healthz")
    (line,) = lines()
    assert line.endswith("started for +4930…12")


def test_configuring_again_replaces(lines: Lines) -> None:
    configure("info", "json", "a")
    configure("error", "text", "b")
    log().warning("w")
    log().error("e")
    (line,) = lines()
    assert "ERROR b dialer.flows.place: e" in line
