"""Places for tests that are about something else."""

from __future__ import annotations

from scheduler.places import Place, Source, of


def somewhere(*zones: str, region: str = "", source: Source = "number") -> Place:
    """In any of these zones; none = nobody knows where."""
    return of(zones, (region,), source)


ZONES = "array(select distinct unnest(zones) order by 1) as zones"
"""The zones of a row of place_sets, each once."""
