"""Reading a trunk's own table of the config file: every fault found, then all of them told at once.

A secret reaches an adapter as text. Whether it stood in the file, in `KEY_file = "/run/secrets/x"` or in the environment
(`DIALER_ADAPTERS__NAME__KEY`, `…__KEY_FILE`) is settled before, by the settings, for each option whose name says that it is one
(`is_secret`). What comes from the environment is text, so numbers, flags and tables are read from text too. No value of an option
is ever quoted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

_SECRET = re.compile(r"(^|_)(token|secret|password|key|credentials?)$")
_WEB = ("http", "https")
_FLAGS = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False, "1": True, "0": False}


def is_secret(name: str) -> bool:
    """Whether an option of that name is a secret, so that `<name>_file` may name a file that holds it: it ends in token, secret,
    password, key, credential or credentials."""
    return bool(_SECRET.search(name))


class Secret(str):
    """Text that does not show in a repr: not in a dataclass's, not in a traceback with local variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"


class Options:
    """Reads the options one by one, then `finish()` raises what was wrong with any of them.

    Without a `default` an option is required; where it is wrong, something harmless of its type is returned, which `finish`
    keeps from being used. Each option is asked for once, in the order in which its faults shall be told.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self._faults: list[str] = []

    def fault(self, key: str, problem: str, remedy: str) -> None:
        """Something else is wrong, such as two options that exclude each other. Quote no value."""
        self._faults.append(f"{key}: {problem}; {remedy}")

    def finish(self) -> None:
        """Raises `ValueError` with one line per fault, if there is any."""
        if self._faults:
            raise ValueError("\n".join(self._faults))

    def text(self, key: str, *, default: str | None = None, form: str = "", example: str = "") -> str:
        """A text of at least one character. `form`: a regular expression that the whole of it matches; `example` shows one."""
        value = self._given.get(key, default)
        if value is None:
            self.fault(key, "missing", f"set it{_like(example)}")
        elif not isinstance(value, str) or (not value and default != ""):
            self.fault(key, "not a text, or an empty one", f"write it in quotes{_like(example)}")
        elif value and form and re.fullmatch(form, value) is None:
            self.fault(key, "not of the form that is expected", f"write it{_like(example) or f' as {form}'}")
        else:
            return value
        return ""

    def secret(self, key: str, *, default: str | None = None) -> Secret:
        """A secret, wherever it was written. Raises `TypeError` if the name does not say that it is one: then the settings would
        not read it from a file."""
        if not is_secret(key):
            raise TypeError(f"the option {key!r} is a secret and must be named so: see adapters.options.is_secret")
        value = self._given.get(key, default)
        if isinstance(value, str) and (value.strip() or default == ""):
            return Secret(value)
        problem = "missing" if value is None else "not a text, or an empty one"
        self.fault(key, problem, f"set it, or {key}_file to the path of a file that holds it")
        return Secret()

    def url(self, key: str, *, default: str | None = None, schemes: Collection[str] = _WEB, example: str = "") -> str:
        """An address with a host, of one of the schemes (http, https, ws, wss), without a slash at its end. A password in it is
        refused: addresses show in logs."""
        value = self._given.get(key, default)
        names = " or ".join(schemes)
        remedy = f"write it{_like(example or f'{next(iter(schemes))}://host')}"
        try:
            if value is None:
                self.fault(key, "missing", remedy)
                return ""
            parts = urlsplit(value if isinstance(value, str) else "")
            good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and not parts.fragment
        except ValueError:
            good = False
        if not good:
            self.fault(key, f"not an {names} address", remedy)
        elif parts.username is not None or parts.password is not None:
            self.fault(key, "holds a user or a password", "leave them out, a secret is an option of its own")
        else:
            return str(value).rstrip("/")
        return ""

    def number(self, key: str, *, low: float, high: float, default: float | None = None, unit: str = "") -> float:
        """A number from `low` to `high`."""
        value = _number(self._given.get(key, default))
        if value is not None and low <= value <= high:
            return value
        self._out_of_range(key, "a number", low, high, default, unit)
        return low

    def whole(self, key: str, *, low: int, high: int, default: int | None = None, unit: str = "") -> int:
        """A whole number from `low` to `high`."""
        value = _number(self._given.get(key, default))
        if value is not None and low <= value <= high and value == int(value):
            return int(value)
        self._out_of_range(key, "a whole number", low, high, default, unit)
        return low

    def choice(self, key: str, choices: Collection[str], *, default: str | None = None) -> str:
        """One of the words."""
        value = self._given.get(key, default)
        if isinstance(value, str) and value in choices:
            return value
        self.fault(key, "missing" if value is None else "not one of the choices", f"write one of {', '.join(choices)}")
        return next(iter(choices))

    def flag(self, key: str, *, default: bool) -> bool:
        """Yes or no."""
        value = self._given.get(key, default)
        if isinstance(value, str):
            value = _FLAGS.get(value.strip().lower())
        if isinstance(value, bool):
            return value
        self.fault(key, "neither true nor false", f"write one of them, or leave it out for {str(default).lower()}")
        return default

    def texts(self, key: str) -> Mapping[str, str]:
        """A table of texts, empty by default; from the environment a JSON object."""
        value = self._given.get(key, {})
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                value = None
        if isinstance(value, Mapping) and all(isinstance(each, str) for pair in value.items() for each in pair):
            return dict(value)
        self.fault(key, "not a table of texts", f'write it like {key} = {{ name = "text" }}')
        return {}

    def _out_of_range(self, key: str, kind: str, low: float, high: float, default: float | None, unit: str) -> None:
        of = f" of {unit}" if unit else ""
        remedy = "set it" if default is None else f"leave it out for {default:g}"
        self.fault(key, f"not {kind}{of} from {low:g} to {high:g}", remedy)


def _like(example: str) -> str:
    return f" like {example}" if example else ""


def _number(value: object) -> float | None:
    try:
        found = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None
