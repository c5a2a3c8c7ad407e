"""Reading the options of a trunk: what is taken, what each mistake is told, and that no value is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import registry
from adapters.options import Options, Secret, is_secret

Read = Callable[[Options], object]


@pytest.mark.parametrize(
    ("value", "read", "expected"),
    [
        ("AC1", lambda options: options.text("a", form="AC.+"), "AC1"),
        (None, lambda options: options.text("a", default="eu"), "eu"),
        (None, lambda options: options.text("a", default=""), ""),
        (" k ", lambda options: options.secret("a_key"), " k "),
        (None, lambda options: options.secret("a_key", default=""), ""),
        ("https://h:8/p/", lambda options: options.url("a"), "https://h:8/p"),
        ("wss://h/p?x=1", lambda options: options.url("a", schemes=("ws", "wss")), "wss://h/p?x=1"),
        (None, lambda options: options.url("a", default="https://api.example.com"), "https://api.example.com"),
        (0.5, lambda options: options.number("a", low=0, high=1), 0.5),
        ("0.5", lambda options: options.number("a", low=0, high=1), 0.5),
        ("7", lambda options: options.whole("a", low=1, high=9), 7),
        (None, lambda options: options.whole("a", low=1, high=9, default=3), 3),
        ("b", lambda options: options.choice("a", ("a", "b")), "b"),
        (True, lambda options: options.flag("a", default=False), True),
        ("Off", lambda options: options.flag("a", default=True), False),
        ({"x": "y"}, lambda options: options.texts("a"), {"x": "y"}),
        ('{"x": "y"}', lambda options: options.texts("a"), {"x": "y"}),
        (None, lambda options: options.texts("a"), {}),
    ],
)
def test_what_is_right_is_taken_from_file_and_environment(value: object, read: Read, expected: object) -> None:
    options = Options({} if value is None else {"a": value, "a_key": value})
    assert read(options) == expected
    options.finish()


SCREAM = "Hunter2"


@pytest.mark.parametrize(
    ("values", "read", "told"),
    [
        ([None], lambda options: options.text("a", example="AC12"), "a: missing; set it like AC12"),
        (["", 5, [SCREAM]], lambda options: options.text("a"), "a: not a text, or an empty one; write it in quotes"),
        ([SCREAM], lambda options: options.text("a", form="AC.+"), "a: not of the form that is expected; write it as AC.+"),
        ([None], lambda options: options.secret("a_key"), "a_key: missing; set it, or a_key_file to the path"),
        (
            ["", "  ", [SCREAM]],
            lambda options: options.secret("a_key"),
            "a_key: not a text, or an empty one; set it, or a_key_file",
        ),
        ([None], lambda options: options.url("a"), "a: missing; write it like http://host"),
        (
            [5, SCREAM, f"ftp://{SCREAM}", "http://", f"http://h:{SCREAM}", f"http://[{SCREAM}", f"http://h#{SCREAM}"],
            lambda options: options.url("a"),
            "a: not an http or https address; write it like http://host",
        ),
        ([f"http://u:{SCREAM}@h"], lambda options: options.url("a"), "a: holds a user or a password; leave them out"),
        (
            [SCREAM, True, 2, -1, float("nan"), "inf", [SCREAM]],
            lambda options: options.number("a", low=0, high=1, default=0.5, unit="seconds"),
            "a: not a number of seconds from 0 to 1; leave it out for 0.5",
        ),
        ([None, 1.5, "1.5"], lambda options: options.whole("a", low=0, high=9), "a: not a whole number from 0 to 9; set it"),
        ([SCREAM, 1, []], lambda options: options.choice("a", ("b", "c")), "a: not one of the choices; write one of b, c"),
        ([SCREAM, 1, None], lambda options: options.flag("a", default=True), "a: neither true nor false; write one of them"),
        (
            [SCREAM, 1, {"x": 1}, "[]", {"x": [SCREAM]}],
            lambda options: options.texts("a"),
            "a: not a table of texts; write it like",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_remedy_and_without_its_value(values: list[object], read: Read, told: str) -> None:
    for value in values:
        options = Options({"a": value, "a_key": value})
        read(options)
        with pytest.raises(ValueError, match=r"^a(_key)?: [^;\n]+; [^;\n]+$") as raised:
            options.finish()
        assert str(raised.value).startswith(told)
        assert SCREAM not in str(raised.value)


def test_all_faults_come_at_once_one_a_line() -> None:
    options = Options({"b": 5})
    options.text("a")
    options.number("b", low=0, high=1, default=0)
    options.fault("c", "excludes a", "remove one of the two")
    with pytest.raises(ValueError) as raised:
        options.finish()
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == ["a", "b", "c"]


def test_a_secret_does_not_show_and_is_named_as_one() -> None:
    secret = Options({"auth_token": SCREAM}).secret("auth_token")
    assert secret == SCREAM and SCREAM not in repr([secret])
    assert isinstance(secret, Secret)
    with pytest.raises(TypeError, match="must be named so"):
        Options({}).secret("webhook")
    assert not is_secret("tokens") and is_secret("webhook_secret")


class Watched(Mapping[str, Any]):
    """Options that know which of them were asked for."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given, self.asked = given, set[str]()

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return self.given[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.given)

    def __len__(self) -> int:
        return len(self.given)


@pytest.mark.parametrize("kind", registry.BUILT_IN)
@given(value=st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers(), max_size=2)))
def test_every_built_in_adapter_reads_what_it_declares_and_faults_whatever_makes_no_sense(kind: str, value: object) -> None:
    spec = registry.spec(kind)
    options = Watched(dict.fromkeys(spec.options, value))
    try:
        spec.build("trunk", options)
    except ValueError as found:
        for line in str(found).splitlines():
            key, _, rest = line.partition(": ")
            assert key.partition(".")[0] in spec.options and all(rest.partition("; "))
    assert options.asked == set(spec.options)
