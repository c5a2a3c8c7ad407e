"""What a hang-up cause means: one table of SIP codes and Q.850 causes for every carrier.

Promises: the SIP code is believed before the Q.850 cause, because switches derive the latter from the former and disagree (403
and 603 both become 21); a cause nobody knows blames the trunk, so that it never kills a number. It does not read vendors' own
words: each adapter's translate.py does, and asks here for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapters.events import Fault, Outcome

Verdict = tuple[Outcome, Fault]

_INVALID: Verdict = (Outcome.INVALID_NUMBER, Fault.NUMBER)
PERHAPS_INVALID: Verdict = (Outcome.INVALID_NUMBER, Fault.CALLEE)
"""What a carrier says that is not certain, or that has been seen of numbers that are in use. It has to say so twice."""
_BUSY: Verdict = (Outcome.BUSY, Fault.CALLEE)
_NO_ANSWER: Verdict = (Outcome.NO_ANSWER, Fault.CALLEE)
_DECLINED: Verdict = (Outcome.DECLINED, Fault.CALLEE)
_ANSWERED: Verdict = (Outcome.ANSWERED, Fault.NONE)
_CANCELLED: Verdict = (Outcome.CANCELLED, Fault.NONE)
_TRUNK: Verdict = (Outcome.UNREACHABLE, Fault.TRUNK)
_CONFIG: Verdict = (Outcome.UNREACHABLE, Fault.CONFIG)
_BLOCKED: Verdict = (Outcome.BLOCKED, Fault.CALLEE)

SIP: Mapping[int, Verdict] = {
    404: _INVALID,
    410: PERHAPS_INVALID,
    484: _INVALID,
    485: _INVALID,
    604: _INVALID,
    607: (Outcome.BLOCKED, Fault.NUMBER),  # "Unwanted": the callee asked not to be called again
    486: _BUSY,
    600: _BUSY,
    480: _NO_ANSWER,
    487: _NO_ANSWER,
    603: _DECLINED,
    608: _BLOCKED,  # rejected by analytics on the callee's side
    401: _CONFIG,
    402: _CONFIG,
    403: _CONFIG,
    407: _CONFIG,
    428: _CONFIG,
    436: _CONFIG,
    437: _CONFIG,
    438: _CONFIG,
    488: _CONFIG,
    606: _CONFIG,
}
"""Final SIP codes of an unanswered call (RFC 3261, 8197, 8224, 8688). Every other code is the trunk's fault. A 603 whose reason
says so is a block by analytics (ATIS-1000099)."""

Q850: Mapping[int, Verdict] = {
    1: _INVALID,
    22: _INVALID,
    28: _INVALID,
    17: _BUSY,
    18: _NO_ANSWER,
    19: _NO_ANSWER,
    20: _NO_ANSWER,
    31: _NO_ANSWER,
    21: _DECLINED,
    16: _CANCELLED,
    29: _CONFIG,
    50: _CONFIG,
    52: _CONFIG,
    57: _CONFIG,
}
"""Q.850 causes of an unanswered call. Every other cause is the trunk's fault."""


_BLOCKED_BY_ANALYTICS = re.compile(r"network blocked|\bv=analytics", re.IGNORECASE)
"""How a 603 of ATIS-1000099 ("603+") differs from one by the callee: its reason phrase, and the text of its Reason header."""


@dataclass(frozen=True, slots=True)
class Override:
    """A carrier's private meaning: where `pattern` is found in the reason text, it decides, whatever the code says."""

    pattern: re.Pattern[str]
    verdict: Verdict


def judge(
    *,
    sip: int | None = None,
    q850: int | None = None,
    rang: bool,
    answered: bool = False,
    reason: str = "",
    overrides: Iterable[Override] = (),
) -> Verdict:
    """The outcome of a call that is over and whose fault it was.

    `rang`: a 180 or 183 was seen. `sip` must be a code the network sent: a switch that makes one up when its own ring timer
    runs out (Asterisk: 480) must be asked with `sip=None`. A dead trunk looks like an unanswered phone but never rings, so
    NO_ANSWER needs a ring or a real 480; without either the trunk is blamed.
    """
    if answered:
        return _ANSWERED
    for override in overrides:
        if override.pattern.search(reason):
            return override.verdict
    if sip == 603 and _BLOCKED_BY_ANALYTICS.search(reason):
        return _BLOCKED
    if sip is not None:
        verdict = SIP.get(sip, _TRUNK)
    elif q850 is not None:
        verdict = Q850.get(q850, _TRUNK)
    else:
        verdict = _NO_ANSWER
    if verdict is _NO_ANSWER and not rang and sip != 480:
        return _TRUNK
    return verdict
