"""What a carrier means by its own words, where a trunk's configuration says so: asked before any table.

Pure. A pattern cannot take for ever: it is at most `LONGEST_PATTERN` characters long, repeats no group and has at most
`REPEATS` unbounded repeats, and it is looked for in the first `LONGEST_TEXT` characters of a word. So it takes milliseconds at
the worst, once for each call that is over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from adapters.causes import PERHAPS_INVALID, Override, Verdict
from adapters.events import Fault, Outcome

LONGEST_PATTERN = 200
LONGEST_TEXT = 200
REPEATS = 2

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

_ESCAPED = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
"""What stands for one character, and holds no repeat however it looks."""
_REPEATED_GROUP = re.compile(r"\)(?:[*+]|\{)")
_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}")


def pattern(text: str) -> re.Pattern[str]:
    """The regular expression, which does not mind upper and lower case. Raises `ValueError` with problem and remedy."""
    if not text or len(text) > LONGEST_PATTERN:
        raise ValueError(f"has {len(text)} characters; write 1 to {LONGEST_PATTERN}")
    try:
        compiled = re.compile(text, re.IGNORECASE)
    except re.error as fault:
        raise ValueError(f"is no regular expression ({fault}); escape what is meant literally with a backslash") from None
    if compiled.search(""):
        raise ValueError("is found in every text; name a word of the carrier's")
    bare = _ESCAPED.sub("x", text)
    if _REPEATED_GROUP.search(bare):
        raise ValueError("repeats a group, which may take for ever; write it without")
    if len(_UNBOUNDED.findall(bare)) > REPEATS:
        raise ValueError(f"has more than {REPEATS} of * and +, which may take long; write {{0,20}} or a shorter pattern")
    return compiled


def meaning(word: str | None, readings: Iterable[Override]) -> Verdict | None:
    """What the first reading that is found in the carrier's word makes of it; None: none is."""
    text = (word or "")[:LONGEST_TEXT]
    return next((each.verdict for each in readings if text and each.pattern.search(text)), None)
