"""`--setting NAME=VALUE`: settings of a campaign as they are typed, under the names and in the words of the API."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from dialer.cli.context import Failed


def settings_given(written: Sequence[str], options: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The settings of `options` (None = not given) and those `written`; `names` are all that there are, in both spellings. A
    value is JSON, or else text. Raises Failed, for a name that is none too: the API keeps unknown keys, but nobody types them on
    purpose, and a cap under a wrong name would hold nobody back."""
    given = {name: value for name, value in options.items() if value is not None}
    for each in written:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise Failed(f"--setting {each}: write it as NAME=VALUE, such as priority=5")
        if name not in names:
            close = get_close_matches(name, names, 1)
            raise Failed(f"--setting {name}: is no setting" + (f"; did you mean {close[0]}?" if close else ""))
        if name in given:
            raise Failed(f"--setting {name}: is given more than once, or by an option of its own as well; give it once")
        given[name] = _value(name, text)
    return given


def _value(name: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError as fault:
        if text.startswith(("[", "{", '"')):
            raise Failed(f"--setting {name}: begins like JSON and cannot be read as such ({fault}); put it into quotes") from None
        return text


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)
