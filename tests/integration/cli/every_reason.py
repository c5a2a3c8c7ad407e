"""A campaign, or a contact in one, for each reason why nobody is called: what `dialer campaign explain` has to tell of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapters.events import Outcome
from dialer.domain.campaign import DAYS
from dialer.domain.preflight import Reason
from dialer.store import claims
from scheduler.frequency import MARGIN
from tests.support.desk import BERLIN, Desk
from tests.support.story import end_all

URL = "/api/crm/campaigns"
ANY_TIME = {"callWindowStart": "00:00", "callWindowEnd": "24:00"}
OPEN = """insert into breakers (key, state, cause, opened_at, probe_at)
          values ($1, 'open', $2, clock_timestamp(), clock_timestamp() + interval '10 minutes')"""
SOME = datetime.max
"""A time to come that the database's clock chose."""


@dataclass(frozen=True)
class Shown:
    """A campaign, or one contact in it, that shows the reason; `until`, `rule` and what is `said` beyond them."""

    campaign: str
    contact: str | None = None
    until: datetime | None = None
    rule: str | None = None
    said: tuple[str, ...] = ()


Build = Callable[[Desk], Awaitable[Shown]]
CASES: list[tuple[Reason, Build]] = []


def shows(reason: Reason) -> Callable[[Build], Build]:
    def keep(build: Build) -> Build:
        CASES.append((reason, build))
        return build

    return keep


async def made(desk: Desk, people: list[str], status: str | None = "running", **fields: Any) -> str:
    return str((await desk.campaign(people, status=status, **ANY_TIME | fields))["id"])


async def somebody(desk: Desk, **fields: Any) -> str:
    answer = await desk.api.post(
        "/api/crm/contacts", {"teamId": desk.api.team, "firstName": "Ada", "lastName": "Lovelace", **fields}
    )
    assert answer.status == 200, answer.text
    return str(answer.json["contact"]["id"])


def in_two_days(zone: str) -> tuple[list[str], datetime]:
    """The only day of the week on which to call, and the midnight at which it begins there."""
    day = (datetime.now(ZoneInfo(zone)) + timedelta(days=2)).date()
    return [DAYS[day.weekday()]], datetime.combine(day, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)


def at_night() -> str:
    """A time zone where it is between 2 and 3."""
    return next(z for n in range(-14, 13) if datetime.now(ZoneInfo(z := f"Etc/GMT{n:+d}")).hour == 2)


@shows(Reason.WINDOW)
async def hours_of_the_campaign(desk: Desk) -> Shown:
    days, opens = in_two_days(*BERLIN)
    campaign = await made(desk, await desk.people(2), settings={"daysOfWeek": days})
    return Shown(campaign, None, opens, "campaign", ("callWindowStart",))


@shows(Reason.WINDOW)
async def hours_of_a_policy_pack(desk: Desk) -> Shown:
    night = ZoneInfo(zone := at_night())
    opens = datetime.now(night).replace(hour=8, minute=0, second=0, microsecond=0).astimezone(UTC)
    who = await somebody(desk, phone="+12075550123", timezone=zone, region="US-ME")
    campaign = await made(desk, [who], settings={"policyPacks": ["us-federal"]})
    return Shown(campaign, who, opens, "us-federal/2024-01", (f"by the clock of {zone}", "whatever the campaign says"))


@shows(Reason.WINDOW)
async def the_campaign_ends_before(desk: Desk) -> Shown:
    days, _ = in_two_days(*BERLIN)
    ends = f"{desk.clock.now() + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    campaign = await made(desk, await desk.people(1), settings={"daysOfWeek": days, "scheduledEndAt": ends})
    return Shown(campaign, said=("the campaign ends before it may be called", ends, "move settings.scheduledEndAt"))


@shows(Reason.NEXT_ATTEMPT)
async def a_retry_is_not_due(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1), retryDelayMinutes=60)
    await desk.run(campaign)
    await end_all(desk, Outcome.BUSY)
    return Shown(campaign, None, desk.clock.now() + timedelta(hours=1), said=("retryDelayMinutes",))


@shows(Reason.CALLBACK)
async def a_callback_was_asked_for(desk: Desk) -> Shown:
    [who] = await desk.people(1)
    campaign = await made(desk, [who])
    at = desk.clock.now() + timedelta(hours=2)
    answer = await desk.api.post(f"{URL}/{campaign}/contacts/{who}/callback", {"callbackAt": at.isoformat()})
    assert answer.status == 200, answer.text
    return Shown(campaign, None, at, said=("--withdraw",))


@shows(Reason.NO_FREE_SLOT)
async def every_slot_is_taken(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(3), maxConcurrentCalls=1)
    await desk.run(campaign)
    return Shown(campaign, said=("1 of 1, by the limit of the campaign (its maxConcurrentCalls)", "under way      1"))


@shows(Reason.RATE)
async def calls_per_second_of_the_campaign(desk: Desk) -> Shown:
    people = await desk.people(3)
    campaign = await made(desk, people, settings={"callsPerSecond": 1})
    return Shown(campaign, people[-1], said=("settings.callsPerSecond of the campaign is 1",))


@shows(Reason.RATE)
async def the_carrier_asked_to_wait(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1))
    await desk.pool.execute(OPEN, "trunk:sim", "rate")
    return Shown(campaign, None, SOME, said=("the carrier of the trunk sim asked to wait",))


@shows(Reason.DO_NOT_CALL)
async def somebody_said_no(desk: Desk) -> Shown:
    [who, _] = people = await desk.people(2)
    campaign = await made(desk, people)
    assert (await desk.api.patch(f"/api/crm/contacts/{who}", {"doNotCall": True})).status == 200
    return Shown(campaign, who, said=("who said no is not called",))


@shows(Reason.SUPPRESSED)
async def the_number_is_suppressed_for_a_while(desk: Desk) -> Shown:
    [who] = await desk.people(1)
    campaign = await made(desk, [who])
    until = desk.clock.now() + timedelta(hours=3)
    body = {"teamId": desk.api.team, "scope": "team", "phoneNumber": "+493020100001", "reason": "asked by mail"}
    entry = await desk.api.post("/api/crm/suppressions", body | {"expiresAt": until.isoformat()})
    return Shown(campaign, who, until, said=(entry.json["suppression"]["id"], "for the team", "asked by mail"))


@shows(Reason.SUPPRESSED)
async def the_number_is_suppressed_for_ever(desk: Desk) -> Shown:
    [who, _] = people = await desk.people(2)
    campaign = await made(desk, people)
    body = {"teamId": desk.api.team, "scope": "campaign", "campaignId": campaign, "phoneNumber": "+493020100001"}
    entry = await desk.api.post("/api/crm/suppressions", body)
    said = (entry.json["suppression"]["id"], "for the campaign, for ever", "dialer suppression remove")
    return Shown(campaign, who, said=said)


@shows(Reason.NO_PHONE)
async def nobody_can_call_without_a_number(desk: Desk) -> Shown:
    [who] = await desk.people(1, phone=None)
    return Shown(await made(desk, [who, *await desk.people(1)]), who, said=("give the contact a phone number",))


@shows(Reason.NEVER_CALLABLE)
async def the_hours_of_three_zones_never_meet(desk: Desk) -> Shown:
    everywhere = ("America/Los_Angeles", "Asia/Tokyo", "Europe/London")
    [who] = people = await desk.people(1, everywhere)
    campaign = await made(desk, people, callWindowStart="09:00", callWindowEnd="17:00")
    said = ("its phone may ring in America/Los_Angeles, Asia/Tokyo, Europe/London", "give the contact a timezone")
    return Shown(campaign, who, None, "campaign", said)


@shows(Reason.NEVER_CALLABLE)
async def nobody_knows_the_time_zone(desk: Desk) -> Shown:
    [who] = people = await desk.people(1, ())
    return Shown(await made(desk, people), who, said=("nobody knows in which time zone its phone may ring",))


@shows(Reason.NEVER_CALLABLE)
async def a_policy_pack_forbids_the_only_day(desk: Desk) -> Shown:
    who = await somebody(desk, phone="+16015550123")
    campaign = await made(desk, [who], settings={"daysOfWeek": ["sunday"], "policyPacks": ["us-states"]})
    return Shown(campaign, None, None, "us-states/2024-06 MS", ("What a policy pack forbids stays forbidden",))


@shows(Reason.FREQUENCY_CAP)
async def a_policy_pack_lets_call_once_in_eight_hours(desk: Desk) -> Shown:
    who = await somebody(desk, phone="+12075550123")
    campaign = await made(desk, [who], settings={"policyPacks": ["us-frequency"]}, retryDelayMinutes=0)
    await desk.run(campaign)
    await end_all(desk, Outcome.BUSY)
    rule = "1 call in 8 h per person (us-frequency/2024-01 ME)"
    return Shown(campaign, None, desk.clock.now() + timedelta(hours=8) + MARGIN, rule, ("dialer team caps",))


@shows(Reason.NUMBER_BUSY)
async def the_person_is_in_another_call(desk: Desk) -> Shown:
    people = await desk.people(1)
    await desk.run(await made(desk, people))
    return Shown(await made(desk, people), said=("when that call is over",))


@shows(Reason.CALLER_IDS_EXHAUSTED)
async def the_only_caller_id_is_inactive(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1))
    await desk.api.patch(f"/api/crm/phone-numbers/{desk.number}", {"status": "inactive"})
    return Shown(campaign, said=("caller IDs of the campaign: 1 inactive", "set a number active"))


@shows(Reason.CALLER_IDS_EXHAUSTED)
async def the_only_caller_id_has_used_up_its_day(desk: Desk) -> Shown:
    await desk.pool.execute("update phone_numbers set daily_limit = 1")
    campaign = await made(desk, await desk.people(2), maxConcurrentCalls=1)
    await desk.run(campaign)
    await end_all(desk, Outcome.ANSWERED)
    return Shown(campaign, None, SOME, said=("1 at their dailyLimit until midnight UTC",))


@shows(Reason.CALLER_IDS_EXHAUSTED)
async def the_only_caller_id_rests(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1))
    until = desk.clock.now() + timedelta(days=1)
    await desk.pool.execute("update phone_numbers set resting_until = $1, resting_reason = 'blocked'", until)
    return Shown(campaign, None, until, said=("1 resting, for callees blocked them", "restingUntil: null"))


@shows(Reason.TRUNK_BREAKER)
async def the_carrier_does_not_answer(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1))
    await desk.pool.execute(OPEN, "trunk:sim", "trunk")
    return Shown(campaign, None, SOME, said=("the carrier of the trunk sim is not reached or does not answer", "dialer doctor"))


@shows(Reason.TRUNK_BREAKER)
async def all_calls_of_the_carrier_fail(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1))
    await desk.pool.execute(OPEN, "trunk:sim", "endings")
    return Shown(campaign, None, SOME, said=("takes calls, and all of them fail",))


@shows(Reason.TRUNK_CONFIG)
async def the_assistant_is_switched_off(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1))
    await desk.pool.execute("update assistants set outbound_enabled = false")
    return Shown(campaign, said=(f"the assistant {desk.assistant} makes no calls (outboundEnabled is false)",))


@shows(Reason.TRUNK_CONFIG)
async def the_adapter_is_not_configured(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1))
    await desk.pool.execute("update assistants set adapter = 'gone'")
    return Shown(campaign, said=("calls through the adapter gone, which is not configured here", "dialer check-config"))


@shows(Reason.TRUNK_CONFIG)
async def the_rules_cannot_be_read(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1))
    await desk.pool.execute("update campaigns set call_window_timezone = 'Atlantis', rules_version = 2")
    return Shown(campaign, said=("the campaign's rules cannot be read: callWindowTimezone: is not a time zone",))


@shows(Reason.TRUNK_CONFIG)
async def the_carrier_refuses_our_credentials(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1))
    await desk.pool.execute(OPEN, "trunk:sim", "config")
    return Shown(campaign, said=("the carrier of the trunk sim refuses our credentials or account",))


@shows(Reason.TRUNK_CONFIG)
async def the_carrier_refuses_one_call_after_another(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1))
    await desk.pool.execute(OPEN, f"campaign:{campaign}", "request")
    return Shown(campaign, said=("the carrier refuses the calls of this campaign one after another",))


@shows(Reason.RUN_LIMIT)
async def the_run_has_made_its_calls(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(2), None)
    await desk.run(campaign, maxCalls=1)
    await end_all(desk, Outcome.ANSWERED)
    return Shown(campaign, said=(f"`dialer campaign run {campaign}` starts another run",))


@shows(Reason.PAUSED)
async def somebody_paused_it(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1))
    await desk.api.post(f"{URL}/{campaign}/pause", {})
    return Shown(campaign, said=("somebody paused it", f"dialer campaign resume {campaign}"))


@shows(Reason.PAUSED)
async def its_end_has_come(desk: Desk) -> Shown:
    ends = desk.clock.now() + timedelta(hours=1)
    campaign = await made(desk, await desk.people(1), settings={"scheduledEndAt": ends.isoformat()})
    assert await claims.end(desk.pool, ends) == [campaign]
    return Shown(campaign, said=("its end has come", "move settings.scheduledEndAt", f"dialer campaign resume {campaign}"))


@shows(Reason.NOT_STARTED)
async def it_is_a_draft(desk: Desk) -> Shown:
    campaign = await made(desk, await desk.people(1), None)
    return Shown(campaign, said=(f"`dialer campaign run {campaign}` starts it",))


@shows(Reason.NOT_STARTED)
async def its_appointed_time_has_not_come(desk: Desk) -> Shown:
    at = desk.clock.now() + timedelta(days=1)
    campaign = await made(desk, await desk.people(1), None, scheduledStartAt=at.isoformat())
    return Shown(campaign, None, at, said=("goes on by itself then",))


@shows(Reason.ATTEMPTS_EXHAUSTED)
async def it_was_called_as_often_as_may_be(desk: Desk) -> Shown:
    [who] = people = await desk.people(1)
    campaign = await made(desk, people, maxAttemptsPerContact=1)
    await desk.run(campaign)
    await end_all(desk, Outcome.BUSY)
    return Shown(campaign, who, said=("all attempts are used up", "enrol the contact in another campaign, for this one is over"))


@shows(Reason.QUARANTINED)
async def each_of_its_calls_was_refused(desk: Desk) -> Shown:
    [who, _] = people = await desk.people(2)
    campaign = await made(desk, people)
    await desk.pool.execute(
        """update campaign_contacts set status = 'failed', outcome = 'error', reason = 'quarantined', completed_at = now()
           where contact_id = $1""",
        who,
    )
    return Shown(campaign, who, said=("its calls tell the cause",))


@shows(Reason.EXPIRED)
async def it_has_waited_too_long(desk: Desk) -> Shown:
    [who] = people = await desk.people(1)
    campaign = await made(desk, people, settings={"contactExpiryDays": 1})
    await claims.expire(desk.pool, desk.clock.now() + timedelta(days=1))
    return Shown(campaign, who, said=("contactExpiryDays",))


@shows(Reason.ENDED)
async def it_was_cancelled(desk: Desk) -> Shown:
    [who] = people = await desk.people(1)
    campaign = await made(desk, people)
    await desk.api.post(f"{URL}/{campaign}/cancel", {})
    return Shown(campaign, who, said=("create another campaign",))
