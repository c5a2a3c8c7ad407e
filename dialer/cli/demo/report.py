"""What the demo can show at its end: the import, the outcomes, and the carrier's verdict on the laws."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from adapters.simulated.carrier.journal import Entry
    from dialer.domain.campaign import CampaignRules
    from dialer.store.database import Pool
    from scheduler.places import Place

OUTCOMES = {
    "human": "answered",
    "answered": "answered",
    "machine": "voicemail",
    "no_answer": "no_answer",
    "busy": "busy",
    "declined": "declined",
    "invalid_number": "invalid_number",
    "blocked": "error",
    "unreachable": "error",
    "unknown": "unknown",
    "cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger says of a campaign: its calls by outcome, and whose calls they were."""

    calls: Mapping[str, int]
    retries: int
    open_enrolments: int
    places: Mapping[str, Place]


async def read_books(pool: Pool, campaign: str) -> Books:
    from dialer.store.reports import calls_by_outcome, enrolments_open, places_of_numbers

    outcomes, called = await calls_by_outcome(pool, campaign)
    calls = dict.fromkeys(OUTCOMES.values(), 0)
    for outcome, n in outcomes.items():
        calls[OUTCOMES[outcome]] += n
    return Books(
        calls, sum(calls.values()) - called, await enrolments_open(pool, campaign), await places_of_numbers(pool, campaign)
    )


def outside_window(entries: Sequence[Entry], rules: CampaignRules, places: Mapping[str, Place]) -> int:
    """Calls that the carrier began while the window was shut somewhere the phone may be, by the carrier's clock."""
    from scheduler.places import UNKNOWN
    from scheduler.windows import is_open

    begun = [(entry.to, datetime.fromtimestamp(entry.accepted, UTC)) for entry in entries]
    return sum(not is_open(rules.walls(places.get(to, UNKNOWN), at), at) for to, at in begun)


def show_import(answer: Mapping[str, Any]) -> None:
    """Row by row what was not imported, and why."""
    from dialer.cli.output import print_table

    print(f"{answer['imported']} of {answer['total']} rows were imported; {answer['skipped']} repeat a number; rejected:")
    print_table(("row", "field", "why"), [(e["row"], e["field"], e["message"]) for e in answer["errors"]])


def show_result(result: Mapping[str, Any]) -> None:
    from dialer.cli.output import print_table

    print("\nWhat became of the calls:")
    names = list(dict.fromkeys(OUTCOMES.values()))
    print_table(("outcome", "calls"), [(name.replace("_", " "), result[name]) for name in names if result[name]])
    refill = result["refill_p50_ms"]
    utilisation = result["utilisation"]
    print(
        f"\n{result['skipped_do_not_call']} contacts said no and {result['skipped_no_phone']} have no phone: not called.\n"
        f"{result['calls_placed']} calls ({result['retries']} of them retries) in {result['seconds']} s, "
        f"the campaign is {result['campaign_status']}.\n"
        "By the carrier's journal:\n"
        f"  dialled twice       {result['dialled_twice']}\n"
        f"  outside the window  {result['outside_window']}\n"
        f"  most at once        {result['max_in_flight']} of {result['max_concurrent_calls']}\n"
        f"  slots in use        {'too few calls to tell' if utilisation is None else f'{utilisation:.1%}'}\n"
        f"  a slot refilled in  {'too few calls to tell' if refill is None else f'{refill:.1f} ms (median)'}\n"
        f"The other campaign's window is shut: {result['shut_campaign_calls']} calls; "
        f"it opens at {result['shut_campaign_opens_at']}."
    )
