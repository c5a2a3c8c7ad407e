"""Tables within a trunk's options: read like the options themselves, their faults told under `place.id`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from adapters.options import Options
from adapters.webhook import paths
from adapters.webhook.paths import Path

T = TypeVar("T")


class Table(Options):
    """`known`: the keys there may be, any if None; another is a fault. `parent` gets the faults; without one, `finish` tells."""

    def __init__(
        self, given: Mapping[str, Any], known: Collection[str] | None = None, *, parent: Options | None = None, name: str = ""
    ) -> None:
        super().__init__(given)
        self._parent = parent
        self._name = name
        for key in [each for each in given if known is not None and each not in known]:
            self.fault(_shown(key), "not a key of this table", f"remove it or use one of {', '.join(known or ())}")

    def _full(self, key: str) -> str:
        """The name of a key from the trunk's own table on."""
        return self._parent._full(f"{self._name}.{key}") if isinstance(self._parent, Table) else key

    def fault(self, key: str, problem: str, remedy: str) -> None:
        if self._parent is None:
            super().fault(key, problem, remedy)
        else:
            self._parent.fault(f"{self._name}.{key}" if key else self._name, problem, remedy)

    def has(self, key: str) -> bool:
        return self._given.get(key) is not None

    def names(self) -> list[str]:
        return list(self._given)

    def values(self) -> list[Any]:
        return list(self._given.values())

    def raw(self, key: str) -> Any:
        """As it was written; an option's text that is a table or a list in JSON, as in the environment, as what it stands for."""
        value = self._given.get(key)
        if self._parent is None and isinstance(value, str) and value[:1] in ("{", "["):
            with suppress(ValueError):
                return json.loads(value)
        return value

    def table(self, key: str, known: Collection[str] | None = None, *, required: bool = False) -> Table | None:
        """The table of that name; None if there is none."""
        value = self.raw(key)
        if isinstance(value, Mapping):
            return Table({str(name): each for name, each in value.items()}, known, parent=self, name=key)
        if value is not None or required:
            problem = "missing" if value is None else "not a table"
            self.fault(key, problem, f"write it as a table of its own, [adapters.NAME.{self._full(key)}]")
        return None

    def tables(self, key: str, known: Collection[str]) -> list[Table]:
        """A list of tables, empty by default."""
        value = self.raw(key)
        if value is None:
            return []
        if isinstance(value, list) and all(isinstance(each, Mapping) for each in value):
            return [Table(dict(each), known, parent=self, name=f"{key}[{at}]") for at, each in enumerate(value)]
        self.fault(key, "not a list of tables", f"write each of them as [[adapters.NAME.{self._full(key)}]]")
        return []

    def read(self, key: str, of: Callable[[Any], T]) -> T | None:
        """What `of` makes of the value, None where there is none; the `ValueError` it raises is the fault."""
        value = self.raw(key)
        if value is None:
            return None
        try:
            return of(value)
        except ValueError as found:
            problem, _, remedy = str(found).partition("; ")
            self.fault(key, problem, remedy)
            return None

    def path(self, key: str, *, required: bool = False) -> Path | None:
        found = self.paths(key, most=1, required=required)
        return found[0] if found else None

    def paths(self, key: str, *, most: int = 8, required: bool = False) -> tuple[Path, ...]:
        """One path, or a list of up to `most`."""
        if not self.has(key):
            if required:
                self.fault(key, "missing", "set it to a path like data.calls[0].id")
            return ()
        given = self.raw(key)
        each = given if isinstance(given, list) else [given]
        try:
            if not 1 <= len(each) <= most or not all(isinstance(one, str) for one in each):
                raise ValueError("not a path; write it like data.calls[0].id")
            return tuple(paths.parse(one) for one in each)
        except ValueError as found:
            problem, _, remedy = str(found).partition("; ")
            self.fault(key, problem, remedy)
            return ()

    def choices(self, key: str, choices: Mapping[str, T], *, required: bool = False) -> dict[str, T]:
        """A table from the provider's words to ours, which `choices` names."""
        table = self.table(key, required=required)
        if table is None:
            return {}
        found = {}
        for each, ours in zip(table.names(), table.values(), strict=True):
            if isinstance(ours, str) and ours in choices:
                found[each] = choices[ours]
            else:
                table.fault(_shown(each), "does not stand for a word of ours", f"write one of {', '.join(choices)}")
        return found

    def whole_list(self, key: str, low: int, high: int) -> frozenset[int]:
        """One whole number from `low` to `high`, or a list of some."""
        given = self.raw(key)
        each = given if isinstance(given, list) else [given]
        if each and all(isinstance(one, int) and not isinstance(one, bool) and low <= one <= high for one in each):
            return frozenset(each)
        self.fault(key, "missing" if given is None else f"not a number from {low} to {high}, or a list of some", "set it")
        return frozenset()

    def text_list(self, key: str) -> frozenset[str]:
        """A list of words, none by default."""
        given = self.raw(key)
        if given is None:
            return frozenset()
        if isinstance(given, list) and given and all(isinstance(one, str) and one for one in given):
            return frozenset(given)
        self.fault(key, "not a list of words", f'write it like {key} = ["word"]')
        return frozenset()


def _shown(key: str) -> str:
    """A key as a fault may name it: whatever else it is may not be read as more of the fault."""
    return key if re.fullmatch(r"[\w.-]{1,60}", key) else "…"
