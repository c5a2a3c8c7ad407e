"""Where the area codes of the United States and Canada are assigned: states and provinces, and the zones of their areas.

Owns the reading of `area_codes.toml`, which names its sources. Promises every zone that any exchange of a code is known to be in,
not the likeliest: which exchange a number was given out at says less and less of where it rings. Pure but for that one file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LENGTH = 4
"""Digits of the country code 1 and an area code."""

COUNTRIES = frozenset({"US", "CA"})
"""The countries whose parts are known."""


@dataclass(frozen=True, slots=True)
class AreaCodes:
    """`regions`: "1850" → the ISO 3166-2 codes of where it is assigned. `zones`: the zones of its area. `zones_of`: the zones of
    a region, which are those of all its codes."""

    regions: Mapping[str, tuple[str, ...]]
    zones: Mapping[str, tuple[str, ...]]
    zones_of: Mapping[str, tuple[str, ...]]


@cache
def area_codes() -> AreaCodes:
    """Read once, at the first use."""
    from phonenumbers.tzdata import TIMEZONE_DATA

    data = tomllib.loads(files("scheduler").joinpath("area_codes.toml").read_text(encoding="utf-8"))
    regions: dict[str, list[str]] = {}
    for region, codes in data["regions"].items():
        for code in codes:
            regions.setdefault(f"1{code}", []).append(region)
    zones: dict[str, set[str]] = {f"1{code}": set(names) for code, names in data["zones"].items()}
    for digits, names in TIMEZONE_DATA.items():
        if len(digits) >= LENGTH and digits[:LENGTH] in regions:
            zones.setdefault(digits[:LENGTH], set()).update(names)
    of_region = {
        region: tuple(sorted({zone for code in codes for zone in zones[f"1{code}"]})) for region, codes in data["regions"].items()
    }
    return AreaCodes(
        {code: tuple(sorted(names)) for code, names in regions.items()},
        {code: tuple(sorted(names)) for code, names in zones.items()},
        of_region,
    )


def zones_of(region: str) -> tuple[str, ...]:
    """Every zone of a part of `COUNTRIES`, sorted; nothing for others."""
    return area_codes().zones_of.get(region, ())
