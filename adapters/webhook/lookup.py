"""What the answer to a look-up says of one attempt. Pure.

`Absent` only where the provider says so in a word of its own, or its list of calls with this attempt is there and empty; a list
of other calls only shows that it did not look for ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.base import Absent, Live, Over, Sighting, Unsure
from adapters.events import Phase
from adapters.http import Answer
from adapters.webhook.answers import among
from adapters.webhook.config import LookUp
from adapters.webhook.paths import truth, word


def sighting(how: LookUp, answer: Answer, attempt: str, ref: str | None, *, by_ref: bool, since: datetime) -> Sighting:
    """`ref` is the id that the provider gave the call, if it did: then it is never `Absent`, at the most forgotten. `by_ref`: it
    was asked for by that. An end without a time is told to be of `since`. Raises `ValueError` if the answer is not JSON."""
    if among(how.absent, answer):
        return Absent() if ref is None else Unsure("the provider does not know the call any more")
    if answer.status != 200:
        return Unsure(f"the provider answered HTTP {answer.status} to a look-up")
    document = answer.json()
    if by_ref or how.calls is None:
        records = [how.call.read(document) if how.call else document]
    else:
        records = how.calls.read(document)
        if not isinstance(records, list):
            return Unsure("the answer to a look-up holds no list of calls")
        if not records and ref is None:
            return Absent()
    ours = [each for each in records if isinstance(each, Mapping) and _is_ours(how, each, attempt, ref, by_ref=by_ref)]
    seen = [_seen(how, each, attempt, since) for each in ours]
    # Were it placed twice, the one that still rings is the one to mind, and one that is not understood may.
    for kind in (Live, Unsure, Over):
        for each in seen:
            if isinstance(each, kind):
                return each
    return Unsure("the answer to a look-up tells of no such call")


def _is_ours(how: LookUp, record: Any, attempt: str, ref: str | None, *, by_ref: bool) -> bool:
    told = word(how.reading.attempt, record)
    its_ref = word(how.reading.ref, record)
    if its_ref == "" or (ref is not None and its_ref != ref):
        return False
    return told == attempt or (by_ref and told == "")


def _seen(how: LookUp, record: Any, attempt: str, since: datetime) -> Sighting:
    ref, reading = word(how.reading.ref, record), how.reading
    stands = how.statuses.get(word(how.status, record))
    if stands is None:
        return Unsure("the call is in a state that was not mapped")
    if stands == "over":
        return Over(ref, tuple(reading.events(Phase.ENDED, record, attempt, ref, since)))
    return Live(ref, answered=stands == "answered" or (reading.answered is not None and truth(reading.answered, record)))
