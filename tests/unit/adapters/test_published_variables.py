"""Whatever a contact's fields hold, what is sent is what the provider publishes."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.asterisk.order import Dialplan, order
from adapters.base import Call
from adapters.http import Answer
from adapters.livekit import orders
from adapters.session import Session
from adapters.simulated.carrier.harness import NOBODY
from tests.support.carrier import call
from tests.support.providers import elevenlabs, retell, twilio, vapi
from tests.support.providers.base import Seen
from tests.support.published import twiml
from tests.support.published.providers import PUBLISHED, of_form

ATTEMPT = call("call_1", "+49301234567", callback_url="https://dialer.example/hooks/x")
VALUES = st.none() | st.text(max_size=40) | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
FIELDS = st.dictionaries(
    st.text(min_size=1, max_size=12) | st.sampled_from(["first_name", "voice", "attempt"]), VALUES, max_size=6
)


class _Kept(Exception):
    """It would have been transmitted."""


def _placed(make: Callable[..., Any]) -> Callable[[Call], Seen]:
    """What an adapter would transmit: nothing is waited for on the way there, so no loop is needed."""

    def placed(call: Call) -> Seen:
        sent: list[Seen] = []

        async def keep(_: Session, call: Call, path: str, *, json: Any = None, form: Any = None, **__: Any) -> Answer:
            sent.append(_seen(path, json) if form is None else _form(path, form))
            raise _Kept

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Session, "place", keep)
            _run(make(NOBODY, 1).place(call))
        return sent[0]

    return placed


def _run(work: Coroutine[Any, Any, Any]) -> None:
    try:
        work.send(None)
    except _Kept:
        return
    raise AssertionError("it waited for something")


def _seen(path: str, body: Mapping[str, Any]) -> Seen:
    return Seen("POST", path, "", json.dumps(body).encode(), "application/json")


def _form(path: str, fields: Any) -> Seen:
    return Seen("POST", path, "", urlencode(fields).encode(), "application/x-www-form-urlencoded")


PLACED: Mapping[str, Callable[[Call], Seen]] = {
    "retell": _placed(retell.make),
    "vapi": _placed(vapi.make),
    "elevenlabs": _placed(elevenlabs.make),
    "livekit": lambda call: _seen("/twirp/livekit.AgentDispatchService/CreateDispatch", orders.to_dispatch(call)),
    "asterisk": lambda call: _seen(
        "/ari/channels/dialer-call_1", order(call, "PJSIP/{number}@trunk", Dialplan("answered", "", 1), "dialer-ended")
    ),
}
"""Kinds that send a contact's fields along, Twilio apart."""


@pytest.mark.parametrize("kind", PLACED)
@given(fields=FIELDS, labels=st.dictionaries(st.sampled_from(["campaign", "team"]), st.text(max_size=20)))
def test_whatever_the_fields_hold(kind: str, fields: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    assert PUBLISHED[kind].faults(PLACED[kind](replace(ATTEMPT, variables=fields, labels=labels))) == []


@given(FIELDS)
def test_whatever_the_fields_hold_twilio_is_sent_twiml(fields: Mapping[str, Any]) -> None:
    seen = _placed(twilio.make)(replace(ATTEMPT, variables=fields))
    assert PUBLISHED["twilio"].faults(seen) == []
    assert twiml.faults(of_form(seen.body)["Twiml"]) == []
