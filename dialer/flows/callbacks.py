"""Callbacks: agreed to when a person asks for one, or a call's result does; taken back when somebody says so, or its time is
over.

Everything is decided by `dialer.domain.callback` under the campaign's lock, by what holds at that moment. A callback that waits
is claimed, fenced and placed like any other call.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from adapters.events import Outcome
from dialer.domain import callback
from dialer.domain.callback import Answer, Record, Refused, Scheduled, Situation, Why, Wish
from dialer.domain.campaign import CampaignRules, Missed, rules_of
from dialer.domain.errors import Conflict, Invalid, NotFound
from dialer.domain.machine import FINAL_CAMPAIGN, CampaignStatus, ContactStatus
from dialer.domain.outcome import Disposition, disposition
from dialer.flows.campaigns.look import held
from dialer.flows.campaigns.means import Means, Wake
from dialer.store import callbacks, direct, obstacles
from dialer.store.database import Connection, Pool
from dialer.store.places import place_of
from dialer.store.receipts import promised
from dialer.store.rows import Row
from dialer.store.transaction import transaction
from scheduler.places import UNKNOWN

AT_ONCE = 200
"""Callbacks that a sweep looks at; the next one goes on."""

WITHDRAWN, MISSED = "callback_withdrawn", "callback_missed"

SAID: Mapping[Why, str] = {
    Why.BEING_CALLED: "The contact is being called; ask again when the call is over.",
    Why.DO_NOT_CALL: "The contact said no and is not called any more.",
    Why.SUPPRESSED: "The number is suppressed.",
    Why.SKIPPED: "The contact was skipped in this campaign; take it out, and enrol it again if it may be called.",
    Why.INVALID_NUMBER: "The contact's number is invalid; give it another one.",
    Why.NO_PHONE: "The contact has no number that this campaign calls.",
    Why.ENDED: "The campaign has ended and calls nobody any more.",
    Why.UNREADABLE_RULES: "The campaign's rules cannot be read; mend its settings.",
    Why.NEVER_CALLABLE: "The call window never opens for this contact, or its time zone is unknown.",
}
OF_THE_TIME: Mapping[Why, str] = {
    Why.PAST: "lies in the past; send a time to come",
    Why.TOO_FAR: f"lies more than {callback.FURTHEST.days} days ahead; send an earlier time",
    Why.CAMPAIGN_ENDS: "comes too late: the campaign ends before; send an earlier time, or move settings.scheduledEndAt",
    Why.EXPIRED: "comes too late: the contact will have expired; send an earlier time, or change settings.contactExpiryDays",
    Why.WINDOW: "is outside the call window of the contact's number",
    Why.SUPPRESSED: "comes too early: the number is suppressed by then",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Callback:
    """What was agreed. `callback_until` None: however late."""

    campaign_contact_id: str
    contact_id: str
    to_number: str
    callback_at: datetime
    callback_until: datetime | None
    missed_action: Missed


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Where the contact went whose callback is no more."""

    campaign_contact_id: str
    contact_id: str
    status: ContactStatus


async def call_back(
    means: Means,
    team: str,
    actor: str,
    campaign: str,
    who: str,
    at: datetime,
    *,
    tolerance: timedelta | None = None,
    missed: Missed | None = None,
) -> Callback:
    """Call `who` (the contact's id in the campaign, or its own) at this time; another time replaces the one before. None = as the
    campaign says. Raises `Invalid` for a time at which it cannot be (and tells the next at which it can), `NotFound`, or
    `Conflict` where it cannot be at all."""
    now = means.clock.now()
    async with transaction(means.database, actor) as on:
        await held(on, team, campaign)
        row = await obstacles.of_campaign(on, campaign)
        connection = await direct.connection_of(on)
        found = await _found(connection, campaign, who, now)
        rules = _rules(row)
        wish = Wish(at, tolerance or _tolerance(rules), missed or _missed(rules))
        answer = callback.judge(wish, _situation(found, row["status"], rules), now, move=False)
        if isinstance(answer, Refused):
            raise _refusal(answer)
        if not await callbacks.schedule(connection, found["id"], found["number"], found["place"], answer):
            raise Conflict(SAID[Why.BEING_CALLED])
        agreed = promised(Callback(found["id"], found["contact_id"], found["number"], answer.at, answer.until, answer.missed))
    if row["status"] == CampaignStatus.RUNNING:
        await means.ringer.wake([f"campaign:{campaign}"])
    return agreed


async def withdraw(means: Means, team: str, actor: str, campaign: str, who: str) -> Withdrawn:
    """Take a callback back: when this returns it is not made. The contact waits as if it had never been asked for, or is skipped
    where it had been called to its end. Raises `NotFound`, or `Conflict` where it waits for none."""
    now = means.clock.now()
    async with transaction(means.database, actor) as on:
        await held(on, team, campaign)
        row = await obstacles.of_campaign(on, campaign)
        connection = await direct.connection_of(on)
        found = await _found(connection, campaign, who, now)
        if found["status"] in (ContactStatus.QUEUED, ContactStatus.CALLING):
            raise Conflict("The contact is being called; a call that is under way is not taken back.")
        if found["callback_at"] is None or found["status"] != ContactStatus.PENDING:
            raise Conflict("The contact waits for no callback.")
        where = callback.back(_record(found), Missed.RETRY_NORMALLY, _rules(row), WITHDRAWN, now)
        await callbacks.give_up(connection, [(found["id"], where)], now, withdrawn=True)
        done = promised(Withdrawn(found["id"], found["contact_id"], where.status))
    await means.ringer.wake([f"campaign:{campaign}"])
    return done


async def _found(connection: Connection, campaign: str, who: str, now: datetime) -> Row:
    found = await callbacks.found(connection, campaign, who, now)
    if found is None:
        raise NotFound(f"contact {who}: is not in the campaign {campaign}; list its contacts to find the id.")
    return found


def _rules(row: Mapping[str, Any]) -> CampaignRules | None:
    try:
        return rules_of(row)
    except ValueError:
        return None


def _tolerance(rules: CampaignRules | None) -> timedelta:
    return timedelta(0) if rules is None else rules.callback_tolerance


def _missed(rules: CampaignRules | None) -> Missed:
    return Missed.SKIP if rules is None else rules.callback_missed


def _situation(found: Row, status: str, rules: CampaignRules | None) -> Situation:
    return Situation(
        status=ContactStatus(found["status"]),
        outcome=Disposition(found["outcome"]) if found["outcome"] else None,
        number=found["number"],
        place=UNKNOWN if found["number"] is None else place_of(found),
        do_not_call=found["do_not_call"],
        suppressed_until=found["until"],
        over=status in FINAL_CAMPAIGN,
        rules=rules,
        expires_at=None if rules is None else rules.expires(found["created_at"]),
    )


def _record(row: Row) -> Record:
    return Record(row["attempts"], Disposition(row["outcome"]) if row["outcome"] else None, row["last_attempt_at"])


def _refusal(refused: Refused) -> Conflict | Invalid:
    if (said := OF_THE_TIME.get(refused.why)) is not None and (refused.why is not Why.SUPPRESSED or refused.possible is not None):
        possible = "" if refused.possible is None else f"; the next possible time is {refused.possible:%Y-%m-%dT%H:%M:%SZ}"
        return Invalid({"callbackAt": said + possible})
    return Conflict(SAID[refused.why])


class Callbacks:
    """What the sweep does for callbacks."""

    def __init__(self, pool: Pool, ringer: Wake) -> None:
        self._pool = pool
        self._ringer = ringer

    async def answer(self, now: datetime) -> int:
        """Judge what was asked for in calls; how many were."""
        asked = await callbacks.asks(self._pool, AT_ONCE)
        for each in asked:
            try:
                await self._answer(each, now)
            except Exception:  # one that cannot be judged must not hold up the others
                log.exception("attempt %s: what it asks for could not be judged; it is tried again", each["attempt_id"])
        if asked:
            await self._ringer.wake({f"campaign:{each['campaign_id']}" for each in asked})
        return len(asked)

    async def _answer(self, ask: Row, now: datetime) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await callbacks.lock(connection, [ask["campaign_id"]])
            row = await callbacks.campaign(connection, ask["campaign_id"])
            found = await callbacks.found(connection, ask["campaign_id"], ask["enrolment"], now)
            assert found is not None  # an attempt refers to it
            answer = _judge_ask(ask, found, row, now)
            if isinstance(answer, Scheduled) and not await callbacks.schedule(
                connection, found["id"], found["number"], found["place"], answer
            ):
                answer = Refused(Why.BEING_CALLED)
            verdict, at = _verdict(answer)
            if await callbacks.judged(connection, ask["attempt_id"], verdict, at, now):
                log.info("attempt %s asked for a callback: %s", ask["attempt_id"], verdict)

    async def miss(self, now: datetime) -> dict[str, int]:
        """Take back the callbacks whose time is over: campaign id → how many."""
        late = await callbacks.missed(self._pool, now, AT_ONCE)
        if not late:
            return {}
        missed: dict[str, int] = {}
        for campaign in sorted({each["campaign_id"] for each in late}):
            async with self._pool.acquire() as connection, connection.transaction():
                await callbacks.lock(connection, [campaign])
                rules = _rules(await callbacks.campaign(connection, campaign))
                own = [each for each in late if each["campaign_id"] == campaign]
                backs = [(e["id"], callback.back(_record(e), Missed(e["callback_missed"]), rules, MISSED, now)) for e in own]
                missed[campaign] = len(await callbacks.give_up(connection, backs, now, withdrawn=False))
        await self._ringer.wake({f"campaign:{campaign}" for campaign in missed})
        return missed


def _verdict(answer: Answer) -> tuple[str, datetime | None]:
    match answer:
        case Scheduled(at, moved=moved):
            return "moved" if moved else "scheduled", at
        case Refused(why):
            return why.value, None


def _judge_ask(ask: Row, found: Row, campaign: Row, now: datetime) -> Answer:
    """A campaign of one call is over with it: whoever asks for another in a direct call is heard by whoever made that one."""
    rules = _rules(campaign)
    outcome = disposition(Outcome(ask["outcome"])) if ask["outcome"] else None
    wish = callback.asked_in(ask["result"] or {}, outcome, rules)
    if isinstance(wish, Why):
        return Refused(wish)
    if campaign["kind"] == "direct":
        return Refused(Why.ENDED)
    return callback.judge(wish, _situation(found, campaign["status"], rules), now, move=True)
