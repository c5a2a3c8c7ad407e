"""Which number is shown to whom: those who are tied to a number first, the others in turn.

Tied is, in this order, who was shown a number before and is to see it again (sticky), and who is in the area of some of the
numbers (local presence). A tie holds as far as the number has room and never longer: nobody waits for a number. Whom nothing ties
gets the numbers in turn, each time the one most behind its weight; what went to the tied counts, so that the weights say each
number's share of all calls as far as the ties leave it open.

The ledger's claim does the same in SQL, for it learns whom it calls only under its locks; what it does and what is written here
are held against each other by a test. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scheduler.areas import nearest


@dataclass(frozen=True, slots=True)
class Offer:
    """A number that may be shown up to `most` times more; it `had` so many calls so far. `area` None: not by local presence.
    `sticky`: who was shown it before sees it again."""

    id: str
    weight: int
    most: int
    had: float = 0.0
    area: str | None = None
    sticky: bool = True


@dataclass(frozen=True, slots=True)
class Callee:
    """Somebody to be called, at a number in E.164; `before`: the id of the number that was shown last."""

    number: str
    before: str | None = None


def behind(had: float, weight: int) -> float:
    """How far a number is from its share; the one with the least is next (Sainte-Laguë's rule: unbiased towards heavy ones)."""
    return (2 * had + 1) / weight


def turns(quotas: Iterable[tuple[str, int]], weights: Mapping[str, int], had: Mapping[str, float]) -> list[str]:
    """Number ids, each as often as its quota says, in the order of their turns: any beginning of it is fair as well."""
    keyed = [(behind(had.get(number, 0.0) + turn, weights[number]), number) for number, count in quotas for turn in range(count)]
    return [number for _, number in sorted(keyed)]


def match(callees: Sequence[Callee], offers: Sequence[Offer], slots: Sequence[str]) -> list[str]:
    """The number that each of `callees`, in the order of the claim, is shown. `slots` are the `turns` of this claim, at least as
    many; where contacts are tied to numbers, `offers` has each of them, `most` being no less than its turns."""
    by_id = {offer.id: offer for offer in offers}
    shown: list[str | None] = [None] * len(callees)
    given: Counter[str] = Counter()
    for index, callee in enumerate(callees):
        own = by_id.get(callee.before or "")
        if own is not None and own.sticky and given[own.id] < own.most:
            shown[index] = own.id
            given[own.id] += 1
    for area, near in _by_area(callees, offers, shown).items():
        here = [offer for offer in offers if offer.area == area]
        for index, number in zip(near, _seats(here, given, len(near)), strict=False):
            shown[index] = number
            given[number] += 1
    left = iter(_left(slots, given))
    return [next(left) if number is None else number for number in shown]


def _by_area(callees: Sequence[Callee], offers: Sequence[Offer], shown: Sequence[str | None]) -> dict[str, list[int]]:
    """Area of some number → which of those who have none yet are in it."""
    areas = frozenset(offer.area for offer in offers if offer.area is not None)
    found: dict[str, list[int]] = {}
    for index, callee in enumerate(callees):
        area = nearest(callee.number, areas) if areas and shown[index] is None else None
        if area is not None:
            found.setdefault(area, []).append(index)
    return found


def _seats(here: Sequence[Offer], given: Mapping[str, int], count: int) -> list[str]:
    """The room of an area's numbers, in the order of their turns; no more of each than `count`."""
    seats = [
        (behind(offer.had + turn, offer.weight), offer.id)
        for offer in here
        for turn in range(given.get(offer.id, 0), min(offer.most, given.get(offer.id, 0) + count))
    ]
    return [number for _, number in sorted(seats)]


def _left(slots: Sequence[str], given: Mapping[str, int]) -> Iterable[str]:
    """The slots without the first ones of each number that the tied have taken. There are enough: of each number at the most as
    many are taken away as went to the tied."""
    passed: Counter[str] = Counter()
    for number in slots:
        passed[number] += 1
        if passed[number] > given.get(number, 0):
            yield number
