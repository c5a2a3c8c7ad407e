"""The suite that every adapter passes, built-in or not. Needs no test framework: run each of `CASES` with a `Harness`.

A harness is an adapter, a fake of its carrier (or the real one's sandbox) that can be told how to behave, and a way to see what
reached that carrier. Each case raises `Broken` naming the law; a case that needs something the fake cannot do is exempt, and
the exemption belongs into the quality table of README.md with its reason.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Protocol
from uuid import uuid4

from adapters.base import Absent, Call, Hook, Live, Once, Over, TelephonyAdapter, Trace, Unsure
from adapters.errors import AdapterError, Ambiguous, Forged, PlaceError, RateLimited, Rejected, TooLate, Unavailable
from adapters.events import CallEvent, Fault, Outcome, Phase


class Act(StrEnum):
    """What the fake carrier does with the calls that come next. `_AFTER`: it accepts the call, then the answer goes wrong."""

    HUMAN = "human"
    MACHINE = "machine"
    BUSY = "busy"
    DECLINED = "declined"
    NO_ANSWER = "no_answer"
    INVALID = "invalid"
    UNREACHABLE = "unreachable"
    TALK_ON = "talk_on"
    """Somebody answers and talks until the call is hung up."""
    REFUSE = "refuse"
    """A definite no, such as HTTP 400."""
    THROTTLE = "throttle"
    ERROR_AFTER = "error_after"
    RESET_AFTER = "reset_after"
    HANG_AFTER = "hang_after"
    GARBAGE_AFTER = "garbage_after"
    DOWN = "down"
    """Nobody listens at the carrier's address."""


class Harness(Protocol):
    """What an adapter's author writes to run the suite: 60 lines for an HTTP carrier."""

    acts: frozenset[Act]
    """What the fake can do."""

    def adapter(self) -> TelephonyAdapter:
        """An adapter for the fake carrier, not entered yet, with a placement timeout of a second or less."""
        ...

    def call(self, attempt: str) -> Call:
        """A call to a number of its own that may start within 5 seconds from now."""
        ...

    async def act(self, act: Act) -> None:
        """Behave so from now on."""
        ...

    def requests(self, attempt: str) -> int:
        """How many requests to place this attempt have reached the carrier."""
        ...

    async def events(self, adapter: TelephonyAdapter, attempt: str, until: Phase) -> list[CallEvent]:
        """The attempt's events in the order they arrived, once `until` is among them: callbacks through `receive`, or
        from `events()`. Raises `TimeoutError` after a few seconds."""
        ...

    def hooks(self, attempt: str) -> list[Hook]:
        """The attempt's callbacks as they arrived; none for a carrier that speaks by socket."""
        ...


class Broken(AssertionError):
    """The adapter breaks a law of the seam."""


@dataclass(frozen=True, slots=True)
class Case:
    """One law. `run` raises `Broken`; ask `exempt` first."""

    name: str
    law: str
    needs: frozenset[Act]
    run: Callable[[Harness], Awaitable[None]]

    def exempt(self, harness: Harness) -> str:
        """Why the case does not apply, or "" if it does."""
        missing = sorted(self.needs - harness.acts)
        return f"the fake carrier cannot act {', '.join(missing)}" if missing else ""


CASES: list[Case] = []
"""All of them, in a good order to make them pass."""


def _case(*needs: Act) -> Callable[[Callable[[Harness], Awaitable[None]]], Callable[[Harness], Awaitable[None]]]:
    def add(run: Callable[[Harness], Awaitable[None]]) -> Callable[[Harness], Awaitable[None]]:
        CASES.append(Case(run.__name__.strip("_"), (run.__doc__ or "").strip(), frozenset(needs), run))
        return run

    return add


def _hold(kept: object, what: str) -> None:
    if not kept:
        raise Broken(what)


def _attempt() -> str:
    return f"call_{uuid4().hex}"


def _since() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=1)


async def _failure(adapter: TelephonyAdapter, call: Call) -> PlaceError:
    try:
        ref = await adapter.place(call)
    except PlaceError as error:
        _hold(call.to not in str(error), "an error's text holds the whole number")
        return error
    raise Broken(f"place returned {ref!r} where it had to fail")


@_case()
async def _declares_what_it_can(harness: Harness) -> None:
    """Capabilities are complete and finite."""
    adapter = harness.adapter()
    declared = adapter.capabilities
    _hold(adapter.name, "the adapter has no name")
    _hold(isinstance(declared.once, Once) and isinstance(declared.trace, Trace), "once and trace are members of their enums")
    _hold(0 < declared.place_timeout <= 60, "place_timeout is more than 0 and at most 60 seconds")
    _hold(0 <= declared.settle <= 600, "settle is 0 to 600 seconds")
    _hold(declared.voices, "it can connect no voice")


@_case(Act.HUMAN)
async def _places_one_call(harness: Harness) -> None:
    """place returns the carrier's id after one transmission."""
    await harness.act(Act.HUMAN)
    call = harness.call(_attempt())
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
    _hold(isinstance(ref, str) and ref, "place returned no id")
    _hold(harness.requests(call.attempt) == 1, "not exactly one request was sent")
    _hold(call.departure.begun, "a request was sent and call.departure does not say so")


@_case(Act.HUMAN)
async def _never_starts_late(harness: Harness) -> None:
    """After start_before nothing is sent."""
    await harness.act(Act.HUMAN)
    call = replace(harness.call(_attempt()), start_before=time.monotonic() - 0.001)
    async with harness.adapter() as adapter:
        error = await _failure(adapter, call)
    _hold(isinstance(error, TooLate), f"{type(error).__name__} instead of TooLate")
    _hold(harness.requests(call.attempt) == 0, "a request was sent after start_before")


@_case(Act.REFUSE)
async def _tells_a_refusal(harness: Harness) -> None:
    """A definite no is Rejected with a fault, and not repeated."""
    await harness.act(Act.REFUSE)
    call = harness.call(_attempt())
    async with harness.adapter() as adapter:
        error = await _failure(adapter, call)
    _hold(isinstance(error, Rejected), f"{type(error).__name__} instead of Rejected")
    _hold(harness.requests(call.attempt) == 1, "the refused request was repeated")


@_case(Act.THROTTLE)
async def _tells_a_throttle(harness: Harness) -> None:
    """Too many requests is RateLimited, and not repeated."""
    await harness.act(Act.THROTTLE)
    call = harness.call(_attempt())
    async with harness.adapter() as adapter:
        error = await _failure(adapter, call)
    if not isinstance(error, RateLimited):
        raise Broken(f"{type(error).__name__} instead of RateLimited")
    _hold(error.retry_after is None or error.retry_after >= 0, "retry_after is negative")
    _hold(harness.requests(call.attempt) == 1, "the throttled request was repeated")


async def _is_ambiguous_then_found(harness: Harness, act: Act) -> None:
    await harness.act(act)
    call, since = harness.call(_attempt()), _since()
    async with harness.adapter() as adapter:
        began = time.monotonic()
        error = await _failure(adapter, call)
        took = time.monotonic() - began
        _hold(isinstance(error, Ambiguous), f"{type(error).__name__} instead of Ambiguous: the call may ring")
        _hold(took <= adapter.capabilities.place_timeout + 0.5, f"place took {took:.1f} s, longer than its place_timeout")
        _hold(harness.requests(call.attempt) == 1, "the request was repeated: the callee may be called twice")
        sighting = await adapter.find(call.attempt, call.to, None, since)
        if adapter.capabilities.trace in {Trace.EXACT, Trace.SEARCH}:
            _hold(isinstance(sighting, Live | Over), f"find says {type(sighting).__name__} of a call that was placed")
        else:
            _hold(not isinstance(sighting, Absent), "find says Absent of a call that was placed")


@_case(Act.ERROR_AFTER)
async def _an_error_is_ambiguous(harness: Harness) -> None:
    """A 5xx proves nothing."""
    await _is_ambiguous_then_found(harness, Act.ERROR_AFTER)


@_case(Act.RESET_AFTER)
async def _a_reset_is_ambiguous(harness: Harness) -> None:
    """A connection that breaks after the request proves nothing."""
    await _is_ambiguous_then_found(harness, Act.RESET_AFTER)


@_case(Act.HANG_AFTER)
async def _silence_is_ambiguous(harness: Harness) -> None:
    """A timeout after the request proves nothing."""
    await _is_ambiguous_then_found(harness, Act.HANG_AFTER)


@_case(Act.GARBAGE_AFTER)
async def _garbage_is_ambiguous(harness: Harness) -> None:
    """A yes that cannot be read proves nothing."""
    await _is_ambiguous_then_found(harness, Act.GARBAGE_AFTER)


@_case(Act.DOWN)
async def _tells_that_nobody_is_there(harness: Harness) -> None:
    """Without a carrier: place is Unavailable, find is Unsure, hang_up raises, health is not ok."""
    await harness.act(Act.DOWN)
    call = harness.call(_attempt())
    async with harness.adapter() as adapter:
        error = await _failure(adapter, call)
        _hold(isinstance(error, Unavailable), f"place: {type(error).__name__} instead of Unavailable")
        for ref in (None, "some-ref"):
            sighting = await adapter.find(call.attempt, call.to, ref, _since())
            _hold(isinstance(sighting, Unsure), f"find: {type(sighting).__name__} instead of Unsure")
        try:
            await adapter.hang_up(call.attempt, None)
        except AdapterError:
            pass
        else:
            raise Broken("hang_up claims success though the carrier could not be asked")
        _hold(not (await adapter.health()).ok, "health is ok though nobody is there")


@_case(Act.HUMAN)
async def _knows_what_was_never_placed(harness: Harness) -> None:
    """find says Absent of an attempt the carrier never had, if it can know."""
    await harness.act(Act.HUMAN)
    call = harness.call(_attempt())
    async with harness.adapter() as adapter:
        sighting = await adapter.find(call.attempt, call.to, None, _since())
        certain = adapter.capabilities.trace is Trace.EXACT
    _hold(isinstance(sighting, Absent if certain else Absent | Unsure), f"find says {type(sighting).__name__}")


@_case(Act.HUMAN)
async def _a_forgotten_call_is_not_absent(harness: Harness) -> None:
    """A call the carrier once named is never Absent, even if the carrier does not know it any more."""
    await harness.act(Act.HUMAN)
    call = harness.call(_attempt())
    async with harness.adapter() as adapter:
        sighting = await adapter.find(call.attempt, call.to, f"gone-{uuid4().hex}", _since())
    _hold(not isinstance(sighting, Absent), "find says Absent of a call that had an id")


@_case(Act.TALK_ON)
async def _finds_and_hangs_up_a_live_call(harness: Harness) -> None:
    """A live call is found with its id, hung up, and then over; hanging up again is success."""
    await harness.act(Act.TALK_ON)
    call, since = harness.call(_attempt()), _since()
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
        await harness.events(adapter, call.attempt, Phase.ANSWERED)
        sighting = await adapter.find(call.attempt, call.to, ref, since)
        _hold(sighting == Live(ref, answered=True), f"find says {sighting} of a live, answered call")
        await adapter.hang_up(call.attempt, ref)
        await harness.events(adapter, call.attempt, Phase.ENDED)
        _hold(not isinstance(await adapter.find(call.attempt, call.to, ref, since), Live | Absent), "the call lives on")
        await adapter.hang_up(call.attempt, ref)


@_case(Act.HUMAN)
async def _hanging_up_nothing_is_success(harness: Harness) -> None:
    """hang_up of a call that the carrier does not have is success, with and without an id."""
    await harness.act(Act.HUMAN)
    async with harness.adapter() as adapter:
        await adapter.hang_up(_attempt(), None)
        await adapter.hang_up(_attempt(), f"gone-{uuid4().hex}")


def _judged(act: Act, outcomes: Collection[Outcome], fault: Fault) -> None:
    async def run(harness: Harness) -> None:
        await harness.act(act)
        call = harness.call(_attempt())
        async with harness.adapter() as adapter:
            ref = await adapter.place(call)
            told = await harness.events(adapter, call.attempt, Phase.ENDED)
        _hold(all(event.attempt == call.attempt for event in told), "an event does not echo the attempt")
        _hold(all(event.ref in {ref, None} for event in told), "an event names another call")
        _hold(all(event.at.tzinfo is not None and event.key for event in told), "an event lacks a key or its time a zone")
        end = next(event for event in told if event.phase is Phase.ENDED)
        if end.outcome is None or end.fault is None:
            raise Broken("ENDED lacks an outcome or a fault")
        _hold(end.outcome in outcomes, f"the outcome is {end.outcome}, not {' or '.join(outcomes)}")
        _hold(end.fault is fault, f"the fault is {end.fault}, not {fault}")

    run.__name__ = f"judges_{act}"
    run.__doc__ = f"A call that ends {act} is the fault of {fault}."
    _case(act)(run)


_judged(Act.HUMAN, {Outcome.HUMAN, Outcome.ANSWERED}, Fault.NONE)
_judged(Act.MACHINE, {Outcome.MACHINE}, Fault.CALLEE)
_judged(Act.BUSY, {Outcome.BUSY}, Fault.CALLEE)
_judged(Act.DECLINED, {Outcome.DECLINED}, Fault.CALLEE)
_judged(Act.NO_ANSWER, {Outcome.NO_ANSWER}, Fault.CALLEE)
_judged(Act.INVALID, {Outcome.INVALID_NUMBER}, Fault.NUMBER)
_judged(Act.UNREACHABLE, {Outcome.UNREACHABLE}, Fault.TRUNK)


@_case(Act.HUMAN)
async def _phases_go_forward(harness: Harness) -> None:
    """By the carrier's times the phases of one call only move forward, and no key is used for two facts."""
    await harness.act(Act.HUMAN)
    call = harness.call(_attempt())
    async with harness.adapter() as adapter:
        await adapter.place(call)
        told = await harness.events(adapter, call.attempt, Phase.ENDED)
    order = list(Phase)
    facts = sorted({(event.at, order.index(event.phase), event.key) for event in told})
    _hold(all(before[1] <= after[1] for before, after in pairwise(facts)), "a later event has an earlier phase")
    _hold(len({key for *_, key in facts}) == len(facts), "one key stands for two facts")


@_case(Act.HUMAN)
async def _a_look_up_repeats_the_callbacks(harness: Harness) -> None:
    """Over carries the same facts under the same keys as were told, ENDED among them."""
    await harness.act(Act.HUMAN)
    call, since = harness.call(_attempt()), _since()
    async with harness.adapter() as adapter:
        ref = await adapter.place(call)
        told = await harness.events(adapter, call.attempt, Phase.ENDED)
        if adapter.capabilities.trace in {Trace.NOTHING, Trace.LIVE}:
            return
        sighting = await adapter.find(call.attempt, call.to, ref, since)
    if not isinstance(sighting, Over):
        raise Broken(f"find says {type(sighting).__name__} of a call that is over")
    known = {event.key: event for event in sighting.events}
    _hold(Phase.ENDED in {event.phase for event in sighting.events}, "Over does not tell of the end")
    for event in told:
        _hold(event.key not in known or known[event.key] == event, f"the look-up tells {event.phase} differently")
    end = next(event for event in told if event.phase is Phase.ENDED)
    _hold(end.key in known, "the look-up gives the end another key: it would be counted twice")


@_case(Act.HUMAN)
async def _reads_a_callback_twice_alike(harness: Harness) -> None:
    """receive is pure: the same callback gives the same events, keys included, and a 2xx reply."""
    adapter, hooks = await _told(harness)
    for hook in hooks:
        first, second = adapter.receive(hook), adapter.receive(hook)
        _hold(first == second, "the same callback is read in two ways")
        _hold(200 <= first[1].status < 300, f"a good callback is answered {first[1].status}")


@_case(Act.HUMAN)
async def _refuses_forgeries(harness: Harness) -> None:
    """A callback whose body, signature or headers were tampered with is Forged."""
    adapter, hooks = await _told(harness)
    for hook in hooks:
        middle = len(hook.body) // 2
        flipped = hook.body[:middle] + bytes([hook.body[middle] ^ 1]) + hook.body[middle + 1 :]
        for forged, what in (
            (replace(hook, headers={}), "no headers"),
            (replace(hook, body=flipped), "one bit of the body changed"),
            (replace(hook, headers={name: value + "ü" for name, value in hook.headers.items()}), "every header changed"),
            (replace(hook, body=b""), "no body"),
        ):
            try:
                adapter.receive(forged)
            except Forged:
                continue
            raise Broken(f"a callback with {what} is accepted")


async def _told(harness: Harness) -> tuple[TelephonyAdapter, list[Hook]]:
    """An adapter and the callbacks of one good call; none for a carrier without callbacks."""
    await harness.act(Act.HUMAN)
    call = harness.call(_attempt())
    async with harness.adapter() as adapter:
        await adapter.place(call)
        await harness.events(adapter, call.attempt, Phase.ENDED)
    return adapter, harness.hooks(call.attempt)
