"""How the simulated carrier behaves: shares of outcomes, durations, limits and faults, all from a seed.

Promises: what happens to a call depends on (seed, number, n-th call to that number, and a caller ID that is marked as spam)
alone, and what happens to a request on (seed, number, n-th request for that number) alone; the order in which calls arrive
changes nothing. Every draw is made whatever the shares are, so changing one share does not reshuffle the rest.
"""

from __future__ import annotations

from random import Random
from typing import Any, Literal, get_args

import msgspec

Event = Literal["ringing", "answered", "ended", "result"]
Fate = Literal["human", "machine", "busy", "declined", "invalid", "unreachable", "no_answer", "blocked"]
Refusal = Literal["refuse_429", "refuse_400", "error_before", "reset_before", "hang_before", "refuse_401", "refuse_503"]
"""What can go wrong with a request before the call is placed."""
Loss = Literal["error_after", "reset_after", "hang_after", "garbage_after"]
"""What can go wrong with the answer once the call is placed."""
REFUSALS: tuple[Refusal, ...] = get_args(Refusal)
LOSSES: tuple[Loss, ...] = get_args(Loss)


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds from `low` to `high`: uniform, or exponential around `mean` and cut off at both ends."""

    low: float
    high: float
    mean: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ValueError("low and high are seconds with 0 <= low <= high")
        if self.mean is not None and self.mean <= 0:
            raise ValueError("mean is a number of seconds above 0")

    def draw(self, chance: Random) -> float:
        if self.mean is None:
            return chance.uniform(self.low, self.high)
        return min(self.high, max(self.low, chance.expovariate(1 / self.mean)))


_NO_SHARES = frozenset({"retry_after", "hang_seconds", "late_seconds", "repeat_seconds"})


class Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shares (0 to 1) of requests and callbacks that go wrong. `_before`: the call is not placed; `_after`: it is."""

    refuse_429: float = 0
    refuse_400: float = 0
    error_before: float = 0
    reset_before: float = 0
    hang_before: float = 0
    refuse_401: float = 0
    refuse_503: float = 0
    error_after: float = 0
    reset_after: float = 0
    hang_after: float = 0
    garbage_after: float = 0
    retry_after: float = 1
    """Seconds that a `refuse_429` or `refuse_503` asks to wait; of the latter whole ones."""
    hang_seconds: float = 30
    """Seconds before a hanging request is answered after all."""
    callback_lost: float = 0
    callback_repeated: float = 0
    repeat_seconds: float = 0
    """From one copy of a repeated callback to the next."""
    callback_reordered: float = 0
    """Held back until the call's next callback has been sent."""
    callback_late: float = 0
    late_seconds: float = 5

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value < 0 or (value > 1 and name not in _NO_SHARES):
                raise ValueError(f"{name} is out of range")
        if sum(getattr(self, name) for name in (*REFUSALS, *LOSSES)) > 1 + 1e-9:
            raise ValueError("the shares of faulty requests add up to more than 1")


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole behaviour. Shares are 0 to 1, what they leave over is not answered; durations are seconds."""

    seed: int = 1
    answer: float = 0.4
    voicemail: float = 0.2
    busy: float = 0.1
    declined: float = 0.05
    invalid: float = 0.03
    unreachable: float = 0.02
    marked_as_spam: dict[str, float] = {}
    """Caller ID → share of its calls that the callee's network blocks (SIP 603+), whatever would have become of them."""
    setup: Span = Span(0.02, 0.1)
    """From dialling to the first ring, or to the refusal of a call that never rings."""
    ring: Span = Span(1, 4)
    """How long a phone rings before it is picked up or declined."""
    patience: Span = Span(20, 40)
    """How long an unanswered phone rings before the network gives up, if the caller's own limit is not shorter."""
    talk: Span = Span(5, 60)
    opt_out: float = 0
    """Share of the people who answer that do not want to be called again."""
    call_back: float = 0
    """Share of the others who answer that ask to be called back."""
    call_back_after: Span = Span(3600, 86400)
    """From the call's result to when they ask to be called."""
    extracted: dict[str, tuple[Any, ...]] = {}
    """Name → values, of which each person who answers tells one: `extracted` of the result."""
    transcripts: tuple[str, ...] = ()
    """What was said, of which each person who answers has one: `transcript` of the result."""
    result_after: Span = Span(0.05, 0.2)
    """From the end of an answered call to its result."""
    latency: Span = Span(0, 0.01)
    """Added to the answer of every placement, after the call was accepted."""
    calls_per_second: float = 0
    """Calls accepted in any one second; 0 is no limit. More are refused, or queued with `queue_over_rate`."""
    queue_over_rate: bool = False
    max_live: int = 0
    """Calls at once; 0 is no limit. More are refused."""
    send: tuple[Event, ...] = ("ringing", "answered", "ended", "result")
    """The events that are told by callback; look-ups tell all of them."""
    faults: Faults = Faults()
    repeats: int = 1
    """How often a callback that is to be repeated is sent beyond the first time."""

    def __post_init__(self) -> None:
        shares = (self.answer, self.voicemail, self.busy, self.declined, self.invalid, self.unreachable)
        if min(shares) < 0 or sum(shares) > 1 + 1e-9:
            raise ValueError("the shares of outcomes are 0 to 1 and add up to at most 1")
        if not all(0 <= share <= 1 for share in self.marked_as_spam.values()):
            raise ValueError("the shares of marked_as_spam are 0 to 1")
        if not (0 <= self.opt_out <= 1 and 0 <= self.call_back <= 1):
            raise ValueError("opt_out and call_back are shares, 0 to 1")
        if not all(self.extracted.values()):
            raise ValueError("extracted needs at least one value for each name")
        if min(self.calls_per_second, self.max_live, self.repeats) < 0:
            raise ValueError("calls_per_second, max_live and repeats are 0 or more")


class Conduct(msgspec.Struct, frozen=True):
    """What one call will do, in seconds, were nobody to hang it up."""

    fate: Fate
    setup: float
    ring: float
    patience: float
    talk: float
    result_after: float
    opts_out: bool = False
    call_back_after: float | None = None
    extracted: dict[str, Any] | None = None
    transcript: str | None = None


class Telling(msgspec.Struct, frozen=True):
    """How one callback goes wrong, if it does."""

    lost: bool
    copies: tuple[float, ...]
    """For each further time that it is sent: seconds after the first."""
    reordered: bool
    late: float


_FATES: tuple[tuple[str, Fate], ...] = (
    ("answer", "human"),
    ("voicemail", "machine"),
    ("busy", "busy"),
    ("declined", "declined"),
    ("invalid", "invalid"),
    ("unreachable", "unreachable"),
)
_NO_TROUBLE = Telling(lost=False, copies=(), reordered=False, late=0)


def parse(document: bytes) -> Script:
    """A script from JSON; what it does not name has its default. Raises `ValueError` naming the field."""
    try:
        return msgspec.json.decode(document, type=Script)
    except msgspec.DecodeError as error:
        raise ValueError(f"the script cannot be used: {error}") from error


def conduct(script: Script, to: str, nth: int, caller_id: str = "") -> Conduct:
    """What the `nth` call (from 1) to a number does, shown as `caller_id`."""
    chance = Random(f"call {script.seed} {to} {nth}")
    point = chance.random()
    fate: Fate = "no_answer"
    for share, name in _FATES:
        point -= getattr(script, share)
        if point < 0:
            fate = name
            break
    mark = script.marked_as_spam.get(caller_id)
    if mark is not None and Random(f"mark {script.seed} {caller_id} {to} {nth}").random() < mark:
        fate = "blocked"
    wish = Random(f"wish {script.seed} {to} {nth}")
    human, no, again, later = fate == "human", wish.random(), wish.random(), script.call_back_after.draw(wish)
    opts_out = human and no < script.opt_out
    words = Random(f"words {script.seed} {to} {nth}")
    extracted = {name: words.choice(values) for name, values in script.extracted.items()}
    said = words.choice(script.transcripts) if script.transcripts else None
    return Conduct(
        opts_out=opts_out,
        call_back_after=later if human and not opts_out and again < script.call_back else None,
        extracted=extracted if human and extracted else None,
        transcript=said if human else None,
        fate=fate,
        setup=script.setup.draw(chance),
        ring=script.ring.draw(chance),
        patience=script.patience.draw(chance),
        talk=script.talk.draw(chance),
        result_after=script.result_after.draw(chance),
    )


class Handling(msgspec.Struct, frozen=True):
    """What happens to one request: at most one of `refusal` and `loss`; `latency` is seconds."""

    refusal: Refusal | None
    loss: Loss | None
    latency: float


def handling(script: Script, to: str, nth: int) -> Handling:
    """What happens to the `nth` request (from 1) to call a number."""
    chance = Random(f"request {script.seed} {to} {nth}")
    point = chance.random()
    latency = script.latency.draw(chance)
    for refusal in REFUSALS:
        point -= getattr(script.faults, refusal)
        if point < 0:
            return Handling(refusal, None, latency)
    for loss in LOSSES:
        point -= getattr(script.faults, loss)
        if point < 0:
            return Handling(None, loss, latency)
    return Handling(None, None, latency)


def telling(script: Script, to: str, nth: int, event: Event) -> Telling:
    """How the callback of one event of the `nth` call to a number goes wrong."""
    faults = script.faults
    if not (faults.callback_lost or faults.callback_repeated or faults.callback_reordered or faults.callback_late):
        return _NO_TROUBLE
    chance = Random(f"callback {script.seed} {to} {nth} {event}")
    copies = tuple(faults.repeat_seconds * (n + 1) for n in range(script.repeats))
    return Telling(
        lost=chance.random() < faults.callback_lost,
        copies=copies if chance.random() < faults.callback_repeated else (),
        reordered=chance.random() < faults.callback_reordered,
        late=faults.late_seconds if chance.random() < faults.callback_late else 0,
    )
