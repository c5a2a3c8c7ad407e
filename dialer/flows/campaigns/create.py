"""Create a campaign: a draft, or scheduled when it has an appointed time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from dialer.domain.campaign import end_of
from dialer.domain.errors import Invalid
from dialer.domain.machine import CampaignStatus
from dialer.flows.campaigns.belonging import check_company, check_voice
from dialer.flows.campaigns.look import found
from dialer.flows.campaigns.settings import checked, merged
from dialer.store import campaigns
from dialer.store.database import Database
from dialer.store.receipts import promised
from dialer.store.transaction import transaction
from scheduler.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCampaign:
    """What a campaign begins as. Windows are "HH:MM" and read in each contact's own zone unless the settings say otherwise;
    `retry_delay_minutes` 0–10080; `max_attempts_per_contact` 1–50 counts the first call. `settings` as they were sent."""

    name: str
    assistant_id: str
    from_number_ids: tuple[str, ...]
    company_id: str | None = None
    description: str | None = None
    scheduled_start_at: datetime | None = None
    call_window_start: str = "09:00"
    call_window_end: str = "17:00"
    call_window_timezone: str = "America/New_York"
    max_concurrent_calls: int = 3
    max_attempts_per_contact: int = 3
    retry_delay_minutes: int = 60
    settings: Mapping[str, Any] = field(default_factory=dict)


async def create_campaign(database: Database, clock: Clock, team: str, actor: str, new: NewCampaign) -> Mapping[str, Any]:
    """The campaign's row. Raises `Invalid`, `NotFound` (assistant, number or company of another team) or `Conflict` (a number
    that is inactive, not the assistant's, or of another adapter)."""
    numbers = list(dict.fromkeys(new.from_number_ids))
    values = checked(asdict(new) | {"settings": merged({}, new.settings), "from_number_ids": numbers, "rules_version": 1})
    ends = end_of(values)
    if ends is not None and ends <= clock.now():
        raise Invalid({"settings.scheduledEndAt": "lies in the past, so nobody would ever be called; send a later time"})
    status = CampaignStatus.DRAFT if new.scheduled_start_at is None else CampaignStatus.SCHEDULED
    async with transaction(database, actor) as on:
        await campaigns.lock(on, [f"team:{team}"])  # so that no change of the team's caps passes it by
        await check_voice(on, team, new.assistant_id, numbers)
        if new.company_id is not None:
            await check_company(on, team, new.company_id)
        created = await campaigns.add(on, values | {"team_id": team, "status": status})
        return promised(await found(on, team, created))
