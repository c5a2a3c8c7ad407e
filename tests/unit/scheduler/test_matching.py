"""Which number is shown to whom: ties as far as there is room, the rest in turn by weight."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from scheduler.matching import Callee, Offer, behind, match, turns
from scheduler.pacing import Claim, share
from scheduler.planner import CallerId

AREAS = ("+1415", "+1212", "+4930")
PHONES = ("+14155550123", "+12125550123", "+493012345678", "+498912345678")


def quotas(offers: list[Offer], count: int, room: dict[str, int] | None = None) -> list[tuple[str, int]]:
    """As the planner shares out `count` slots among these numbers."""
    numbers = [CallerId(o.id, "", o.weight, o.id) for o in offers]
    claim = Claim("c", 1, 0, 0.0, count, (), numbers, {o.id: o.had for o in offers})
    return sorted(share([claim], room or {}, count).get("c", {}).items())


def in_turn(offers: list[Offer], count: int, room: dict[str, int] | None = None) -> list[str]:
    return turns(quotas(offers, count, room), {o.id: o.weight for o in offers}, {o.id: o.had for o in offers})


def offer(id: str, **changed: object) -> Offer:
    return replace(Offer(id, 1, 1000), **changed)  # type: ignore[arg-type]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Callee], list[Offer], list[str]]:
    """A claim: people of whom some are tied, numbers with different weights, pasts and rooms, and the planner's slots."""
    ids = [f"n{index}" for index in range(draw(st.integers(1, 6)))]
    sticky = draw(st.booleans())
    local = draw(st.booleans())
    rooms = {id: draw(st.none() | st.integers(0, 12)) for id in ids}
    had = {id: float(draw(st.integers(0, 9))) for id in ids}
    weights = {id: draw(st.integers(1, 20)) for id in ids}
    count = draw(st.integers(1, 40))
    planned = [Offer(id, weights[id], 0, had[id]) for id in ids]
    slots = in_turn(planned, count, {id: room for id, room in rooms.items() if room is not None})
    count = len(slots)
    areas = {id: draw(st.sampled_from(AREAS)) if local and draw(st.integers(0, 4)) else None for id in ids}
    offers = [
        Offer(id, weights[id], count if rooms[id] is None else min(rooms[id] or 0, count), had[id], areas[id], sticky)
        for id in ids
        if rooms[id] != 0
    ]
    befores = st.none() | st.sampled_from([*ids, "gone"])
    callees = draw(st.lists(st.builds(Callee, st.sampled_from(PHONES), befores), max_size=count))
    return callees, offers, slots


@given(cases())
def test_everybody_is_shown_one_and_no_number_more_often_than_it_may(case: tuple[list[Callee], list[Offer], list[str]]) -> None:
    callees, offers, slots = case
    shown = match(callees, offers, slots)
    assert len(shown) == len(callees)
    most = {each.id: each.most for each in offers}
    assert all(count <= most[number] for number, count in Counter(shown).items())


@given(cases())
def test_whoever_was_shown_a_number_sees_it_again_as_far_as_it_has_room(
    case: tuple[list[Callee], list[Offer], list[str]],
) -> None:
    callees, offers, slots = case
    shown = match(callees, offers, slots)
    for each in offers:
        tied = [index for index, callee in enumerate(callees) if each.sticky and callee.before == each.id]
        again = [index for index in tied if shown[index] == each.id]
        assert tied[: each.most] == again[: each.most], "the first in line come first, and all for whom there is room"


@given(cases())
def test_nobody_is_shown_a_far_number_while_one_of_his_area_has_room(case: tuple[list[Callee], list[Offer], list[str]]) -> None:
    callees, offers, slots = case
    shown = match(callees, offers, slots)
    for callee, number in zip(callees, shown, strict=True):
        if any(each.id == callee.before and each.sticky for each in offers):
            continue
        near = [each for each in offers if each.area is not None and callee.number.startswith(each.area)]
        if near and number not in {each.id for each in near}:
            neighbours = Counter(
                theirs
                for other, theirs in zip(callees, shown, strict=True)
                if other.before == theirs or any(other.number.startswith(each.area or "-") for each in near)
            )
            assert all(neighbours[each.id] >= each.most for each in near), "those of other areas come after all of this one"


@given(cases())
def test_whom_nothing_ties_gets_the_number_most_behind_its_weight(case: tuple[list[Callee], list[Offer], list[str]]) -> None:
    """Of those that have a slot, all that was shown before counted: the rule of the rotation, call by call."""
    callees, offers, slots = case
    shown = match(callees, offers, slots)
    by_id = {each.id: each for each in offers}
    ties = [
        number
        for callee, number in zip(callees, shown, strict=True)
        if _tied(callee, number, offers)
    ]  # fmt: skip
    free = [number for callee, number in zip(callees, shown, strict=True) if not _tied(callee, number, offers)]
    given_out = Counter(ties)
    planned = Counter(slots)
    for number in free:
        open_ones = [id for id in planned if given_out[id] < planned[id]]
        best = min(open_ones, key=lambda id: (behind(by_id[id].had + given_out[id], by_id[id].weight), id))
        assert number == best
        given_out[number] += 1


def _tied(callee: Callee, number: str, offers: list[Offer]) -> bool:
    """Whether a tie explains this number; who got in turn what he was tied to anyhow changes nothing in what is counted."""
    return any(
        each.id == number and ((each.sticky and callee.before == number) or (each.area and callee.number.startswith(each.area)))
        for each in offers
    )


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(1, 400))
def test_without_ties_the_numbers_take_turns_by_weight_as_ever(weights: list[int], count: int) -> None:
    offers = [offer(f"n{index}", weight=weight, sticky=False) for index, weight in enumerate(weights)]
    slots = in_turn(offers, count)
    callees = [Callee("+14155550123", "n0")] * count
    assert match(callees, offers, slots) == slots
    for beginning in range(1, count + 1):
        got = Counter(slots[:beginning])
        for each in offers:
            assert abs(got[each.id] - beginning * each.weight / sum(weights)) <= len(weights)


def test_what_goes_to_the_tied_counts_for_the_turns_of_the_others() -> None:
    offers = [offer("a"), offer("b")]
    callees = [Callee("+1", "a")] * 3 + [Callee("+1")] * 5
    shown = match(callees, offers, in_turn(offers, 8))
    assert shown[:3] == ["a", "a", "a"]
    assert Counter(shown) == {"a": 4, "b": 4}


def test_two_numbers_of_one_area_share_it_by_weight_and_what_they_had() -> None:
    offers = [offer("a", area="+1415", weight=3), offer("b", area="+1415"), offer("far", weight=20)]
    near = [Callee("+14155550123")] * 8
    assert Counter(match(near, offers, in_turn(offers, 8))) == {"a": 6, "b": 2}
    rested = [replace(offers[0], had=30.0), *offers[1:]]
    assert match(near[:1], rested, in_turn(rested, 1)) == ["b"]


def test_sticky_comes_before_local_presence_and_a_full_number_is_not_waited_for() -> None:
    offers = [offer("near", area="+1415", most=1), offer("far", area="+1212")]
    slots = in_turn(offers, 2, {"near": 1})
    assert match([Callee("+14155550123", "far"), Callee("+14155550123")], offers, slots) == ["far", "near"]
    assert match([Callee("+14155550123", "near"), Callee("+14155550124", "near")], offers, slots) == ["near", "far"]
