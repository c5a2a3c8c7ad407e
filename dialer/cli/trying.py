"""What `dialer adapter test` does: look whether the number may be called, ask whoever sits there, call once, follow the call."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from dialer.cli.context import Failed, end_in_order, quiet_logging, settling, stores
from dialer.cli.output import print_json
from dialer.telemetry import mask

if TYPE_CHECKING:
    from adapters.base import Call
    from dialer.app import House
    from dialer.flows.trial import Step, Trial
    from dialer.settings import DirectCalls, Settings
    from dialer.store.database import Database

BLAMED = {"trunk", "config", "request"}
"""Whose fault an ending is that says: the trunk does not work."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Numbers in E.164; `ring` and `limit` in seconds; `voice` None: that of the trunk's only assistant."""

    trunk: str
    to: str
    caller_id: str
    voice: str | None
    ring: int
    limit: int
    any_hour: bool


def e164(option: str, written: str) -> str:
    """The number in E.164. Raises `Failed` for one that is never dialled, or whose country nobody names."""
    from dialer.domain.phone import NotPhone, normalise

    if not written.strip().startswith("+"):
        raise Failed(f"{option}: has no country code; write it with + and its country code such as +14155550123")
    read = normalise(written, "US")
    if isinstance(read, NotPhone):
        raise Failed(f"{option}: {read.said}")
    return read.number


def try_it(settings: Settings, asked: Asked, *, confirmed: bool, json: bool) -> None:
    """Raises `Failed`, or what says why the number may not be called."""
    end_in_order()
    quiet_logging(settings, "test")
    if not confirmed and not sys.stdin.isatty():
        raise Failed("there is nobody to ask before a real call is placed; say --yes")
    with stores(settings) as ready:
        asked = asyncio.run(_prepare(ready, asked))
        if not confirmed:
            _ask(asked)
        trial, steps = asyncio.run(_call(ready, asked, json=json))
    end, said_no = trial.ending, trial.do_not_call
    if json:
        print_json(
            {
                "trunk": asked.trunk,
                "outcome": end and end.outcome,
                "fault": end and end.fault,
                "do_not_call": said_no,
                "timeline": [asdict(step) for step in steps],
            }
        )
    if said_no:
        print("Whoever was spoken to does not want to be called: the number is suppressed for every team.", file=sys.stderr)
    if end is None:
        raise Failed("how the call ended is not known; look at the carrier's console")
    if end.fault in BLAMED:
        raise Failed(
            f"the call was not made or failed, and the fault is of the {end.fault}: {end.cause or end.detail or end.outcome}"
        )


def _ask(asked: Asked) -> None:
    typer.echo(
        f"This places one real call over the trunk {asked.trunk}: to {mask(asked.to)}, shown as {mask(asked.caller_id)}, voice"
        f" {asked.voice!r}. It rings for up to {asked.ring} s and lasts up to {asked.limit} s, and the carrier bills it.",
        err=True,
    )
    if not typer.confirm("Call now?", err=True):
        raise Failed("not called")


async def _prepare(settings: Settings, asked: Asked) -> Asked:
    """With the voice. Raises what says why the number may not be called."""
    async with settling(settings) as h:
        await _permit(h, settings, asked)
        return asked if asked.voice is not None else replace(asked, voice=await _only_voice(h.database, asked.trunk))


async def _only_voice(database: Database, trunk: str) -> str:
    from dialer.store.said_no import voices_of
    from dialer.store.transaction import reading

    async with reading(database) as on:
        voices = await voices_of(on, trunk)
    if len(voices) != 1:
        found = f"{len(voices)} assistants speak" if voices else "no assistant speaks"
        raise Failed(f"--voice: {found} over the trunk {trunk}; say the external id of the one to call with")
    return voices[0]


async def _permit(h: House, settings: Settings, asked: Asked) -> None:
    from dialer.flows.trial import allow

    hours: DirectCalls | None = None if asked.any_hour else settings.direct_calls
    await allow(h.database, asked.to, h.clock.now(), hours)


async def _call(settings: Settings, asked: Asked, *, json: bool) -> tuple[Trial, list[Step]]:
    from adapters.base import Call
    from adapters.registry import build_beside
    from dialer.domain.fence import FENCE_SECONDS
    from dialer.domain.ids import new_id
    from dialer.flows.trial import Trial

    steps: list[Step] = []

    def tell(step: Step) -> None:
        steps.append(step)
        if not json:
            print(_line(step), flush=True)

    configured = settings.adapters[asked.trunk]
    async with settling(settings) as h, build_beside(asked.trunk, configured.kind, configured.options) as adapter:
        health = await adapter.health()  # it opens the connection, too: a call has to leave within moments of the last look
        if not health.ok:
            raise Failed(f"the trunk {asked.trunk} is not well: {health.detail}; see `dialer doctor`")

        async def permit() -> Call:
            since = h.clock.monotonic()
            await _permit(h, settings, asked)
            return Call(
                attempt=new_id("call"),
                to=asked.to,
                caller_id=asked.caller_id,
                voice=asked.voice or "",
                ring=asked.ring,
                limit=asked.limit,
                not_after=h.clock.now() + timedelta(seconds=asked.ring + FENCE_SECONDS),
                callback_url=f"{settings.http.base_url}/hooks/{asked.trunk}",
                start_before=since + FENCE_SECONDS,
            )

        trial = Trial(adapter, h.clock, tell)
        try:
            await trial.run(permit)
        finally:
            if trial.do_not_call:
                await _suppress(h, asked.to)
    return trial, steps


async def _suppress(h: House, number: str) -> None:
    from dialer.app import desk
    from dialer.flows.suppressions import suppress
    from dialer.store.suppressions import Entry

    await suppress(desk(h), "cli", Entry("global", None, None, number, "said so in a test call", "adapter test"))


def _line(step: Step) -> str:
    how = [step.outcome and f"outcome {step.outcome}", step.fault and f"fault {step.fault}", step.cause and f"cause {step.cause}"]
    codes = [f"SIP {step.sip}" if step.sip else None, f"Q.850 {step.q850}" if step.q850 else None]
    told = ", ".join(filter(None, (*how, *codes, step.detail)))
    return f"{step.seconds:7.1f} s  {step.what:<11} {told}".rstrip()
