"""What an operator has written about a provider, judged and ready for use. `settings.py` and `hooks.py` read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from adapters.base import Once
from adapters.events import Phase
from adapters.webhook.answers import Refusal, Sign
from adapters.webhook.paths import Path
from adapters.webhook.proof import Proof
from adapters.webhook.reading import Reading
from adapters.webhook.templates import Line, Template


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries: JSON, a form, or nothing."""

    template: Template = None
    form: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    path: Line
    body: Body
    headers: Mapping[str, Line]
    id: Path


@dataclass(frozen=True, slots=True)
class LookUp:
    """`calls`: where the list of calls stands in the answer to `by_attempt`; `call`: where the one call does in any other."""

    by_ref: Line | None
    by_attempt: Line | None
    call: Path | None
    calls: Path | None
    absent: tuple[Sign, ...]
    status: Path
    statuses: Mapping[str, Literal["live", "answered", "over"]]
    reading: Reading


@dataclass(frozen=True, slots=True)
class HangUp:
    method: str
    path: Line
    body: Body
    gone: tuple[Sign, ...]


@dataclass(frozen=True, slots=True)
class Callback:
    """`phase` None: by the word at `type`. `attempt_query`: the parameter of the callback's address that holds the attempt id."""

    form: bool
    phase: Phase | None
    type: Path | None
    types: Mapping[str, Phase]
    attempt_query: str
    reading: Reading
    proof: Proof


@dataclass(frozen=True, slots=True)
class Config:
    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float
    settle: float
    once: Once
    voices: frozenset[str]
    health_path: str
    place: Placement
    refusals: tuple[Refusal, ...]
    callback: Callback
    find: LookUp | None
    hang_up: HangUp | None
