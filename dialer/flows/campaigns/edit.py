"""Edit a campaign, also while it runs, and put it away.

A change of who may be called and when counts up the rules' version: what was released under the old rules is taken back or
stopped by the fence, and the answer comes after the fence. So it does for a cap: where it was lowered no call that is up is
ended, but from then on none starts until there are fewer. So it does where nothing differs, and where the campaign is paused:
another edit or the pause may wait for its answer at this moment, and a dial that is past the fence goes out beside it. A change
of status goes along the state machine only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dialer.domain.campaign import rules_of
from dialer.domain.errors import Conflict, Invalid
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.machine import FINAL_CAMPAIGN, CampaignStatus
from dialer.flows.campaigns.belonging import check_company, check_voice
from dialer.flows.campaigns.look import alive, found, held
from dialer.flows.campaigns.means import Means
from dialer.flows.campaigns.settings import checked, merged
from dialer.flows.campaigns.turning import may_turn, turn
from dialer.store import callability, campaigns, caps, enrolments
from dialer.store.transaction import Transaction, transaction

EDITABLE = frozenset({
    "name", "description", "assistant_id", "company_id", "from_number_ids", "scheduled_start_at", "call_window_start",
    "call_window_end", "call_window_timezone", "max_concurrent_calls", "max_attempts_per_contact", "retry_delay_minutes",
    "settings",
})  # fmt: skip
ALWAYS_EDITABLE = frozenset({"name", "description"})
NOT_WHILE_RUNNING = {"assistant_id": "assistantId", "company_id": "companyId", "scheduled_start_at": "scheduledStartAt"}
RULES = frozenset({
    "assistant_id", "from_number_ids", "call_window_start", "call_window_end", "call_window_timezone", "max_attempts_per_contact",
    "retry_delay_minutes", "settings",
})  # fmt: skip
LIMITS = frozenset({"max_attempts_per_contact", "settings"})
CAPS = "frequency_caps"
STOPS = (CampaignStatus.PAUSED, CampaignStatus.CANCELLED)
MAY_BE_DIALLING = (CampaignStatus.RUNNING, CampaignStatus.PAUSED)
FENCED = RULES | {"max_concurrent_calls"}


async def edit_campaign(means: Means, team: str, actor: str, campaign: str, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Apply what is in `changes` (names of `EDITABLE`, and `status`); what is absent stays, null clears. `settings` are merged
    key by key. Raises `Invalid`, `NotFound`, or `Conflict` where the campaign's state does not allow it."""
    now = means.clock.now()
    async with transaction(means.database, actor) as on:
        await found(on, team, campaign)
        scopes = await campaigns.lock_with_queued(on, [campaign])
        row = await alive(on, team, campaign)
        values = _changed(row, changes)
        to = _target(row, values, changes.get("status"))
        _allowed(row, values)
        if RULES & values.keys():
            values |= {"rules_version": row["rules_version"] + 1}
        await _check_names(on, team, row, values)
        if values:
            await campaigns.change(on, campaign, now, values)
        if to is not None:
            await turn(on, {**row, **values}, to, now)
        ran = row["status"] in MAY_BE_DIALLING
        if to in STOPS or (ran and "rules_version" in values):
            await campaigns.take_back_queued(on, campaign, scopes, to or "rules_changed", now)
        if LIMITS & values.keys():
            await _exhaust(on, {**row, **values}, now)
        if "settings" in values and _calls_both(values) != _calls_both(row):
            await callability.readdress_campaign(on, campaign, now)
        if values.get("settings", row["settings"]).get(CAPS) != row["settings"].get(CAPS):
            await caps.look_again(on, [campaign], now)
        answer = await found(on, team, campaign)
    await means.ringer.wake(scopes)
    if changes.get("status") in STOPS or (ran and FENCED & changes.keys()):
        await means.pause(FENCE_SECONDS)
    return answer


async def _exhaust(on: Transaction, row: Mapping[str, Any], now: datetime) -> None:
    """Whoever has been tried as often as is allowed from now on is not called again."""
    retry = rules_of({**row, "team_caps": ()}).retry
    await enrolments.exhaust(on, row["id"], retry.max_attempts, retry.max_by, now)


def _calls_both(row: Mapping[str, Any]) -> bool:
    return bool(row["settings"].get("use_secondary_phone"))


async def delete_campaign(means: Means, team: str, actor: str, campaign: str) -> Mapping[str, Any]:
    """Put a campaign away; its calls and contacts stay in the books. One that was cancelled may have dials on their way out: the
    answer comes after the fence. Raises `NotFound`, or `Conflict` for one that may still call."""
    now = means.clock.now()
    async with transaction(means.database, actor) as on:
        row = await held(on, team, campaign)
        if row["status"] not in {CampaignStatus.DRAFT, *FINAL_CAMPAIGN}:
            raise Conflict(
                f"The campaign is {row['status']}; only a draft, completed or cancelled one can be deleted: cancel it."
            )
        await campaigns.change(on, campaign, now, {"deleted_at": now})
        answer = await found(on, team, campaign)
    if row["status"] == CampaignStatus.CANCELLED:
        await means.pause(FENCE_SECONDS)
    return answer


def _changed(row: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """What will differ, with the rules checked as they will stand."""
    wanted = {name: value for name, value in changes.items() if name in EDITABLE}
    if "settings" in wanted:
        wanted["settings"] = {} if wanted["settings"] is None else merged(row["settings"], wanted["settings"])
    if "from_number_ids" in wanted:
        wanted["from_number_ids"] = list(dict.fromkeys(wanted["from_number_ids"]))
    new = checked({**row, **wanted})
    return {name: new[name] for name in wanted if new[name] != row[name]}


def _target(row: Mapping[str, Any], values: Mapping[str, Any], asked: str | None) -> CampaignStatus | None:
    """The status to turn to. Without one, setting the appointed time schedules a draft, and clearing it makes a draft again."""
    start = values.get("scheduled_start_at", row["scheduled_start_at"])
    if asked is None:
        if "scheduled_start_at" not in values:
            return None
        if row["status"] == CampaignStatus.DRAFT and start is not None:
            return CampaignStatus.SCHEDULED
        return CampaignStatus.DRAFT if row["status"] == CampaignStatus.SCHEDULED and start is None else None
    to = CampaignStatus(asked)
    if to is CampaignStatus.COMPLETED:
        raise Conflict("status: a campaign completes by itself, when no contact is left; cancel it to end it now.")
    if to != row["status"]:
        may_turn(row, to)
    if to is CampaignStatus.SCHEDULED and start is None:
        raise Invalid({"scheduledStartAt": "is required for a campaign to be scheduled; send the time at which it starts"})
    return None if to == row["status"] else to


def _allowed(row: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    status = CampaignStatus(row["status"])
    if status in FINAL_CAMPAIGN and values.keys() - ALWAYS_EDITABLE:
        raise Conflict(f"The campaign is {status}; only its name and description can still be edited.")
    refused = [api for name, api in NOT_WHILE_RUNNING.items() if name in values]
    if status is CampaignStatus.RUNNING and refused:
        raise Conflict(f"{', '.join(refused)}: cannot be changed while the campaign runs; pause it first.")


async def _check_names(on: Transaction, team: str, row: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    if values.keys() & {"assistant_id", "from_number_ids"}:
        new = {**row, **values}
        await check_voice(on, team, new["assistant_id"], new["from_number_ids"])
    if values.get("company_id") is not None:
        await check_company(on, team, values["company_id"])
