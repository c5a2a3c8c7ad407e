"""Contacts: made, changed, found and erased.

What may be said of a contact is judged here once, for the API and for campaigns that create and enrol. Promises that once a
change to "do not call" has returned, no call to that contact starts; likewise none to a number that was replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from dialer.domain import email
from dialer.domain.cursor import After
from dialer.domain.errors import Conflict, Invalid, NotFound
from dialer.domain.fence import FENCE_SECONDS
from dialer.domain.phone import phone_of
from dialer.flows import custom_fields
from dialer.flows.campaigns.means import Means
from dialer.flows.returned import refuse_returned
from dialer.store import audit, callability, campaigns, contacts, suppressions, teams
from dialer.store.contacts import Filter
from dialer.store.database import Database
from dialer.store.places import place_set_ids
from dialer.store.receipts import promised
from dialer.store.transaction import Transaction, reading, transaction
from scheduler.places import is_subdivision, locate
from scheduler.zones import is_zone

Row: TypeAlias = Mapping[str, Any]

HISTORY: Final = 20
"""How many enrolments a contact's own page shows."""

CHANGED_MEANWHILE: Final = "The contact was changed by somebody else meanwhile; read it again and repeat your change."

ELSEWHERE: Final = ("phone", "phone_secondary", "timezone", "region")
"""What a contact's place follows from."""
DEFAULTS: Final[Mapping[str, Any]] = {"lead_status": "new", "do_not_call": False, "custom_fields": {}, "tags": []}
"""What a field has that was never given, or was cleared with null."""

ERASED: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("company_id", "email", "phone", "phone_secondary", "job_title", "region", "source", "timezone", "notes")),
    **dict.fromkeys(("first_name", "last_name"), ""),
    "preferred_contact_method": None, "lead_status": "dnc", "do_not_call": True, "custom_fields": {}, "tags": [],
}  # fmt: skip


def judged(values: Mapping[str, Any], region: str) -> dict[str, Any]:
    """The given fields as they are kept: numbers in E.164, nulls of fields with a default as that default.

    `region` is where numbers without a country code are read. Raises Invalid with every fault at once.
    """
    kept = {name: DEFAULTS[name] if value is None and name in DEFAULTS else value for name, value in values.items()}
    faults: dict[str, list[str]] = {}
    for name, field in (("phone", "phone"), ("phone_secondary", "phoneSecondary")):
        if kept.get(name) is not None:
            try:
                kept[name] = phone_of(kept[name], region, field)
            except Invalid as fault:
                faults |= fault.fields
    if kept.get("timezone") is not None and not is_zone(kept["timezone"]):
        faults["timezone"] = ["is not a time zone; write an IANA name such as America/New_York"]
    if kept.get("email") is not None and not email.is_email(kept["email"]):
        faults["email"] = [email.UNFIT]
    if kept.get("region") is not None and not is_subdivision(kept["region"]):
        faults["region"] = ["is not a subdivision; write its ISO 3166-2 code such as US-CA"]
    if faults:
        raise Invalid(faults)
    return kept


async def create(database: Database, team_id: str, actor: str, values: Mapping[str, Any]) -> Row:
    """A new contact in a transaction of its own. `values` are snake_case columns. Raises Invalid, NotFound."""
    prepared = await prepare(database, team_id, values)
    async with transaction(database, actor) as on:
        contact_id = await add(on, prepared)
        return promised(await _found(on, team_id, contact_id))


async def prepare(database: Database, team_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The whole row of a new contact, judged and placed, to be handed to `add`. Raises Invalid."""
    kept = judged({**DEFAULTS, **values}, await _region(database, team_id))
    await custom_fields.check(database, team_id, kept["custom_fields"])
    return {**kept, "team_id": team_id, **await _placed(database, kept)}


async def add(on: Transaction, prepared: Mapping[str, Any]) -> str:
    """Write a prepared contact; its id. Raises NotFound for a company that is not the team's."""
    await _check_company(on, prepared["team_id"], prepared)
    return await contacts.add(on, prepared)


async def listing(
    database: Database, wanted: Filter, *, limit: int, offset: int, after: After | None = None
) -> tuple[list[Row], int]:
    async with reading(database) as on:
        return await contacts.listing(on, wanted, limit=limit, offset=offset, after=after)


async def get(database: Database, team_id: str, contact_id: str) -> tuple[Row, list[Row]]:
    """The contact and its newest enrolments. Raises NotFound."""
    async with reading(database) as on:
        return await _found(on, team_id, contact_id), await contacts.campaign_history(on, contact_id, HISTORY)


async def change(means: Means, team_id: str, actor: str, contact_id: str, values: Mapping[str, Any]) -> Row:
    """Set the given fields, null clears. Raises Invalid, NotFound.

    Calls that were not placed yet follow at once: with do-not-call their enrolments are skipped, with other numbers, another
    zone or region they take that over."""
    database, now = means.database, means.clock.now()
    kept = judged(values, await _region(database, team_id))
    await custom_fields.check(database, team_id, kept.get("custom_fields"))
    async with reading(database) as on:
        before = await _found(on, team_id, contact_id)
    moves = any(name in kept and kept[name] != before[name] for name in ELSEWHERE)
    if moves:
        kept |= await _placed(database, {**before, **kept})
    stops = bool(kept.get("do_not_call"))
    async with transaction(database, actor) as on:
        held, locked = await _hold(on, team_id, contact_id, waiting=moves or stops)
        if kept.keys() & set(ELSEWHERE) and any(locked[name] != before[name] for name in ELSEWHERE):
            raise Conflict(CHANGED_MEANWHILE)
        await _check_company(on, team_id, kept)
        await contacts.change(on, contact_id, now, kept)
        if stops:
            await callability.withdraw(on, [contact_id], held, now)
        elif moves:
            await callability.readdress(on, [contact_id], held, now)
        if "do_not_call" in kept and kept["do_not_call"] != locked["do_not_call"]:
            await _audit_no(on, actor, team_id, contact_id, kept["do_not_call"])
        changed = await _found(on, team_id, contact_id)
    if moves or stops:
        await means.pause(FENCE_SECONDS)
        back = await refuse_returned(database, means.clock.now(), actor, [contact_id] if stops else [])
        await means.ringer.wake({*held.scopes, *back})
    return changed


async def erase(means: Means, team_id: str, actor: str, contact_id: str) -> None:
    """Delete a contact; where past calls refer to it, what they say of the person is emptied. A "no" stays: the numbers of a
    contact who said it are suppressed for the team. Raises NotFound, Conflict."""
    async with reading(means.database) as on:
        if await contacts.find(on, team_id, contact_id) is None:
            raise _unknown(contact_id)
    nowhere = await _placed(means.database, {})
    now = means.clock.now()
    async with transaction(means.database, actor) as on:
        locked = await contacts.lock(on, team_id, contact_id)
        if locked is None:
            raise _unknown(contact_id)
        if number := await contacts.open_enrolments(on, contact_id):
            raise Conflict(f"The contact waits or is being called in {number} unfinished campaign(s); remove it there first.")
        numbers = {locked["phone"], locked["phone_secondary"]} - {None} if locked["do_not_call"] else set()
        if numbers:
            await suppressions.put_for_ever(on, team_id, numbers, "do not call", "contact deleted")
        await contacts.remove(on, contact_id, {**ERASED, **nowhere, "deleted_at": now, "updated_at": now})
        await audit.record(on, team_id=team_id, actor=actor, action="contact.erased", entity_id=contact_id)
    if not numbers:
        return
    await means.pause(FENCE_SECONDS)  # other contacts may have them


async def _hold(on: Transaction, team_id: str, contact_id: str, *, waiting: bool) -> tuple[callability.Held, Row]:
    """Lock the contact, and before it the campaigns it waits in, if they matter. Raises NotFound, Conflict."""

    async def campaigns_() -> list[str]:
        return await callability.waiting_in(on, [contact_id]) if waiting else []

    async def lock() -> Row:
        locked = await contacts.lock(on, team_id, contact_id)
        if locked is None:
            raise _unknown(contact_id)
        return locked

    held = await callability.hold(on, campaigns_, lock)
    if held is None:
        raise Conflict(CHANGED_MEANWHILE)
    return held


async def _placed(database: Database, told: Row) -> dict[str, Any]:
    place = locate(told.get("timezone"), told.get("region"), told.get("phone"))
    second = told.get("phone_secondary")
    there = place if second is None else locate(told.get("timezone"), told.get("region"), second)
    ids = await place_set_ids(database.pool, [place, there])
    second_place = None if second is None else ids[there]
    return {"place_set_id": ids[place], "place_source": place.source, "second_place_set_id": second_place}


async def _region(database: Database, team_id: str) -> str:
    async with reading(database) as on:
        team = await teams.get(on, team_id)
    if team is None:
        raise NotFound("teamId: there is no such team.")
    return team.default_region


async def _found(on: Transaction, team_id: str, contact_id: str) -> Row:
    row = await contacts.find(on, team_id, contact_id)
    if row is None:
        raise _unknown(contact_id)
    return row


def _unknown(contact_id: str) -> NotFound:
    return NotFound(f"There is no contact {contact_id}.")


async def _check_company(on: Transaction, team_id: str, values: Mapping[str, Any]) -> None:
    company_id = values.get("company_id")
    if company_id is not None and not await campaigns.has_company(on, team_id, company_id):
        raise NotFound(f"companyId: there is no company {company_id}; send the id of one of your team.")


async def _audit_no(on: Transaction, actor: str, team_id: str, contact_id: str, do_not_call: bool) -> None:
    action = "contact.do_not_call" if do_not_call else "contact.may_be_called"
    await audit.record(on, team_id=team_id, actor=actor, action=action, entity_id=contact_id)
