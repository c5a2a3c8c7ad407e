"""What Asterisk itself keeps of the end of a call, written by a hangup handler of the dialplan whether anybody of ours listens
or not. Pure.

The context that writes it stands in adapters/README.md; the fields are read here in its order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from adapters.asterisk.names import time_of
from adapters.events import Outcome

HANDLER = "CHANNEL(hangup_handler_push)"
"""The variable of an originate that pushes the handler."""
VARIABLE = "DIALER_ENDED"
"""The channel's variable in which the handler tells the same to whoever listens."""
AMD = {"HUMAN": Outcome.HUMAN, "MACHINE": Outcome.MACHINE}
"""AMD's words for who picked up; all others leave it open."""
_FIELDS = 6


@dataclass(frozen=True, slots=True)
class Kept:
    """`sip`: the last code that the network sent, also one of a call that goes on (180); none that Asterisk made up. `state`: of
    the channel when it ended. `result`: the JSON text of `DIALER_RESULT`, empty where there was none."""

    at: datetime
    q850: int | None
    sip: int | None
    state: str
    answered_by: Outcome | None
    result: str

    @property
    def refused_with(self) -> int | None:
        """The SIP code with which the network ended it, if the network did."""
        return self.sip if self.sip is not None and self.sip >= 300 else None


def read_kept(value: str) -> Kept | None:
    """None for what is no such record, as the marker of a call that goes on."""
    fields = value.split("|", _FIELDS - 1)
    if len(fields) < _FIELDS:
        return None
    at, q850, sip, state, amd, result = fields
    try:
        moment = time_of(at)
    except ValueError:
        return None
    return Kept(moment, _number(q850), _number(sip), state, AMD.get(amd), result)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else None
