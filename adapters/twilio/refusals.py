"""What Twilio's refusal of a placement says. Pure.

By its error code where that is certain, else by the HTTP status alone. Codes that speak of just one destination are the fault of
the request, not of the configuration: a country that is not permitted must hold up its own campaign, not the whole trunk.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.errors import PlaceError, RateLimited, Rejected
from adapters.events import Fault
from adapters.http import Answer, refused, retry_after

READ = frozenset({400, 401, 403, 404, 429})
"""Statuses with which nothing was placed, so that the code may say why."""

THROTTLES: Mapping[int, float | None] = {20429: None, 10004: None, 22005: 600.0}
"""Code → seconds to wait where Twilio does not say: too many requests, too many calls at once, a queue of more than 24 hours."""

FAULTS: Mapping[int, tuple[Fault, str]] = {
    21211: (Fault.NUMBER, "the number is invalid"),
    21217: (Fault.NUMBER, "the number is invalid"),
    21201: (Fault.REQUEST, "no number was given"),
    21202: (Fault.REQUEST, "calls to premium numbers are not permitted"),
    21203: (Fault.REQUEST, "international calls are not permitted"),
    21215: (Fault.REQUEST, "calls to this country are not permitted"),
    21216: (Fault.REQUEST, "calls to this destination are blocked"),
    13223: (Fault.REQUEST, "the number cannot be reached by Twilio"),
    13224: (Fault.CALLEE, "the number is invalid, or cannot be reached by Twilio"),
    13225: (Fault.REQUEST, "the number cannot be reached by Twilio"),
    13226: (Fault.REQUEST, "the number cannot be reached by Twilio"),
    13227: (Fault.REQUEST, "calls to this country are not permitted"),
    21210: (Fault.CONFIG, "the caller ID is not verified"),
    21212: (Fault.CONFIG, "the caller ID is invalid"),
    21213: (Fault.CONFIG, "no caller ID was given"),
    21219: (Fault.CONFIG, "a trial account calls verified numbers only"),
    20003: (Fault.CONFIG, "the credentials are refused"),
    20005: (Fault.CONFIG, "the account is not active"),
    10001: (Fault.CONFIG, "the account is not active"),
}
"""Code → whose fault, and what it means (twilio.com/docs/api/errors). Only the two of them that are certain end a number at once;
that of CALLEE does when it comes again on another day."""


def refusal(answer: Answer) -> PlaceError:
    """What any answer to a placement but a 2xx says."""
    code = _code(answer) if answer.status in READ else 0
    wait = retry_after(answer.headers)
    if code in THROTTLES:
        return RateLimited(f"Twilio asked to slow down (error {code})", retry_after=wait if wait is not None else THROTTLES[code])
    if code in FAULTS and answer.status != 429:
        fault, meaning = FAULTS[code]
        return Rejected(f"Twilio says: {meaning} (error {code})", fault=fault, cause=f"twilio_{code}", retry_after=wait)
    return refused(answer)


def _code(answer: Answer) -> int:
    """0 if there is none."""
    try:
        code = answer.json()["code"]
    except (ValueError, KeyError, TypeError):
        return 0
    return code if isinstance(code, int) else 0
