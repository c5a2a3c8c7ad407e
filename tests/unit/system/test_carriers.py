"""What the verdict on an adapter's run takes for wrong, and that its plays are those of the number."""

from __future__ import annotations

import tomllib
from collections import Counter

import pytest

from adapters import registry
from adapters.conformance import Act
from adapters.simulated.carrier.journal import Entry
from tests.support.providers.calls import Order
from tests.system.carriers.cast import ROWS, shortened
from tests.system.carriers.kinds import KINDS, LOST, table
from tests.system.carriers.plays import SHARES, play
from tests.system.carriers.verdict import Enrolled, forsaken, unasked, waiting, wrong
from tests.system.judge import Held

TWILIO, VAPI = KINDS["twilio"], KINDS["vapi"]


def called(attempt: str, act: Act, to: str = "+491", at: float = 1.0) -> Entry:
    return Entry(
        id=f"ref of {attempt}", attempt=attempt, to=to, caller_id="+492", labels={}, nth=1, accepted=at, same_attempt=False,
        beside_live=False, ended=at + 0.5, reason=act.value,
    )  # fmt: skip


def held(attempt: str, outcome: str | None, state: str = "ended") -> Held:
    return Held(attempt, "cc_1", state, outcome, 1.0, 2.0, 1.0, 1.5)


def test_the_trunks_of_the_runs_are_those_of_every_built_in_adapter_and_can_be_built() -> None:
    assert KINDS.keys() == registry.BUILT_IN.keys()
    for name, kind in KINDS.items():
        options = tomllib.loads(table(kind, "http://127.0.0.1:9"))["adapters"][name]
        assert registry.build(name, options.pop("kind"), options).name == name


def test_an_ending_is_wrong_that_is_not_what_the_provider_tells() -> None:
    calls = [called("a", Act.BUSY), called("b", Act.DECLINED), called("c", Act.HUMAN)]
    right = [held("a", "busy"), held("b", "declined"), held("c", "answered"), held("d", None, "recalled")]
    assert not wrong(TWILIO, right, calls)
    assert wrong(VAPI, right, calls) == Counter({"declined → declined": 1})  # which Vapi tells as busy
    said = wrong(TWILIO, [held("a", "no_answer"), held("c", None, "calling"), held("d", "unknown")], calls)
    assert said == Counter({"busy → no_answer": 1, "human → calling": 1, "no call → unknown": 1})


@pytest.mark.parametrize(
    ("acts", "count"),
    [
        ([], 1),
        ([Act.HUMAN], 0),
        ([Act.BUSY], 1),
        ([Act.BUSY, Act.UNREACHABLE, Act.DECLINED], 1),
        ([Act.BUSY, Act.UNREACHABLE, Act.DECLINED, Act.NO_ANSWER], 0),
        ([Act.UNREACHABLE] * 5, 1),
        ([Act.NO_ANSWER, Act.INVALID], 0),
    ],
)
def test_whoever_was_called_less_often_than_was_due_is_lost(acts: list[Act], count: int) -> None:
    calls = [called(f"a{n}", act, at=float(n)) for n, act in enumerate(acts)]
    assert forsaken(TWILIO, [Enrolled("+491", closed=False)], calls) == count
    assert forsaken(TWILIO, [Enrolled("+491", closed=True), Enrolled(None, closed=False)], calls) == 0


def test_whoever_has_a_number_that_is_perhaps_invalid_waits_for_another_day() -> None:
    retell, people = KINDS["retell"], [Enrolled("+491", closed=False)]
    for acts, count in (([Act.BUSY, Act.INVALID], 1), ([Act.INVALID, Act.HUMAN], 0), ([Act.BUSY] * 2 + [Act.INVALID], 0)):
        calls = [called(f"a{n}", act, at=float(n)) for n, act in enumerate(acts)]
        assert waiting(retell, people, calls) == count
        assert waiting(TWILIO, people, calls) == 0
        assert forsaken(retell, people, calls) == 0


def test_a_call_to_somebody_who_said_no_or_is_not_of_the_list_is_counted() -> None:
    people = [Enrolled("+491", closed=True), Enrolled("+492", closed=False)]
    assert unasked(people, [called("a", Act.BUSY, to) for to in ("+491", "+492", "+493")]) == 2


def test_a_play_is_that_of_its_number_and_loses_no_answer_whose_end_is_never_told() -> None:
    orders = [Order(f"call_{n}", f"+49{n}") for n in range(2000)]
    for kind in KINDS.values():
        plays = [play(kind, 1, order, 1) for order in orders]
        assert plays == [play(kind, 1, order, 1) for order in orders]
        assert {each.act for each in plays} == SHARES.keys()
        assert {each.answer for each in plays if each.answer in LOST} == set(kind.lost)
        assert {each.act for each in plays if each.answer in LOST} <= kind.lost_of


def test_the_shortened_list_is_its_beginning() -> None:
    assert shortened(3).count(b"\n") == 4 and ROWS >= 300
