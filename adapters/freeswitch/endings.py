"""FreeSWITCH's words for how a call ended, and for why none was made. Pure.

The SIP code comes first: FreeSWITCH makes CALL_REJECTED of 403 and 603, and NO_ROUTE_DESTINATION of 604. Its number of the Q.850
cause is never judged by, for words of its own, such as DOES_NOT_EXIST_ANYWHERE, have none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters.causes import Override, Verdict, judge
from adapters.errors import PlaceError, RateLimited, Rejected
from adapters.events import Fault, Outcome

_Q850: Mapping[str, int] = {
    "UNALLOCATED_NUMBER": 1,
    "USER_BUSY": 17,
    "NO_USER_RESPONSE": 18,
    "NO_ANSWER": 19,
    "SUBSCRIBER_ABSENT": 20,
    "CALL_REJECTED": 21,
    "NUMBER_CHANGED": 22,
    "INVALID_NUMBER_FORMAT": 28,
    "FACILITY_REJECTED": 29,
    "NORMAL_UNSPECIFIED": 31,
    "FACILITY_NOT_SUBSCRIBED": 50,
    "OUTGOING_CALL_BARRED": 52,
    "BEARERCAPABILITY_NOTAUTH": 57,
    # FreeSWITCH's own timers.
    "NO_PICKUP": 19,
    "PROGRESS_TIMEOUT": 19,
    "ALLOTTED_TIMEOUT": 19,
}
"""Words → Q.850 causes, where it matters which; every other word is the trunk's fault, as every other cause is."""
_SIP: Mapping[str, int] = {
    "BUSY_EVERYWHERE": 600,
    "DECLINE": 603,
    "DOES_NOT_EXIST_ANYWHERE": 604,
    "NOT_ACCEPTABLE": 606,
    "UNWANTED": 607,
    "ORIGINATOR_CANCEL": 487,
}
"""Words that FreeSWITCH makes of one SIP code alone."""
_NORMAL = frozenset({"NORMAL_CLEARING", "MANAGER_REQUEST", "NONE", "SUCCESS", ""})
"""Words of a call that was answered, or that we hung up."""
_OF_CONFIG = frozenset({"INVALID_GATEWAY", "INVALID_PROFILE", "INVALID_URL", "CHAN_NOT_IMPLEMENTED"})
_OF_TRUNK = frozenset({"GATEWAY_DOWN", "USER_NOT_REGISTERED"})
_FULL = Override(re.compile(r"channel limit|cps limit|\bD(1|2|3|22|24)\b", re.IGNORECASE), (Outcome.UNREACHABLE, Fault.TRUNK))
"""Reason phrases of trunks that say so, mostly with a 403, when too much is asked of them."""


def verdict(
    word: str,
    *,
    sip: int | None = None,
    rang: bool | None,
    answered: bool | None,
    reason: str = "",
    limit_403: bool = False,
) -> Verdict:
    """How an ended call is judged. `rang` and `answered` are None where that was not told: then the phone is taken to have rung,
    and a normal end to be one of which nobody knows."""
    if answered:
        return Outcome.ANSWERED, Fault.NONE
    if sip == 487 and word != "ORIGINATOR_CANCEL":
        sip = None  # the network's answer to our own hang-up
    if sip is None and word in _NORMAL:
        return (Outcome.UNKNOWN, Fault.CALLEE) if answered is None else (Outcome.CANCELLED, Fault.NONE)
    if sip is None and word in _OF_CONFIG:
        return Outcome.UNREACHABLE, Fault.CONFIG
    if sip == 403 and limit_403:
        return Outcome.UNREACHABLE, Fault.TRUNK
    sip = sip or _SIP.get(word)
    # 127: a cause that is the trunk's fault, as a word that nobody knows is.
    return judge(sip=sip, q850=_Q850.get(word, 127), rang=rang is not False, reason=reason, overrides=(_FULL,))


def refusal(word: str) -> PlaceError | None:
    """Why FreeSWITCH made no call, when it made none: certainly nothing was placed. None for a word that only a call can bring.

    DESTINATION_OUT_OF_ORDER is what it says when there are too many sessions, or too many within a second, and of an id that
    is in use, which the caller must have excluded."""
    if word == "DESTINATION_OUT_OF_ORDER":
        return RateLimited("FreeSWITCH makes no more calls at the moment: its sessions, or those per second, are used up")
    if word in _OF_CONFIG:
        return Rejected(f"FreeSWITCH could not make the call: {word}", fault=Fault.CONFIG, cause=word)
    if word in _OF_TRUNK:
        return Rejected(f"FreeSWITCH could not make the call: {word}", fault=Fault.TRUNK, cause=word)
    if word == "USAGE":
        return Rejected("FreeSWITCH does not understand the originate", fault=Fault.REQUEST, cause="usage")
    return None
