"""The life of the calls: accepted, dialled, ringing, answered, over; and what each of these says in a callback.

Promises: one timer per call and no task, so thousands of calls cost little; every step is written into the journal before it
is told. It knows no HTTP: `server` feeds it, `courier` carries what it tells.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec

from adapters.simulated.carrier.journal import Entry, Journal
from adapters.simulated.carrier.script import Conduct, Event, Script, conduct, telling
from adapters.simulated.carrier.timer import Alarm, Timer

_ENDINGS = {
    "busy": (486, 17, "busy here"),
    "declined": (603, 21, "decline"),
    "invalid": (404, 1, "not found"),
    "unreachable": (503, 34, "service unavailable"),
    "blocked": (603, 21, "network blocked"),
}
_NOBODY = (480, 19, "temporarily unavailable")
_OUR_RING_LIMIT = (487, 127, "ring limit")
_ORDER: tuple[Event, ...] = ("ringing", "answered", "ended", "result")


class Order(msgspec.Struct, kw_only=True, rename={"caller_id": "from"}):
    """A request to place a call, as it comes in."""

    attempt: str
    to: str
    caller_id: str
    voice: str = ""
    ring_seconds: float = 30
    limit_seconds: float = 3600
    callback_url: str = ""
    labels: dict[str, str] = {}
    variables: dict[str, Any] = {}


@dataclass(slots=True)
class Line:
    """A call that is not over yet, its next step, and the callbacks that are held back."""

    entry: Entry
    order: Order
    conduct: Conduct
    step: Alarm | None = None
    held: list[Event] = field(default_factory=list)


class Throttled(Exception):
    """The carrier takes no more calls at the moment."""

    def __init__(self, retry_after: float) -> None:
        super().__init__()
        self.retry_after = retry_after


class Exchange:
    """All the calls. `tell(url, body)` is asked to deliver each callback; `timer` is the clock that the calls live by."""

    def __init__(self, script: Script, journal: Journal, tell: Callable[[str, bytes], None], timer: Timer) -> None:
        self.script = script
        self.journal = journal
        self._tell = tell
        self._timer = timer
        self._loop = asyncio.get_running_loop()
        self._lines: dict[str, Line] = {}
        self._later: set[Alarm] = set()
        self._recent: deque[float] = deque()
        """When the latest calls were (or will be) dialled, by the loop's clock."""
        for entry in journal.entries.values():
            if entry.ended is None:
                # The carrier was restarted: whoever was on the line is not any more.
                journal.note(entry, ended=self._timer.now(), sip=503, q850=41, reason="carrier restarted")

    def admit(self) -> float:
        """Seconds until a call that is asked for now may be dialled. Raises `Throttled` when it may not be accepted."""
        if self.script.max_live and self.journal.live >= self.script.max_live:
            raise Throttled(1.0)
        rate = self.script.calls_per_second
        if not rate:
            return 0.0
        burst = max(1, int(rate))
        while len(self._recent) > burst:
            self._recent.popleft()
        if len(self._recent) < burst:
            return 0.0
        wait = max(0.0, self._recent[0] + burst / rate - self._loop.time())
        if wait and not self.script.queue_over_rate:
            raise Throttled(wait)
        return wait

    def accept(self, order: Order, wait: float) -> Entry:
        """Take the call and dial it in `wait` seconds (from `admit`)."""
        entry = self.journal.accept(
            id=f"sim_{uuid4().hex}",
            attempt=order.attempt,
            to=order.to,
            caller_id=order.caller_id,
            labels=order.labels,
            at=self._timer.now(),
        )
        line = Line(entry, order, conduct(self.script, order.to, entry.nth, order.caller_id))
        self._lines[entry.id] = line
        if self.script.calls_per_second:
            self._recent.append(self._loop.time() + wait)
        if wait:
            self._next(line, wait, self._dial)
        else:
            self._dial(line)
        return entry

    def hang_up(self, entry: Entry) -> None:
        """End a call for the caller; one that is over stays as it is."""
        line = self._lines.get(entry.id)
        if line is not None:
            self._end(line, 200 if entry.answered else 487, 16, "hung up", hung_up=True)

    def close(self) -> None:
        """Stop every timer. Calls that were live stay so in the journal: nobody saw their end."""
        for line in self._lines.values():
            if line.step:
                line.step.cancel()
        for handle in self._later:
            handle.cancel()

    def _next(self, line: Line, seconds: float, step: Callable[[Line], None]) -> None:
        line.step = self._timer.later(seconds, step, line)

    def _dial(self, line: Line) -> None:
        self.journal.note(line.entry, dialled=self._timer.now())
        if line.conduct.fate in {"busy", "invalid", "unreachable", "blocked"}:
            self._next(line, line.conduct.setup, self._refuse)
        else:
            self._next(line, line.conduct.setup, self._ring)

    def _refuse(self, line: Line) -> None:
        self._end(line, *_ENDINGS[line.conduct.fate])

    def _ring(self, line: Line) -> None:
        self.journal.note(line.entry, ringing=self._timer.now())
        self._announce(line, "ringing")
        plan, limit = line.conduct, line.order.ring_seconds
        picked_up = plan.patience if plan.fate == "no_answer" else plan.ring
        if picked_up >= limit:
            self._next(line, limit, self._give_up)
        elif plan.fate == "declined":
            self._next(line, picked_up, self._refuse)
        elif plan.fate == "no_answer":
            self._next(line, picked_up, self._nobody)
        else:
            self._next(line, picked_up, self._answer)

    def _give_up(self, line: Line) -> None:
        self._end(line, *_OUR_RING_LIMIT)

    def _nobody(self, line: Line) -> None:
        self._end(line, *_NOBODY)

    def _answer(self, line: Line) -> None:
        self.journal.note(line.entry, answered=self._timer.now(), answered_by=line.conduct.fate)
        self._announce(line, "answered")
        self._next(line, min(line.conduct.talk, line.order.limit_seconds), self._finish)

    def _finish(self, line: Line) -> None:
        self._end(line, 200, 16, "normal clearing")

    def _end(self, line: Line, sip: int, q850: int, reason: str, *, hung_up: bool = False) -> None:
        if line.step:
            line.step.cancel()
        del self._lines[line.entry.id]
        self.journal.note(line.entry, ended=self._timer.now(), sip=sip, q850=q850, reason=reason, hung_up=hung_up)
        self._announce(line, "ended")
        if line.entry.answered:
            self._after(line.conduct.result_after, self._result, line)

    def _result(self, line: Line) -> None:
        now, plan = self._timer.now(), line.conduct
        later = None if plan.call_back_after is None else now + plan.call_back_after
        told = {"extracted": plan.extracted, "transcript": plan.transcript}
        self.journal.note(line.entry, resulted=now, opted_out=plan.opts_out, call_back_at=later, **told)
        self._announce(line, "result")

    def _announce(self, line: Line, event: Event) -> None:
        """Call back as the script wants it: once, late, more than once, after the next one, or not at all."""
        ready, line.held = [*line.held], []
        if event in self.script.send and line.order.callback_url:
            trouble = telling(self.script, line.entry.to, line.entry.nth, event)
            copies = [] if trouble.lost else [0.0, *trouble.copies]
            now = [event for wait in copies if not wait]
            if trouble.reordered and not ready and event != "result" and (event != "ended" or line.entry.answered):
                line.held = now
            elif trouble.late:
                copies, now = [trouble.late + wait for wait in copies], []
            else:
                ready = now + ready
            for wait in filter(None, copies):
                self._after(wait, self._send, line, event)
        for each in ready:
            self._send(line, each)

    def _send(self, line: Line, event: Event) -> None:
        self._tell(line.order.callback_url, msgspec.json.encode(payload(line.entry, event)))

    def _after(self, seconds: float, step: Callable[..., None], *args: Any) -> None:
        def run() -> None:
            self._later.discard(handle)
            step(*args)

        handle = self._timer.later(seconds, run)
        self._later.add(handle)


def payload(entry: Entry, event: Event) -> dict[str, Any]:
    """One event of a call as callbacks carry it and look-ups list it: the same fact always under the same id."""
    number = _ORDER.index(event) + 1
    told: dict[str, Any] = {
        "id": f"{entry.id}:{number}",
        "type": f"call.{event}",
        "call": entry.id,
        "attempt": entry.attempt,
        "seq": number,
        "at": {"ringing": entry.ringing, "answered": entry.answered, "ended": entry.ended, "result": entry.resulted}[event],
    }
    if event in {"ended", "result"}:
        told |= {
            "answered_by": entry.answered_by,
            "answered": entry.answered is not None,
            "rang": entry.ringing is not None,
            "cancelled": entry.hung_up and entry.answered is None,
            "sip": entry.sip,
            "q850": entry.q850,
            "reason": entry.reason,
        }
    if event == "result" and entry.answered and entry.ended:
        told["data"] = {"talk_seconds": round(entry.ended - entry.answered, 3), "summary": f"Spoke to a {entry.answered_by}."}
        if entry.opted_out:
            told["data"]["do_not_call"] = True
        if entry.call_back_at is not None:
            told["data"]["callback_at"] = datetime.fromtimestamp(entry.call_back_at, UTC).isoformat(timespec="seconds")
        if entry.extracted:
            told["data"]["extracted"] = entry.extracted
        if entry.transcript:
            told["data"]["transcript"] = entry.transcript
    return told


def record(entry: Entry) -> dict[str, Any]:
    """What a look-up tells of a call."""
    happened = {"ringing": entry.ringing, "answered": entry.answered, "ended": entry.ended, "result": entry.resulted}
    return {
        "id": entry.id,
        "attempt": entry.attempt,
        "over": entry.ended is not None,
        "answered": entry.answered is not None,
        "events": [payload(entry, event) for event in _ORDER if happened[event] is not None],
    }
