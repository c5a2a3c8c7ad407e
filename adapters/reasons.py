"""What a carrier means by its own words, where a trunk's configuration says so: asked before any table.

Pure. A pattern runs on the event loop, where nothing can interrupt it, and optional parts alone double its time with each of
them. So it is refused unless it can go at most `MOST_WAYS` ways through a text, and it is looked for in the first `LONGEST_TEXT`
characters of a word: the worst that is taken needs some 40 ms (measured), once for each call that is over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from adapters.causes import PERHAPS_INVALID, Override, Verdict
from adapters.events import Fault, Outcome

LONGEST_PATTERN = 200
LONGEST_TEXT = 160
MOST_WAYS = (LONGEST_TEXT + 1) ** 2
"""Two unbounded repeats, or fourteen optional parts."""

MEANINGS: Mapping[str, Verdict] = {
    "invalid": (Outcome.INVALID_NUMBER, Fault.NUMBER),
    "perhaps_invalid": PERHAPS_INVALID,
    "busy": (Outcome.BUSY, Fault.CALLEE),
    "no_answer": (Outcome.NO_ANSWER, Fault.CALLEE),
    "declined": (Outcome.DECLINED, Fault.CALLEE),
    "blocked": (Outcome.BLOCKED, Fault.CALLEE),
    "trunk": (Outcome.UNREACHABLE, Fault.TRUNK),
    "config": (Outcome.UNREACHABLE, Fault.CONFIG),
}
"""What a word may stand for. Not that somebody was reached: that is a fact, and no matter of wording."""

_parse = import_module("re._parser").parse
"""`re` itself does not show how a pattern is made. The same in 3.11 to 3.14."""
_ONE_WAY = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT"})


def pattern(text: str) -> re.Pattern[str]:
    """The regular expression, which does not mind upper and lower case. Raises `ValueError` with problem and remedy."""
    if not text or len(text) > LONGEST_PATTERN:
        raise ValueError(f"has {len(text)} characters; write 1 to {LONGEST_PATTERN}")
    try:
        compiled = re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as fault:
        raise ValueError(f"is no regular expression ({fault}); escape what is meant literally with a backslash") from None
    if compiled.search(""):
        raise ValueError("is found in every text; name a word of the carrier's")
    if _ways(_parse(text)) > MOST_WAYS:
        raise ValueError("may take long on some texts; write at most two of * and +, few of ? and {m,n}, and repeat no choice")
    return compiled


def meaning(word: str | None, readings: Iterable[Override]) -> Verdict | None:
    """What the first reading that is found in the carrier's word makes of it; None: none is."""
    text = (word or "")[:LONGEST_TEXT]
    return next((each.verdict for each in readings if text and each.pattern.search(text)), None)


def _ways(parsed: Iterable[tuple[Any, Any]]) -> int:
    """In how many ways a part of a pattern can go through a text, at the most; above `MOST_WAYS` where nobody can say."""
    ways = 1
    for operation, of in parsed:
        match str(operation):
            case "SUBPATTERN":
                ways *= _ways(of[3])
            case "BRANCH":
                ways *= sum(_ways(each) for each in of[1])
            case "MAX_REPEAT" | "MIN_REPEAT":
                least, most, inner = int(of[0]), min(int(of[1]), LONGEST_TEXT), _ways(of[2])
                if inner > 1 and most > 1:
                    return MOST_WAYS + 1
                ways *= inner + 1 if inner > 1 else max(most - least, 0) + 1
            case name if name not in _ONE_WAY:
                return MOST_WAYS + 1
    return ways
