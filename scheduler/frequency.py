"""Frequency caps: how often a number or a person may be called within some hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class FrequencyCap:
    """At most `calls` within any `hours`. `per`: the number that is dialled, or the person. `counts`: every attempt, or only
    those that somebody answered. `rule` is whose cap it is: "us-frequency/2024-01 FL", or "campaign"."""

    calls: int
    hours: int
    per: Literal["number", "person"]
    counts: Literal["attempts", "conversations"]
    rule: str
