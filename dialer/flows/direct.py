"""A direct call: one call, now, outside any campaign that people see.

It is a campaign of one. Opening it, judging it by the preflight and claiming it by the very statement that claims everybody else
happen in one transaction, which is rolled back where the answer is not "now": nothing is kept of a call that may not be made.
After the commit it is like any other attempt: fenced, placed, followed, settled. What is taken back before it was dialled is not
dialled later; its id tells why.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dialer.domain.campaign import CampaignRules, rules_of
from dialer.domain.errors import Conflict, Invalid, NotFound, NotNow
from dialer.domain.phone import phone_of
from dialer.domain.preflight import Go, Reason, Verdict, Wait, preflight
from dialer.flows import contacts
from dialer.flows.calls import whole_call
from dialer.flows.campaigns.facts import facts_of, ground_of
from dialer.flows.campaigns.means import Trunks
from dialer.flows.campaigns.obstacles import sentence
from dialer.flows.campaigns.waiting import shown
from dialer.flows.release import LedgerBook, RulesReader
from dialer.flows.ring import Ringer
from dialer.settings import Settings
from dialer.store import assistants, campaigns, direct, numbers, teams
from dialer.store import contacts as people
from dialer.store.claims import FLEET, Claimed
from dialer.store.database import Pool
from dialer.store.places import place_set_ids
from dialer.store.receipts import promised
from dialer.store.transaction import Transaction, reading, transaction
from scheduler.places import locate

SOURCE = "call"
"""Where a contact comes from that nobody had before the call."""


class Calling(Trunks, Protocol):
    @property
    def ringer(self) -> Ringer: ...
    @property
    def settings(self) -> Settings: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectCall:
    """What was asked for; numbers as they were written. `from_number` None: any active number of the assistant; `contact` None:
    whoever of the team has the number, else somebody new."""

    assistant: str
    to_number: str
    from_number: str | None = None
    contact: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Means:
    """Whom to call at which number, with which caller IDs. `contact` None: `newcomer` is to be written first."""

    trunk: str
    number_ids: list[str]
    to_number: str
    contact: str | None
    newcomer: Mapping[str, Any]
    elsewhere: int | None


class _AfterCommit(Ringer):
    """Keeps the dial jobs until what they speak of is committed."""

    def __init__(self) -> None:
        self.claimed: list[Claimed] = []

    async def heard(self) -> bool:
        return True

    async def dial(self, claimed: Iterable[Claimed]) -> bool:
        self.claimed += claimed
        return True


class _OneRule(RulesReader):
    """The rules of the one campaign; places are read where the others read them."""

    def __init__(self, pool: Pool, campaign: str, rules: CampaignRules) -> None:
        super().__init__(pool)
        self._own = {campaign: rules}

    async def rules(self, versions: Mapping[str, int]) -> dict[str, CampaignRules]:
        return {id: rules for id, rules in self._own.items() if id in versions}


async def call_now(means: Calling, team: str, actor: str, asked: DirectCall) -> dict[str, Any]:
    """The call as `get_call` tells it, queued. It is promised with the claim: a replay is told of this call and claims none, also
    where nobody came to enqueue it. Raises `Invalid`, `NotFound`, `Conflict`, `NotNow` where the preflight does not say Go, or
    `QueueUnavailable` while workers cannot be told; nothing is kept then."""
    ready = await _prepared(means, team, asked)
    await means.ringer.ping()
    window = means.settings.direct_calls
    now = means.clock.now()
    values = {
        "team_id": team,
        "assistant_id": asked.assistant,
        "name": "Direct call",
        "from_number_ids": ready.number_ids,
        "call_window_start": window.window_start,
        "call_window_end": window.window_end,
        "call_window_timezone": "UTC",
        "max_concurrent_calls": 1,
        "max_attempts_per_contact": 1,
        "retry_delay_minutes": 0,
        "settings": {},
        "rules_version": 1,
        "metadata": asked.metadata,
    }
    rung = _AfterCommit()
    async with transaction(means.database, actor) as on:
        contact = ready.contact or await contacts.add(on, ready.newcomer)
        campaign = await direct.open_one(on, values, now)
        await campaigns.lock(on, _scopes(team, asked.assistant, ready))
        place = await _place_of(on, team, contact, ready)
        enrolment = await direct.enrol(on, campaign, team, contact, ready.to_number, place, now)
        rules = await _rules(on, team, values)
        ground = await ground_of(on, campaign, means.trunks, now)
        verdict = preflight((await facts_of(on, ground, [enrolment]))[enrolment], now)
        if not isinstance(verdict, Go):
            raise _not_now(verdict)
        pool = await direct.hot(on)
        book = LedgerBook(pool, rung, means.clock, means.trunks, _OneRule(pool, campaign, rules))
        if not await book.run(campaign):
            raise _not_now(Wait(Reason.NUMBER_BUSY))  # the only law that the preflight could not see under the locks
        await direct.spend(on, campaign)
        call = promised(await whole_call(on, means.clock, team, rung.claimed[0].attempt))
    await means.ringer.dial(rung.claimed)
    return call


async def _prepared(means: Calling, team: str, asked: DirectCall) -> _Means:
    async with reading(means.database) as on:
        home = await teams.get(on, team)
        assert home is not None  # the key's own team
        number = phone_of(asked.to_number, home.default_region, "toNumber")
        assistant = await assistants.find(on, team, asked.assistant)
        if assistant is None:
            raise NotFound(f"assistantId: there is no assistant {asked.assistant}; send the id of one of your team.")
        shown_ids = await _caller_ids(on, team, assistant, asked.from_number, home.default_region)
        row = await _contact(on, team, asked.contact, number)
    newcomer: Mapping[str, Any] = {}
    elsewhere = None
    if row is None:
        newcomer = await contacts.prepare(
            means.database, team, {"first_name": "", "last_name": "", "phone": number, "source": SOURCE}
        )
    elif row["phone"] != number:  # the second number may be elsewhere than the first
        place = locate(row["timezone"], row["region"], number)
        elsewhere = (await place_set_ids(means.database.pool, [place]))[place]
    return _Means(assistant["adapter"], shown_ids, number, row["id"] if row else None, newcomer, elsewhere)


async def _caller_ids(on: Transaction, team: str, assistant: Mapping[str, Any], written: str | None, region: str) -> list[str]:
    if written is None:
        own = (await assistants.numbers_of(on, [assistant["id"]])).get(assistant["id"], [])
        ids = [row["id"] for row in own if row["adapter"] == assistant["adapter"]]
        if not ids:
            raise Conflict("assistantId: no active phone number is assigned to the assistant; assign one.")
        return ids
    row = await numbers.with_phone(on, team, phone_of(written, region, "fromNumber"))
    if row is None:
        raise NotFound("fromNumber: is no phone number of your team; send one of its numbers, or leave it out.")
    if row["status"] != "active":
        raise Conflict("fromNumber: is inactive; activate it, or leave it out.")
    if row["assistant_id"] != assistant["id"] or row["adapter"] != assistant["adapter"]:
        raise Conflict("fromNumber: is not assigned to this assistant; assign it, or leave it out.")
    return [row["id"]]


async def _contact(on: Transaction, team: str, contact: str | None, number: str) -> Mapping[str, Any] | None:
    if contact is None:
        return await people.with_number(on, team, number)
    row = await people.find(on, team, contact)
    if row is None:
        raise NotFound(f"contactId: there is no contact {contact}; send the id of one of your team.")
    if number not in (row["phone"], row["phone_secondary"]):
        raise Invalid({"toNumber": "is not a number of this contact; add it to the contact first, or leave contactId out"})
    return row


async def _place_of(on: Transaction, team: str, contact: str, ready: _Means) -> int:
    """The place set of the number, under the contact's lock. Raises `Conflict` where the contact was changed meanwhile."""
    row = await people.lock(on, team, contact)
    if row is None or ready.to_number not in (row["phone"], row["phone_secondary"]):
        raise Conflict("The contact was changed by somebody else meanwhile; ask for the call again.")
    place: int = row["place_set_id"] if ready.elsewhere is None else ready.elsewhere
    return place


async def _rules(on: Transaction, team: str, values: Mapping[str, Any]) -> CampaignRules:
    """By the team's policy packs and frequency caps, read under the team's lock, as they are changed. Raises `Conflict`."""
    home = await teams.get(on, team)
    assert home is not None
    try:
        return rules_of({**values, "team_policy_packs": home.policy_packs, "team_caps": home.frequency_caps})
    except ValueError as fault:
        raise Conflict(f"The frequency caps or policy packs of the team cannot be kept, so nobody is called: {fault}.") from None


def _scopes(team: str, assistant: str, ready: _Means) -> Sequence[str]:
    """What the claim will lock, taken before the contact as everybody does; the campaign's own is nobody else's."""
    shared = (f"assistant:{assistant}", FLEET, f"team:{team}", f"trunk:{ready.trunk}")
    return [*shared, *(f"number:{number}" for number in ready.number_ids)]


def _not_now(verdict: Verdict) -> NotNow:
    waits = shown(verdict)
    assert waits is not None
    return NotNow(f"The number cannot be called now: {sentence(verdict)}.", waits)
