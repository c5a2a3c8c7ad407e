"""Reading an answer: each field is judged for itself, whatever the schema promised; pure.

A quote that was not said, or a value of which the model is not sure enough, is dropped for good. What has the wrong form is a
fault, which a repair turn may mend.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.extraction.fields import Extraction, Field, Found
from adapters.extraction.transcript import Transcript

WHOLE: Final = ""
"""Stands for the whole answer among the faults."""
LONGEST_QUOTE: Final = 1_000
"""Characters."""

NOT_SAID: Final = "quote_not_found"
UNSURE: Final = "unsure"
UNFIT: Final = "unfit"

_FENCE: Final = "```"
_UNKEPT: Final = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Reading:
    """By the names of properties. Of one that is in none of the three the transcript says nothing."""

    found: Mapping[str, Found] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def unreadable(self) -> bool:
        return WHOLE in self.faults


def read(answer: str, asked: Mapping[str, Field], transcript: Transcript, least: float) -> Reading:
    """`least`: how sure the model must be, 0 to 1. Raises nothing, whatever was answered."""
    try:
        told = json.loads(_unfenced(answer), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return Reading(faults={WHOLE: "is not JSON"})
    if not isinstance(told, dict):
        return Reading(faults={WHOLE: "is not a JSON object"})
    found: dict[str, Found] = {}
    dropped: dict[str, str] = {}
    faults: dict[str, str] = {}
    for name, wanted in asked.items():
        entry = told.get(name)
        if entry is None or (isinstance(entry, dict) and entry.get("value") in (None, "", [])):
            continue
        if fault := _fault(entry, wanted):
            faults[name] = fault
        elif not transcript.holds(entry["quote"]):
            dropped[name] = NOT_SAID
        elif entry["confidence"] < least:
            dropped[name] = UNSURE
        else:
            found[name] = Found(entry["value"], entry["quote"].strip(), float(entry["confidence"]))
    return Reading(found, dropped, faults)


def together(first: Reading, second: Reading | None, asked: Mapping[str, Field]) -> Extraction:
    """What is kept of an answer and of its repair (None: none was needed). The repair speaks for what was at fault, for nothing
    else."""
    if second is None:
        second = Reading()
    mended = asked.keys() if first.unreadable else first.faults.keys()
    found = {**first.found, **{name: each for name, each in second.found.items() if name in mended}}
    dropped = {**first.dropped, **{name: why for name, why in second.dropped.items() if name in mended}}
    left = mended if second.unreadable else second.faults.keys() & mended
    dropped |= dict.fromkeys(left, UNFIT)
    return Extraction(
        {asked[name].name: each for name, each in found.items()}, {asked[name].name: why for name, why in dropped.items()}
    )


def _unfenced(answer: str) -> str:
    """Endpoints that know no schema like to wrap what they answer."""
    text = answer.strip()
    if not (text.startswith(_FENCE) and text.endswith(_FENCE)):
        return text
    return text.removesuffix(_FENCE).partition("\n")[2]


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _fault(entry: Any, wanted: Field) -> str | None:
    if not isinstance(entry, dict):
        return "must be null or an object of value, quote and confidence"
    quote, confidence, value = entry.get("quote"), entry.get("confidence"), entry.get("value")
    if not isinstance(quote, str) or not quote.strip():
        return "quote must be words of the transcript"
    if len(quote) > LONGEST_QUOTE:
        return f"quote must have at most {LONGEST_QUOTE} characters"
    if not isinstance(confidence, int | float) or isinstance(confidence, bool) or not 0 <= confidence <= 1:
        return "confidence must be a number from 0 to 1"
    if isinstance(value, float) and not math.isfinite(value):
        return "value must be a finite number"
    if any(isinstance(part, str) and _UNKEPT.search(part) for part in (value if isinstance(value, list) else [value])):
        return "value must be plain text"
    fault = wanted.fault(value)
    return None if fault is None else f"value {fault}"
