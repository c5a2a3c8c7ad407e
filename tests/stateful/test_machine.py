"""Any interleaving of everything that can happen to campaigns: the laws hold after every step, and it all comes to rest.

`DIALER_STORIES=500` makes up so many stories at random, instead of the same few, and makes a story that fails as short as it can.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from dialer.queue import close, connect
from dialer.store.database import Database
from tests.stateful.asking_rules import Machine

_MUST = """
died at claim | died at place | died between fence and transmission | died with the answer unread | died at accepted
transmission: accepted | transmission: refuse | maybe placed, and it was | maybe placed, but was not
looked up: placing | looked up: unknown | a held dial was sent | a held dial was too late | the fence refused
a job run again | 2 or more together past the fence | an event or a look-up came before our note
a late event of attempt n while n+1 is live | a no was answered | do not call: True | suppressed: team
suppressed: global | suppressed: campaign | another number | cap changed | window changed
released just before a window shuts | pause | cancel | resumed | run, | somebody new | a no beside a dial: it went out
second numbers: not called | one of two numbers was suppressed | a second number was called | a callback was agreed
a callback was made | a callback was withdrawn | somebody asked in a call | a call's wish was judged: scheduled
somebody opted out in a call | frequency caps: set | frequency caps: lifted | held back by a frequency cap
a no beside a dial: none went out | an unknown ending was corrected | swept, died | reconciled, died
"""
MUST = _MUST.strip().replace("\n", " | ").split(" | ")
"""What has to happen in a run: one in which much of it does not shows less than it says. A long run shows all of it."""

STORIES = int(os.environ.get("DIALER_STORIES", "0"))
FEW, STEPS = 46, 44
LONG = 250
MAY_BE_MISSED = 8


@pytest.fixture
def machine(still_url: str, redis_url: str) -> Iterator[type[Machine]]:
    with asyncio.Runner() as runner:
        Machine.loop, Machine.database, Machine.redis = runner, runner.run(Database.open(still_url)), connect(redis_url)
        Machine.situations.clear()
        try:
            yield Machine
        finally:
            runner.run(Machine.database.close())
            runner.run(close(Machine.redis))


@pytest.mark.timeout(0 if STORIES else 240)
def test_the_laws_hold_after_every_step_of_any_story(machine: type[Machine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=STORIES or FEW,
            stateful_step_count=STEPS,
            derandomize=not STORIES,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            phases=[Phase.reuse, Phase.generate, *([Phase.shrink] if STORIES else [])],
        ),
    )
    for what, times in sorted(machine.situations.items()):
        print(f"{times:6} {what}")
    missed = [must for must in MUST if not any(what.startswith(must) for what in machine.situations)]
    assert len(missed) <= (0 if STORIES >= LONG else MAY_BE_MISSED), missed
