"""The arithmetic of the scenarios with a queueing carrier, with poison, and with a herd."""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.simulated.carrier.journal import CAMPAIGN, Entry
from adapters.simulated.carrier.script import Faults
from dialer.app import round_took
from dialer.telemetry.log import TextFormatter
from tests.support.carrier import quick
from tests.system.gauges import Memory, growth, percentile, rounds
from tests.system.scenarios.carrier_queue import deepest, dialled_outside, queued_at
from tests.system.scenarios.morning_herd import PAUSE_SECONDS, RATE, Herd
from tests.system.scenarios.poison import End, pace, poisonous
from tests.system.turns import Waits


def entry(
    accepted: float, dialled: float | None = None, ended: float | None = None, to: str = "+49301234567", campaign: str = ""
) -> Entry:
    return Entry(
        id=f"{accepted}", attempt=f"{accepted}", to=to, caller_id="+49302", labels={CAMPAIGN: campaign}, nth=1, accepted=accepted,
        same_attempt=False, beside_live=False, dialled=dialled, ended=ended,
    )  # fmt: skip


QUEUE = [entry(0, 0, 5), entry(1, 4, 9), entry(2, None, 3), entry(2.5)]


def test_a_call_stands_in_the_queue_until_it_is_dialled_or_taken_back() -> None:
    assert deepest(QUEUE[:1]) == 0
    assert deepest(QUEUE) == 3
    assert [queued_at(QUEUE, moment) for moment in (0.5, 1.0, 2.2, 3.0, 4.0)] == [0, 1, 2, 2, 1]


def test_what_was_accepted_in_the_window_and_dialled_after_it_is_outside() -> None:
    assert dialled_outside(QUEUE, 0, 4.5) == 0
    assert dialled_outside(QUEUE, 0, 4) == 1
    assert dialled_outside(QUEUE, 0.1, 4.5) == 1


def test_growth_is_from_the_middle_to_the_end() -> None:
    assert growth([10, 50, 100, 100, 500, 110]) == pytest.approx(0.1)
    assert growth([10, 50, 50, 100, 500, 110]) == pytest.approx(1.2)
    assert growth([10, 50, 100, 100, 500, 110], settled=4) == pytest.approx(0.1)
    assert growth([*[50] * 18, *[100] * 11, 900, *[100] * 24, *[110] * 5, 900]) == pytest.approx(0.1)
    assert growth([100]) == growth([100], settled=20) == 0


def test_rounds_are_those_of_the_log_that_ended_in_the_time() -> None:
    log = "".join(
        f"2026-01-31T08:00:0{second}.500Z {level} scheduler dialer.app: a round took {second / 8:.4f} s\n"
        for second, level in ((1, "DEBUG"), (4, "DEBUG"), (2, "DEBUG"), (3, "INFO"), (6, "DEBUG"))
    )
    opens = datetime(2026, 1, 31, 8, 0, tzinfo=UTC).timestamp()
    assert rounds(log, opens + 1.6, opens + 5) == [0.25, 0.5]
    assert rounds("", opens, opens + 5) == []


def test_rounds_are_told_as_they_are_read(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="dialer.app"):
        round_took(0.25)
    told = "\n".join(map(TextFormatter("scheduler").format, caplog.records))
    assert rounds(f"{told}\n", time.time() - 60, time.time() + 1) == [0.25]


def test_a_percentile_is_one_of_the_values() -> None:
    values = [n / 100 for n in range(1, 201)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [0.01, 1.0, 1.98, 2.0]
    assert percentile([], 0.99) == math.inf


FAIR = Waits(rounds=0, seconds=0.0, campaigns=0, pause=1.5, served=40)


def herd(**changes: Any) -> Herd:
    """Three campaigns, each called once a second after the opening, with everything as it should be."""
    memory = Memory(settled=0, seen=defaultdict(list, {"scheduler-1": [90, 100, 100, 100, 100, 100]}))
    entries = [entry(11.0 + n, campaign=name) for n, name in enumerate("abc")]
    given = {"people": 9, "campaigns": 3, "made": "0.1 GB made in 1 s", "opens": 10.0, "ended": 40.0, "memory": memory,
             "rounds": [0.01] * 98 + [0.9, 1.2], "fair": FAIR, "entries": entries, "troubles": ()}  # fmt: skip
    return Herd(**{**given, **changes})


def test_the_herd_passes_with_all_three_demands_met() -> None:
    assert herd().passed
    assert herd().firsts == {"a": 1.0, "b": 2.0, "c": 3.0}
    for words in ("9 contacts of 3 campaigns", "p50 0.010 s, p99 0.900 s, worst 1.200 s", "90", "+0.0%", "0 passed over"):
        assert words in herd().told()


@pytest.mark.parametrize(
    "changes",
    [
        {"rounds": [0.01] * 97 + [1.1, 1.1, 1.1]},
        {"rounds": []},
        {"memory": Memory(settled=0, seen=defaultdict(list, {"a": [1, 100, 100], "b": [100, 100, 106]}))},
        {"fair": replace(FAIR, rounds=3)},
        {"fair": replace(FAIR, pause=PAUSE_SECONDS + 0.1)},
        {"campaigns": 4},
        {"entries": [entry(11.0 + n / 1000, campaign="abc"[n % 3]) for n in range(RATE + 1)]},
        {"troubles": ("it did not come to rest",)},
    ],
    ids=["slow rounds", "no rounds", "memory", "passed over", "pause", "a campaign forgotten", "rate", "trouble"],
)
def test_each_demand_that_is_not_met_fails_the_herd(changes: dict[str, Any]) -> None:
    assert not herd(**changes).passed


def test_the_poison_is_what_the_carrier_s_script_says() -> None:
    numbers = [f"+4930{n:08}" for n in range(400)]
    script = quick(answer=0.9, invalid=0.1, faults=Faults(refuse_400=0.1))
    kinds = poisonous(script, numbers, frozenset(numbers[:3]))
    assert {kinds[number] for number in numbers[:3]} == {"huge"}
    assert 20 < sum(kind == "refused" for kind in kinds.values()) < 60
    assert 20 < sum(kind == "invalid" for kind in kinds.values()) < 60
    assert poisonous(quick(), numbers, frozenset()) == {}


def test_the_pace_is_that_of_the_healthy_calls() -> None:
    entries = [entry(float(n), to=f"+4930{n % 10}") for n in range(100)]
    assert pace(entries, {}) == 1.0
    assert pace(entries, {"+49300": "huge"}) == pytest.approx(0.9, abs=0.02)
    assert pace(entries[:1], {}) == 0.0


def test_a_poisoned_contact_ends_with_its_reason_and_after_few_tries() -> None:
    end = End("failed", "error", "quarantined", 3)
    assert end.good("huge") and not end.good("refused")
    assert not replace(end, tries=4).good("huge") and not replace(end, status="pending").good("huge")
