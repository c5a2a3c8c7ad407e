"""Whether what a campaign names exists, is the team's, and fits together: assistant, caller IDs, company."""

from __future__ import annotations

from collections.abc import Sequence

from dialer.domain.errors import Conflict, Invalid, NotFound
from dialer.store import campaigns
from dialer.store.transaction import Transaction


async def check_company(on: Transaction, team: str, company: str) -> None:
    if not await campaigns.has_company(on, team, company):
        raise NotFound(f"companyId: there is no company {company}; send the id of one of your team.")


async def check_voice(on: Transaction, team: str, assistant: str, numbers: Sequence[str]) -> None:
    """Raises `NotFound` for an assistant or a number the team has not, `Conflict` for a number that this assistant may not show
    now."""
    if not numbers:
        raise Invalid({"fromNumberIds": "is empty; send the id of at least one phone number"})
    speaker = await campaigns.assistant_of(on, team, assistant)
    if speaker is None:
        raise NotFound(f"assistantId: there is no assistant {assistant}; send the id of one of your team.")
    known = await campaigns.numbers_of(on, team, numbers)
    for number in numbers:
        row = known.get(number)
        if row is None:
            raise NotFound(f"fromNumberIds: there is no phone number {number}; send ids of your team's numbers.")
        if row["status"] != "active":
            raise Conflict(f"fromNumberIds: {number} is inactive; activate it or leave it out.")
        if row["assistant_id"] != assistant:
            raise Conflict(f"fromNumberIds: {number} is not assigned to the assistant {assistant}; assign it or leave it out.")
        if row["adapter"] != speaker["adapter"]:
            raise Conflict(
                f"fromNumberIds: {number} belongs to the adapter {row['adapter']}, the assistant to {speaker['adapter']};"
                " both must use the same one."
            )
