"""Transcripts: where the carrier extracted nothing, an endpoint is asked what the transcript of a call says about the contact.

What it answers, with quote and confidence, becomes one more event of the call, and is judged as whatever a call told
(`flows.extractions`). Here it is only asked, beside the calls: a bounded number at a time, with no connection to the database
held meanwhile, so that neither dialling nor any other duty ever waits for the endpoint. A transcript is taken on for as long as
asking may last; whoever dies between answer and commit leaves it to be asked again, and it is told once.

A transcript that the endpoint fails to answer is asked again, later each time, and given up in the end. While the endpoint is
away (not reached, overloaded, over a limit, refusing our key) that counts for no transcript: all of them wait, and one after the
other tries. Logs hold ids, never a word of the call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from adapters.extraction.errors import Away, Failed
from adapters.extraction.fields import Extraction, Field
from adapters.extraction.transcript import Transcript
from dialer.domain.transcript import Outcome, wanted
from dialer.store import transcripts
from dialer.store.database import Pool
from dialer.store.transcripts import Due
from dialer.telemetry import metrics
from scheduler.clock import Clock

EVERY_SECONDS: Final = 1.0
ROUND_SECONDS: Final = 10.0
"""How long a round takes on more transcripts; the next one may take on more at a time."""
MOST_TRIES: Final = 8
"""Over two hours, with the delays below."""
FIRST_SECONDS, LONGEST_SECONDS = 60.0, 3600.0
"""What a transcript waits after the first failure, twice as long after each further one, and at most."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 300.0
"""What all of them wait when the endpoint is away."""
LONGEST_ASKED: Final = 3600.0
"""Of what the endpoint asks us to wait we wait as much."""
EXPIRED_AT_ONCE: Final = 500

AWAY, FAILED = "away", "failed"
"""Tries that are counted beside outcomes."""

log = logging.getLogger(__name__)


class Asked(Protocol):
    """Who is asked: `adapters.extraction.extractor.Extractor`."""

    async def extract(self, fields: Sequence[Field], transcript: Transcript, began: datetime) -> Extraction:
        """Raises `Away` or `Failed`."""


class Transcripts:
    """`model`: noted with what was found. `at_once`: calls asked about at the same time; `longest`: seconds that asking about one
    may take; `age`: seconds after which one that is due has waited too long."""

    def __init__(self, pool: Pool, clock: Clock, who: Asked, *, model: str, at_once: int, longest: float, age: float) -> None:
        self._pool = pool
        self._clock = clock
        self._who = who
        self._model = model
        self._at_once = at_once
        self._longest = longest
        self._age = age
        self._pauses = 0
        self._until = -1.0
        for outcome in (*Outcome, AWAY, FAILED):  # from 0 on: an increase from nothing is none to Prometheus
            metrics.TRANSCRIPTS.labels(outcome)

    async def ask(self) -> int:
        """Ask about what is due, until nothing is or the endpoint is away; of how many calls."""
        if old := await transcripts.expire(self._pool, EXPIRED_AT_ONCE, age=self._age):
            metrics.TRANSCRIPTS.labels(Outcome.EXPIRED).inc(old)
            log.warning("%d transcripts have waited too long and are not asked", old)
        now = self._clock.monotonic()
        if now < self._until:
            return 0
        trying = self._pauses > 0
        first = await self._take(1 if trying else self._at_once)
        until = now if trying else now + ROUND_SECONDS
        done = await asyncio.gather(*(self._lane(due, until) for due in first), return_exceptions=True)
        for each in done:
            if isinstance(each, BaseException):
                raise each
        return sum(each for each in done if isinstance(each, int))

    async def _take(self, most: int) -> list[Due]:
        return await transcripts.take(self._pool, most, lease=self._longest + FIRST_SECONDS, age=self._age)

    async def _lane(self, due: Due, until: float) -> int:
        done, left = 0, [due]
        while left:
            await self._one(left[0])
            done += 1
            left = await self._take(1) if self._until < self._clock.monotonic() < until else []
        return done

    async def _one(self, due: Due) -> None:
        if due.tries > MOST_TRIES:  # whoever asked died of it each time
            await self._give_up(due, "nobody came to an end with it")
            return
        try:
            outcome = await self._ask(due)
        except Away as fault:
            await self._pause(due, fault)
        except Failed as fault:
            await self._again(due, str(fault), fault.retry_after)
        except TimeoutError:
            await self._again(due, "asking took too long", None)
        except Exception as fault:
            # not with its traceback, which may hold a word of the call
            await self._again(due, f"a defect: {type(fault).__name__}", None)
        else:
            metrics.TRANSCRIPTS.labels(outcome).inc()

    async def _ask(self, due: Due) -> Outcome:
        found = await transcripts.material(self._pool, due.attempt)
        told = Transcript.of(found.transcript)
        fields = wanted(await transcripts.definitions(self._pool, found.team), found.extracted, anew=due.run > 0)
        if found.event != due.event:
            fields = Outcome.SUPERSEDED
        elif found.erased or not told:
            fields = Outcome.NOTHING
        if isinstance(fields, Outcome):
            await transcripts.close(self._pool, due, fields)
            return fields
        async with asyncio.timeout(self._longest):
            answered = await self._who.extract(fields, told, found.began)
        self._pauses = 0
        if await transcripts.keep(self._pool, due, answered, self._model):
            log.info("attempt %s: %d fields found in its transcript", due.attempt, len(answered.found))
        return Outcome.DONE

    async def _pause(self, due: Due, fault: Away) -> None:
        """Nobody is asked for a while."""
        metrics.TRANSCRIPTS.labels(AWAY).inc()
        now = self._clock.monotonic()
        pause = min(fault.retry_after or 0.0, LONGEST_ASKED)
        if now >= self._until:
            pause = max(pause, min(FIRST_PAUSE * 2 ** min(self._pauses, 10), LONGEST_PAUSE))
            self._pauses += 1
            log.warning("%s; nobody asks for %.0f s", fault, pause)
        self._until = max(self._until, now + pause)
        await transcripts.put_off(self._pool, due, self._until - now, str(fault), counts=False)

    async def _again(self, due: Due, fault: str, wait: float | None) -> None:
        if due.tries >= MOST_TRIES:
            await self._give_up(due, fault)
            return
        metrics.TRANSCRIPTS.labels(FAILED).inc()
        seconds = max(min(FIRST_SECONDS * 2 ** (due.tries - 1), LONGEST_SECONDS), min(wait or 0.0, LONGEST_ASKED))
        await transcripts.put_off(self._pool, due, seconds, fault, counts=True)
        log.warning("attempt %s: %s; its transcript is asked again in %.0f s", due.attempt, fault, seconds)

    async def _give_up(self, due: Due, fault: str) -> None:
        await transcripts.close(self._pool, due, Outcome.GIVEN_UP, fault)
        metrics.TRANSCRIPTS.labels(Outcome.GIVEN_UP).inc()
        log.error("attempt %s: its transcript is given up after %d tries: %s", due.attempt, MOST_TRIES, fault)
