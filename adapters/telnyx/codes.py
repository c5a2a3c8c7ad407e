"""Telnyx's D-codes, which stand in the reason of a refused call, and its errors to a placement.

A SIP 403 of Telnyx's may be a limit on channels, a caller ID or an account; a 404 a number that nobody has, a bill or a missing
route. So the D-code decides, and one that is not in the table blames the trunk: it never ends a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters import http
from adapters.causes import Override
from adapters.errors import Ambiguous, PlaceError, RateLimited, Rejected
from adapters.events import Fault, Outcome

_LIMIT = Override(
    re.compile(r"\bD(1|2|3|22|24)\b|(?i:channel limit|cps limit)"),  # channels, calls per second
    (Outcome.UNREACHABLE, Fault.TRUNK),
)
_NUMBER = Override(re.compile(r"\bD11\b"), (Outcome.INVALID_NUMBER, Fault.NUMBER))
_CONFIG = Override(re.compile(r"\bD(19|35|36|38)\b"), (Outcome.UNREACHABLE, Fault.CONFIG))  # billing, caller ID
_OTHER = Override(re.compile(r"\bD\d{1,3}\b"), (Outcome.UNREACHABLE, Fault.TRUNK))  # D18 and D40, no route, among them

OVERRIDES = (_LIMIT, _NUMBER, _CONFIG, _OTHER)
"""In this order, for `causes.judge`."""

_TOO_MANY = "10011"
_GONE = frozenset({"90015", "90018"})  # no such call control id; the call has ended
_GONE_WORDS = re.compile(r"\bended\b|no longer active", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Errors:
    """What an answer's list of errors says: the codes, and all titles and details in one text."""

    codes: tuple[str, ...]
    text: str


def refused(answer: http.Answer) -> PlaceError:
    """What an answer to a placement that is no 2xx says; without a code that tells more, as `http.refused`."""
    general = http.refused(answer)
    if isinstance(general, Ambiguous | RateLimited):
        return general
    said, wait = _errors(answer), general.retry_after
    if _TOO_MANY in said.codes or _LIMIT.pattern.search(said.text):
        return RateLimited("Telnyx says that there are too many calls or requests", retry_after=wait)
    for override in OVERRIDES:
        if found := override.pattern.search(said.text):
            code, (_, fault) = found[0], override.verdict
            return Rejected(f"Telnyx refused the call with {code}", fault=fault, cause=code, retry_after=wait)
    if isinstance(general, Rejected) and said.codes:
        code = said.codes[0]
        return Rejected(f"{general}, error {code}", fault=general.fault, cause=code, retry_after=wait)
    return general


def gone(answer: http.Answer) -> bool:
    """Whether this answer to a hang-up says that the call is over, or not there at all."""
    if answer.status in {404, 410}:
        return True
    if answer.status not in http.OF_THE_REQUEST:
        return False
    said = _errors(answer)
    return bool(_GONE.intersection(said.codes) or _GONE_WORDS.search(said.text))


def _errors(answer: http.Answer) -> _Errors:
    try:
        listed = answer.json()["errors"]
        errors: list[Mapping[str, Any]] = [each for each in listed if isinstance(each, Mapping)]
    except (ValueError, LookupError, TypeError):
        errors = []
    # Only a code's characters: what is quoted must not be able to hold a number or a key.
    codes = tuple(code for code in (str(each.get("code", "")) for each in errors) if re.fullmatch(r"\w{1,8}", code))
    return _Errors(codes, " ".join(str(each.get(key, "")) for each in errors for key in ("title", "detail")))
