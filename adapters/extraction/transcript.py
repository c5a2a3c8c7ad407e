"""What was said in a call, as adapters keep it: a text, or turns of {role, text}; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

LONGEST: Final = 100_000
"""Characters of a transcript that are looked at, which is more than an hour of talk; what comes behind them is left out."""

_SINGLE: Final = "‘’‚‛"
_DOUBLE: Final = "“”„‟«»"
_PLAIN: Final = str.maketrans({**dict.fromkeys(_SINGLE, "'"), **dict.fromkeys(_DOUBLE, '"')})


def plain(text: str) -> str:
    """The text as quotes are compared: white space, case and typographic quotation marks do not count, everything else does."""
    return " ".join(text.translate(_PLAIN).casefold().split())


@dataclass(frozen=True, slots=True)
class Transcript:
    """`turns`: who spoke (empty: unknown) and what was said."""

    turns: tuple[tuple[str, str], ...]
    _plain: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, raw: Any) -> Self:
        """What can be read of it; nothing, of what has another form."""
        given = raw if isinstance(raw, list) else [{"text": raw}]
        turns, left = [], LONGEST
        for each in given:
            text = each.get("text") if isinstance(each, Mapping) else None
            if isinstance(text, str) and text.strip() and left > 0:
                role = each.get("role")
                turns.append((role.strip()[:40] if isinstance(role, str) else "", text.strip()[:left]))
                left -= len(text)
        return cls(tuple(turns), tuple(plain(text) for _, text in turns))

    def __bool__(self) -> bool:
        return bool(self.turns)

    @property
    def text(self) -> str:
        """For the model: a line a turn."""
        return "\n".join(f"{role}: {text}" if role else text for role, text in self.turns)

    def holds(self, quote: str) -> bool:
        """Whether these words were said, in one turn. Signs without a letter or a digit are no words."""
        sought = plain(quote)
        return any(map(str.isalnum, sought)) and any(sought in turn for turn in self._plain)
