from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.pacing import Burst, Claim, Left, RecentReleases, share
from scheduler.planner import CallerId


def number(id: str, weight: int) -> CallerId:
    return CallerId(id, "+4930123456", weight, f"number:{id}")


ONE = (number("n", 1),)


def claim(
    name: str, weight: int = 1, live: int = 0, want: int = 1000, served: float = 0.0, scopes: tuple[str, ...] = ("trunk:t",)
) -> Claim:
    return Claim(name, weight, live, served, want, scopes, ONE)


def totals(given: dict[str, dict[str, int]]) -> dict[str, int]:
    return {name: sum(numbers.values()) for name, numbers in given.items()}


def test_slots_follow_weights() -> None:
    assert totals(share([claim("a", 10), claim("b", 1)], {"trunk:t": 110}, 2000)) == {"a": 100, "b": 10}


def test_live_calls_count_as_slots_had() -> None:
    assert totals(share([claim("a", live=8), claim("b")], {"trunk:t": 10}, 2000)) == {"a": 1, "b": 9}


def test_a_single_slot_goes_to_whoever_has_least_for_its_weight() -> None:
    room = {"trunk:t": 1}
    assert totals(share([claim("a", 10, live=9), claim("b", 1, live=1)], room, 2000)) == {"a": 1}
    assert totals(share([claim("a", 10, live=10), claim("b", 1, live=0)], room, 2000)) == {"b": 1}


def test_among_equals_the_one_that_waited_longest() -> None:
    claims = [claim("a", served=3.0), claim("b", served=1.0), claim("c", served=2.0)]
    assert totals(share(claims, {"trunk:t": 2}, 2000)) == {"b": 1, "c": 1}


def test_what_one_cannot_use_others_get() -> None:
    claims = [claim("a", want=2), claim("b", scopes=("trunk:t", "team:full")), claim("c")]
    assert totals(share(claims, {"trunk:t": 20, "team:full": 3}, 2000)) == {"a": 2, "b": 3, "c": 15}


def test_no_number_no_call() -> None:
    assert share([Claim("a", 1, 0, 0.0, 5, (), ())], {}, 10) == {}
    assert share([Claim("a", 1, 0, 0.0, 5, (), (number("n", 0),))], {}, 10) == {}


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.integers(1, 60))
def test_numbers_follow_their_weights(weights: list[int], want: int) -> None:
    numbers = tuple(number(f"n{index}", weight) for index, weight in enumerate(weights))
    got = share([Claim("c", 1, 0, 0.0, want, (), numbers)], {}, 2000)["c"]
    for each in numbers:
        assert abs(got.get(each.id, 0) - want * each.weight / sum(weights)) < len(weights) / 2 + 1


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.lists(st.integers(-1, 8), min_size=5, max_size=5))
def test_a_full_number_is_passed_over(weights: list[int], free: list[int]) -> None:
    numbers = tuple(number(f"n{index}", weight) for index, weight in enumerate(weights))
    room = {f"number:n{index}": free[index] for index in range(len(weights))}
    got = share([Claim("c", 1, 0, 0.0, 1000, (), numbers)], room, 2000).get("c", {})
    assert got == {f"n{index}": free[index] for index in range(len(weights)) if free[index] > 0}


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.lists(st.integers(1, 7), min_size=30, max_size=60))
def test_nobody_starves(weights: list[int], freed: list[int]) -> None:
    """A trunk of few slots, calls that end one round later: whoever has no call is served before as many slots were shared out
    as there are campaigns."""
    recent = RecentReleases()
    waited: Counter[str] = Counter()
    names = [f"c{index}" for index in range(len(weights))]
    for now, room in enumerate(freed):
        served = recent.allowance({}, float(now)).served
        claims = [claim(name, weight, served=served.get(name, -1.0)) for name, weight in zip(names, weights, strict=True)]
        got = totals(share(claims, {"trunk:t": room}, 2000))
        for name in names:
            if name in got:
                waited[name] = 0
                recent.note(name, (), [("n", got[name])], {"n": 1}, float(now))
            else:
                waited[name] += room
                assert waited[name] < len(names) + room


def test_who_had_all_its_slots_taken_comes_back_behind_those_who_still_wait() -> None:
    """Campaigns of one slot each, and calls that are over before everybody was served once: a snapshot leaves out whose slot is
    taken, and who is left out is forgotten."""
    recent = RecentReleases()
    names = [f"c{index}" for index in range(6)]
    served: list[str] = []
    for now in range(12):
        looked_at = [name for name in names if name not in served[-1:]]
        recent.keep(looked_at, ())
        recent.seen(looked_at, float(now))
        since = recent.allowance({}, float(now)).served
        (name,) = share([claim(name, served=since[name]) for name in looked_at], {"trunk:t": 1}, 2000)
        recent.note(name, (), [("n", 1)], {"n": 1}, float(now))
        served.append(name)
    assert served == names * 2


def test_when_there_is_room_for_all_everybody_gets_one() -> None:
    claims = [claim("heavy", 100), *(claim(f"light{index}") for index in range(9))]
    assert len(share(claims, {"trunk:t": 10}, 2000)) == 10


def test_a_slot_at_a_time_rotates_the_numbers_by_weight() -> None:
    recent = RecentReleases()
    weights = {"a": 3, "b": 1}
    seen: Counter[str] = Counter()
    for now in range(40):
        used = recent.allowance({}, float(now)).used.get("c", {})
        numbers = tuple(number(name, weight) for name, weight in weights.items())
        got = share([Claim("c", 1, 0, 0.0, 1, (), numbers, used)], {}, 2000)["c"]
        seen.update(got)
        recent.note("c", (), got.items(), weights, float(now))
    assert seen == {"a": 30, "b": 10}


def test_a_number_that_rested_catches_up_on_few_calls_only() -> None:
    recent = RecentReleases()
    weights = {"a": 1, "b": 1}
    recent.note("c", (), [("a", 1000)], weights, 0.0)
    assert recent.allowance({}, 1.0).used["c"] == {"a": 1000, "b": 992}


class TestRates:
    @given(st.floats(0.1, 50), st.lists(st.floats(0, 0.7), min_size=20, max_size=120))
    def test_no_second_holds_more_than_its_rate(self, rate: float, steps: list[float]) -> None:
        recent = RecentReleases({"trunk:t": rate})
        now, released = 0.0, list[float]()
        for step in steps:
            now += step
            left = recent.allowance({}, now).left["trunk:t"]
            recent.note("c", ("trunk:t",), [("n", left)], {"n": 1}, now)
            released.extend([now] * left)
            burst = -(-rate // 1)
            assert sum(at > now - burst / rate for at in released) <= burst

    def test_steady_demand_is_served_at_nearly_the_rate(self) -> None:
        for rate in (0.2, 1.0, 1.5, 10.0, 333.0):
            recent = RecentReleases({"trunk:t": rate})
            total, seconds = 0, 60
            for step in range(seconds * 100):
                left = recent.allowance({}, step / 100).left["trunk:t"]
                if left:
                    recent.note("c", ("trunk:t",), [("n", 1)], {"n": 1}, step / 100)
                    total += 1
            assert 0.9 * min(rate, 100) * seconds <= total <= min(rate, 100) * seconds + rate + 1

    def test_a_spent_rate_says_when_it_has_room_again(self) -> None:
        recent = RecentReleases({"trunk:t": 2.0})
        assert recent.renewal(0.0) is None
        recent.note("c", ("trunk:t",), [("n", 1)], {"n": 1}, 10.0)
        assert recent.renewal(10.0) is None
        recent.note("c", ("trunk:t",), [("n", 1)], {"n": 1}, 10.4)
        again = recent.renewal(10.4)
        assert again is not None
        assert again[1] == {"trunk:t"}
        assert recent.allowance({}, 10.4).left == {"trunk:t": 0}
        assert recent.allowance({}, 10.4 + again[0]).left == {"trunk:t": 1}

    def test_no_rate_at_all_releases_nothing_and_never_wakes(self) -> None:
        recent = RecentReleases({"trunk:t": 0.0})
        assert recent.allowance({}, 0.0).left == {"trunk:t": 0}
        assert recent.renewal(0.0) is None

    def test_a_campaigns_rate_may_change_and_end(self) -> None:
        recent = RecentReleases()
        assert recent.allowance({"campaign:c": 4.0}, 0.0).left == {"campaign:c": 3}
        recent.note("c", ("campaign:c",), [("n", 3)], {"n": 1}, 0.0)
        assert recent.allowance({"campaign:c": 4.0}, 0.5).left == {"campaign:c": 0}
        assert recent.allowance({"campaign:c": 8.0}, 0.5).left == {"campaign:c": 3}
        assert recent.allowance({}, 0.5).left == {}
        recent.keep(set(), set())
        assert recent.allowance({"campaign:c": 4.0}, 0.5).left == {"campaign:c": 3}
        assert not recent.allowance({}, 0.5).served

    def test_what_others_released_is_not_released_again_until_the_burst_is_whole(self) -> None:
        recent = RecentReleases({"trunk:t": 10.0})
        assert recent.allowance({}, 5.0, of_all={"trunk:t": Left(3, 0.7)}).left == {"trunk:t": 3}
        recent.note("c", ("trunk:t",), [("n", 3)], {"n": 1}, 5.0)
        assert recent.spent(5.0) == {"trunk:t"}
        again = recent.renewal(5.0)
        assert again is not None and again[0] == pytest.approx(0.7)
        assert recent.allowance({}, 5.71).left == {"trunk:t": 7}
        assert recent.allowance({}, 5.71, of_all={"trunk:t": Left(9, 0.1)}).left == {"trunk:t": 7}, "it knows better of itself"

    @given(st.floats(0.1, 300), st.floats(0.2, 1))
    def test_a_burst_is_whole_calls_at_the_exact_rate(self, rate: float, seconds: float) -> None:
        burst = Burst.of(rate, seconds)
        assert burst.calls / burst.seconds == pytest.approx(rate)
        assert burst.calls >= 1 and burst.calls - 1 < rate * seconds
