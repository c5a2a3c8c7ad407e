"""As much of a dialplan as the context needs that adapters/README.md tells operators to write: it is run as it stands there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import adapters

_README = Path(adapters.__file__).with_name("README.md")
_CUT = re.compile(r"(.*):(\d+):(\d+)", re.DOTALL)


@cache
def context(name: str) -> Sequence[str]:
    """The steps of a context of adapters/README.md."""
    text = _README.read_text(encoding="utf-8")
    block = text.partition(f"[{name}]\n")[2].partition("```")[0]
    assert block, f"no context [{name}]"
    return [line.split(",", 2 if line.startswith("exten") else 1)[-1] for line in block.strip().splitlines()]


def run(steps: Sequence[str], known: Mapping[str, str]) -> Mapping[str, str]:
    """What it sets, in order. `known`: variables, and functions with their arguments; a variable that is not there is empty."""
    done: dict[str, str] = {}
    for step in steps:
        application, _, arguments = step.removesuffix(")").partition("(")
        assert application in {"Set", "Return"}, step
        if application == "Set":
            name, _, value = arguments.partition("=")
            done[_filled(name, {**known, **done})] = _filled(value, {**known, **done})
    assert steps[-1] == "Return()"
    return done


def _filled(text: str, known: Mapping[str, str]) -> str:
    """As Asterisk does it: what is filled in is not looked at again."""
    filled, rest = "", text
    while "${" in rest:
        before, _, rest = rest.partition("${")
        depth, end = 1, 0
        while depth:
            depth += {"{": 1, "}": -1}.get(rest[end], 0)
            end += 1
        filled += before + _value(_filled(rest[: end - 1], known), known)
        rest = rest[end:]
    return filled + rest


def _value(wanted: str, known: Mapping[str, str]) -> str:
    if wanted not in known and (cut := _CUT.fullmatch(wanted)):
        start, length = int(cut[2]), int(cut[3])
        return known.get(cut[1], "")[start : start + length]
    assert "(" not in wanted or wanted in known, f"no function {wanted}"
    return known.get(wanted, "")
