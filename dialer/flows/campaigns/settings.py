"""The words of a campaign's rules: from a request to what is stored, and what is wrong with them, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from dialer.domain.campaign import CampaignSettings, rules_of
from dialer.domain.errors import Invalid
from scheduler.windows import clock_time
from scheduler.zones import is_zone

UNDERSTOOD = frozenset(CampaignSettings.model_fields)
STORED_AS = {to_camel(name): name for name in UNDERSTOOD}

RANGES = {"max_concurrent_calls": (1, 2_147_483_647), "max_attempts_per_contact": (1, 50), "retry_delay_minutes": (0, 10_080)}


def merged(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`stored` with the settings of a request: understood keys under their snake_case names, unknown ones as they are. Null takes
    a setting back to its default and an unknown key away. Raises `Invalid` for a setting that is given in both spellings."""
    twice = sorted(name for name in given.keys() & STORED_AS.keys() if STORED_AS[name] != name and STORED_AS[name] in given)
    if twice:
        raise Invalid({f"settings.{name}": f"is also given as {STORED_AS[name]}; send one of them" for name in twice})
    result = dict(stored)
    for key, value in given.items():
        name = STORED_AS.get(key, key)
        if value is None and (name in UNDERSTOOD or name in stored):
            result.pop(name, None)
        else:
            result[name] = value
    return result


def checked(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a campaign with its understood settings as the rules read them (`"3"` is 3), so that whoever reads the row with
    less care reads the same. Raises `Invalid` with every field whose rules cannot be kept."""
    faults = {
        to_camel(field): [f"is {row[field]}; send a number from {low} to {high}"]
        for field, (low, high) in RANGES.items()
        if not low <= row[field] <= high
    }
    if not row["name"].strip():
        faults["name"] = ["is empty; name the campaign"]
    times = {}
    for field in ("call_window_start", "call_window_end"):
        try:
            times[field] = clock_time(row[field])
        except ValueError as fault:
            faults[to_camel(field)] = [str(fault)]
    if len(times) == 2 and times["call_window_start"] == times["call_window_end"]:
        faults["callWindowEnd"] = ["equals callWindowStart, so the window would never open; for any time send 00:00 and 24:00"]
    elif row["call_window_start"].startswith("24:"):
        faults["callWindowStart"] = ["is the end of the day; a window starts between 00:00 and 23:59:59"]
    if not is_zone(row["call_window_timezone"]):
        faults["callWindowTimezone"] = ["is not a time zone; send an IANA name such as America/New_York"]
    try:
        settings = CampaignSettings.model_validate(row["settings"])
    except ValidationError as fault:
        faults |= _by_field(fault)
    if faults:
        raise Invalid(faults)
    result = {**row, "settings": settings.model_dump(mode="json", exclude_unset=True)}
    try:
        rules = rules_of({**result, "team_caps": ()})
    except ValueError as fault:
        raise Invalid({"settings": str(fault)}) from fault
    if rules.ends is not None and row["scheduled_start_at"] is not None and rules.ends <= row["scheduled_start_at"]:
        raise Invalid({"settings.scheduledEndAt": "is not after scheduledStartAt; send a later time, or an earlier start"})
    return result


def _by_field(fault: ValidationError) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in fault.errors(include_url=False, include_context=False, include_input=False):
        name, *inner = each["loc"] or ("",)
        field = ".".join(["settings", *filter(None, [to_camel(str(name))]), *map(str, inner)])
        said = each["msg"].removeprefix("Value error, ")
        found.setdefault(field, []).append(said[:1].lower() + said[1:])
    return found
