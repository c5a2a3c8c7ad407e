"""Whether a number plan tells the numbers of a block apart: those that differ in their last four digits alone.

A list has many numbers and few blocks, so where a plan says the same of all numbers of a block, one of them has to be read.
Owns the proof: the patterns of such a plan end in digits of any kind, and what is taken off the front of a number is fixed. So it
is in half of the countries, the United States, Canada, France and Russia among them. Pure; rests on the plans of the phonenumbers
library.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

BLOCK_DIGITS: Final = 4

SHORTEST_FRONT: Final = 3
"""Digits of a national number before its last four: more than is ever taken off it."""

_FREE_END: Final = re.compile(r"\\d\{([0-9]+)(?:,[0-9]+)?\}$")
_FRONT: Final = re.compile(r"(?:[0-9]|\[[0-9-]+\]){1,4}")
_KINDS: Final = (
    "general_desc", "premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail",
    "fixed_line", "mobile",
)  # fmt: skip


def is_block(number: str, region: str) -> bool:
    """Whether what holds for the E.164 `number`, read in the default `region`, holds for its whole block: that it may be dialled,
    what kind it is, and where its country code ends."""
    from phonenumbers import parse, region_code_for_number

    read = parse(number)
    code, own = read.country_code, region_code_for_number(read)
    return own is not None and len(number) - 1 - len(str(code)) >= SHORTEST_FRONT + BLOCK_DIGITS and _alike(region, code, own)


@cache
def _alike(region: str, code: int, own: str) -> bool:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    return (
        all(_fixed_front(each) and _free_end(each) for each in (region, regions[0]))  # by these it is parsed
        and all(_known_by_front(each) or _free_end(each) for each in regions)  # by these its region is found
        and _free_end(own)
    )


def _plan(region: str) -> Any:
    from phonenumbers.phonemetadata import PhoneMetadata

    return PhoneMetadata.metadata_for_region(region)


@cache
def _fixed_front(region: str) -> bool:
    """Whether the prefixes that are taken off are digits."""
    plan = _plan(region)
    if plan is None or plan.national_prefix_transform_rule:
        return False
    return all(prefix is None or prefix.isdigit() for prefix in (plan.international_prefix, plan.national_prefix_for_parsing))


@cache
def _known_by_front(region: str) -> bool:
    front = _plan(region).leading_digits
    return front is not None and all(_FRONT.fullmatch(each) for each in front.split("|"))


@cache
def _free_end(region: str) -> bool:
    """Whether each pattern of the plan ends in at least four digits of any kind."""
    plan = _plan(region)
    kinds = [getattr(plan, kind) for kind in _KINDS]
    patterns = [kind.national_number_pattern for kind in kinds if kind is not None and kind.national_number_pattern]
    ends = [_FREE_END.search(each) for pattern in patterns for each in _alternatives(pattern)]
    return all(end is not None and int(end[1]) >= BLOCK_DIGITS for end in ends)


def _alternatives(pattern: str) -> list[str]:
    """What the bars outside of brackets part."""
    found, depth = [""], 0
    for sign in pattern:
        depth += (sign in "([") - (sign in ")]")
        if sign == "|" and depth == 0:
            found.append("")
        else:
            found[-1] += sign
    return found
