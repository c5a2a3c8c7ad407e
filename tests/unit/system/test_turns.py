"""The judge of fairness: it lets pass whatever the planner's own order makes of a day, and no other order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.pacing import Claim, RecentReleases, share
from scheduler.planner import CallerId
from tests.system.turns import Turn, Waits, waits

NUMBERS = (CallerId("num_1", "+49301", 1, "number:num_1"),)


def claims(*rounds: str) -> list[Turn]:
    """A round each second, that gives a call to each campaign so many times as its letter is there."""
    return [Turn(float(at), campaign, at) for at, who in enumerate(rounds) for campaign in who]


def end(*times: float, of: str = "a") -> list[Turn]:
    return [Turn(at, of, None) for at in times]


def judged(*turns: list[Turn], caps: Mapping[str, int], until: float = 9.0, due: int = 100) -> Waits:
    return waits([turn for some in turns for turn in some], caps, dict.fromkeys(caps, due), 0.0, until)


ONE_EACH = {"a": 1, "b": 1, "c": 1}


def test_in_turn_nobody_is_passed_over_however_long_a_turn_takes() -> None:
    found = judged(claims("a", "b", "c", "a"), end(2.5), caps=ONE_EACH, until=3.5)
    assert (found.rounds, found.campaigns, found.served) == (0, 0, 4)
    late = [*claims(*"abcdef"), *(Turn(20.0 + n, name, 20 + n) for n, name in enumerate("abcdef"))]
    caps = dict.fromkeys("abcdef", 2)
    assert waits(late, caps, dict.fromkeys(caps, 9), 0.0, 26.0).rounds == 0


def test_whoever_waited_through_another_one_s_round_comes_before_its_next() -> None:
    found = judged(claims("a", "a", "a", "a", "b"), end(0.5, 1.5, 2.5, 3.5), caps={"a": 1, "b": 1})
    assert (found.rounds, found.campaigns, found.seconds) == (3, 1, 3.0)
    forgotten = judged(claims("a", "a", "a", "a"), end(0.5, 1.5, 2.5, 3.5), caps={"a": 1, "b": 1})
    assert (forgotten.rounds, forgotten.seconds) == (3, 8.0)


def test_whoever_has_fewer_calls_comes_first() -> None:
    assert judged(claims("ab", "a", "c"), caps={"a": 2, "b": 2, "c": 2}).rounds == 1
    assert judged(claims("aa", "b"), caps={"a": 2, "b": 2}).rounds == 1
    assert judged(claims("ab", "a", "b"), end(0.5), caps={"a": 2, "b": 2}).rounds == 0


def test_passed_over_is_nobody_who_has_no_free_slot_or_nobody_due() -> None:
    others = (claims("ab", "a", "a", "a"), end(0.5, 1.5, 2.5, 3.5))
    assert judged(*others, caps={"a": 1, "b": 1}).rounds == 0
    assert judged(*others, caps={"a": 1, "b": 2}).rounds == 0
    due = [turn for some in (*others, end(0.6, of="b")) for turn in some]
    assert waits(due, {"a": 1, "b": 1}, {"a": 100, "b": 2}, 0.0, 9.0).rounds == 1
    assert waits(due, {"a": 1, "b": 1}, {"a": 100, "b": 1}, 0.0, 9.0).rounds == 0


def test_a_slot_that_came_back_while_a_round_was_under_way_waits_from_the_next_one_on() -> None:
    rounds = (claims("ab", "a", "a", "a", "a"), end(0.5, 1.5, 2.5, 3.5))
    assert judged(*rounds, end(1.9, of="b"), caps={"a": 1, "b": 1}).rounds == 1  # it surely waits from 3 on, hence before 4
    assert judged(*rounds, end(2.1, of="b"), caps={"a": 1, "b": 1}).rounds == 0


def test_the_pause_is_while_somebody_waits() -> None:
    assert judged(claims("a", "b", "c"), caps=ONE_EACH).pause == 1.0
    late = [Turn(4.0, "a", 1), Turn(5.0, "b", 2)]
    assert waits(late, {"a": 1, "b": 1}, {"a": 9, "b": 9}, 0.0, 12.0).pause == 4.0
    assert waits([*late, Turn(6.0, "b", None)], {"a": 1, "b": 1}, {"a": 9, "b": 9}, 0.0, 12.0).pause == 4.0
    assert waits([*late, Turn(4.5, "a", None)], {"a": 1, "b": 1}, {"a": 9, "b": 9}, 0.0, 12.0).pause == 7.0
    assert waits([], {"a": 1}, {"a": 9}, 0.0, 12.0).pause == 12.0


Served = Callable[[str, float], float]


def day(caps: Mapping[str, int], random: Random, room: int, served: Served) -> Waits:
    """Thirty rounds of the planner's `share`, in which calls end at any time. `served`: what the order is by."""
    turns: list[Turn] = []
    recent, live = RecentReleases(), dict.fromkeys(caps, 0)
    due = {name: random.randint(1, 20) for name in caps}
    left = dict(due)

    def hang_up(since: float) -> None:
        for name in caps:
            gone = sum(random.random() < 0.4 for _ in range(live[name]))
            live[name] -= gone
            turns.extend(Turn(since + random.uniform(0, 0.4), name, None) for _ in range(gone))

    for n in range(30):
        hang_up(float(n))
        read, looked_at = dict(live), [name for name in caps if live[name] < caps[name] and left[name]]
        recent.keep(looked_at, ())
        recent.seen(looked_at, n + 0.45)
        hang_up(n + 0.45)
        since = recent.allowance({}, n + 0.5).served
        wanted = [
            Claim(name, 1, read[name], served(name, since[name]), left[name], ("trunk", f"campaign:{name}"), NUMBERS)
            for name in looked_at
        ]
        free = {"trunk": room} | {f"campaign:{name}": caps[name] - read[name] for name in looked_at}
        for name, numbers in share(wanted, free, 2000).items():
            count = sum(numbers.values())
            live[name] += count
            left[name] -= count
            turns.extend(Turn(n + 0.9, name, n) for _ in range(count))
            recent.note(name, (), numbers.items(), {"num_1": 1}, n + 0.95)
    return waits(turns, caps, due, 0.0, 30.0)


@settings(max_examples=60)
@given(
    st.dictionaries(st.text("abcdefghij", min_size=1, max_size=2), st.integers(1, 4), min_size=2, max_size=12),
    st.randoms(use_true_random=False),
    st.integers(1, 8),
)
def test_the_planner_s_order_passes_nobody_over(caps: dict[str, int], random: Random, room: int) -> None:
    found = day(caps, random, room, lambda name, since: since)
    assert (found.rounds, found.campaigns) == (0, 0)


@pytest.mark.parametrize("served", [lambda name, since: 0.0, lambda name, since: -since], ids=["by name", "latest first"])
def test_any_other_order_is_found_out(served: Served) -> None:
    caps = {f"c{n:02}": 1 + n % 3 for n in range(20)}
    found = day(caps, Random(1), 4, served)
    assert found.rounds > 2 and found.campaigns > 2 and found.seconds > 2
    assert math.isclose(found.pause, 1.0)
