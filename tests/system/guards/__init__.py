"""The guards of the code, as a list to be taken away one by one (scenario 38): files of TOML beside this one, by layer.

A guard is a few words of the code that keep something from happening. `text` has to stand in `file` exactly once; with `instead`
in its place each of `tests` has to turn red, by an assertion. A test of the architecture asks whether texts and tests are still
there, so that the list goes with the code.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Guard:
    """`law`: one of I1 … I8, or the scenario that tells of it. `protects`: what must not happen without it."""

    name: str
    law: str
    protects: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...]

    def removed(self, source: str) -> str:
        """What its file says without it. Raises `LookupError` where its text does not stand exactly once."""
        if (found := source.count(self.text)) != 1:
            raise LookupError(f"the text of the guard {self.name!r} stands {found} times in {self.file}")
        return source.replace(self.text, self.instead)


@cache
def guards() -> tuple[Guard, ...]:
    files = sorted(Path(__file__).parent.glob("*.toml"))
    told = [each for file in files for each in tomllib.loads(file.read_text(encoding="utf-8"))["guard"]]
    return tuple(Guard(**{**each, "tests": tuple(each["tests"])}) for each in told)
