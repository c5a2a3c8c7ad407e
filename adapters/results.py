"""What a call brought, under the names that have a meaning in a RESULT's `data`.

An assistant writes down what it found out in fields of its own making. Two of their names have a meaning for the dialer, whoever
the carrier is: `callback_at` and `do_not_call`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_YES = (True, "true", "True", "yes", "Yes")


def result(
    *,
    transcript: Any = None,
    recording_url: Any = None,
    summary: Any = None,
    success: Any = None,
    cost: float | None = None,
    currency: str = "USD",
    extracted: Mapping[str, Any] | None = None,
    do_not_call: bool = False,
) -> dict[str, Any]:
    """The data of a RESULT, without what is not known. `transcript`: a text, or turns of {role, text}; `cost` in units of
    `currency`. `do_not_call`: the carrier itself says that the callee asked not to be called again; a field of that name, filled
    with a yes, says it too. What is left out says nothing, so that a later "no" never takes an earlier "stop" back."""
    found = dict(extracted or {})
    told: dict[str, Any] = {
        "transcript": transcript,
        "recording_url": recording_url,
        "summary": summary,
        "success": success,
        "cost": None if cost is None else {"amount": cost, "currency": currency},
        "extracted": found,
        "callback_at": found.get("callback_at"),
    }
    data = {name: value for name, value in told.items() if value not in (None, "", [], {})}
    if do_not_call or found.get("do_not_call") in _YES:
        data["do_not_call"] = True
    return data
