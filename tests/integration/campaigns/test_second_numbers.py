"""A contact's second number: when a campaign calls it, at whose hours, and what stops it."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.events import Outcome
from dialer.flows.second_numbers import place_second_numbers
from dialer.store import attempts
from tests.support.desk import Desk
from tests.support.endings import end
from tests.support.laws import laws_hold
from tests.support.places import ZONES

FIRST, SECOND, THIRD = "+493020100001", "+12125550142", "+493020100003"
BOTH: dict[str, Any] = {
    "settings": {"useSecondaryPhone": True},
    "retryDelayMinutes": 0,
    "maxAttemptsPerContact": 5,
    "callWindowEnd": "20:00",
}
"""Open at noon in UTC in Berlin, and from 14:00 on in New York."""
CRM = "/api/crm"


async def person(desk: Desk, **fields: Any) -> str:
    body = {"teamId": desk.api.team, "firstName": "Ada", "lastName": "Byron", "phone": FIRST, "phoneSecondary": SECOND}
    answer = await desk.api.post(f"{CRM}/contacts", {name: value for name, value in (body | fields).items() if value})
    assert answer.status == 200, answer.text
    found: str = answer.json["contact"]["id"]
    return found


async def number(desk: Desk, campaign: str) -> tuple[str, str, list[str]]:
    """Status, number and zones of the one who is enrolled."""
    row = await desk.pool.fetchrow(
        f"""select t.status, t.to_number, {ZONES} from campaign_contacts t join place_sets z on z.id = t.place_set_id
            where t.campaign_id = $1""",
        campaign,
    )
    return row["status"], row["to_number"], row["zones"]


async def call(desk: Desk, campaign: str, outcome: Outcome) -> str:
    """One call from its release to its end; the number that was called."""
    assert (await desk.run(campaign))["started"] == 1
    [attempt] = await desk.place(campaign)
    called: str = await desk.pool.fetchval("select to_number from call_attempts where id = $1", attempt)
    await end(desk, attempt, campaign, outcome)
    await laws_hold(desk.pool)
    return called


BERLIN, NEW_YORK = ["Europe/Berlin"], ["America/New_York"]


async def test_the_numbers_take_turns_each_at_its_own_hours(desk: Desk) -> None:
    campaign = (await desk.campaign([await person(desk)], **BOTH))["id"]
    assert await number(desk, campaign) == ("pending", FIRST, BERLIN)
    assert await call(desk, campaign, Outcome.BUSY) == FIRST
    assert await number(desk, campaign) == ("pending", SECOND, NEW_YORK)
    [member] = await desk.members(campaign)
    assert member["to_number"] == SECOND
    waits = member["waiting_for"]
    assert (waits["reason"], waits["until"]) == ("window", "2026-01-05T14:00:00Z"), "it is seven in the morning there"
    assert (await desk.run(campaign))["started"] == 0
    desk.clock.advance(3 * 3600)
    assert (await desk.run(campaign, dryRun=True))["calls"][0]["to_number"] == SECOND
    assert await call(desk, campaign, Outcome.NO_ANSWER) == SECOND
    assert await call(desk, campaign, Outcome.BUSY) == FIRST
    assert [m["attempts"] for m in await desk.members(campaign)] == [3], "attempts are the contact's"


async def test_without_the_setting_the_second_number_is_not_called(desk: Desk) -> None:
    alone = await person(desk, phone=None)
    campaign = (await desk.campaign([await person(desk), alone], retryDelayMinutes=0))["id"]
    assert await call(desk, campaign, Outcome.BUSY) == FIRST
    assert await number(desk, campaign) == ("pending", FIRST, BERLIN)
    found = {m["contact"]["id"]: (m["status"], m["outcome"]) for m in await desk.members(campaign)}
    assert found[alone] == ("skipped", "invalid_number")


async def test_who_has_no_first_number_is_called_at_the_second(desk: Desk) -> None:
    campaign = (await desk.campaign([await person(desk, phone=None)], **BOTH))["id"]
    assert await number(desk, campaign) == ("pending", SECOND, NEW_YORK)
    desk.clock.advance(3 * 3600)
    assert await call(desk, campaign, Outcome.BUSY) == SECOND
    assert await number(desk, campaign) == ("pending", SECOND, NEW_YORK)
    audience = {"audience": {"mode": "all_eligible"}}
    cases: list[tuple[dict[str, Any], int]] = [({}, 0), (BOTH, 1)]
    for settings, added in cases:
        other = (await desk.campaign(**settings))["id"]
        assert (await desk.api.post(f"{CRM}/campaigns/{other}/contacts", audience)).json["added"] == added


async def test_a_number_that_nobody_has_is_not_called_again(desk: Desk) -> None:
    contact = await person(desk, phoneSecondary=THIRD)
    campaign = (await desk.campaign([contact], **BOTH))["id"]
    assert await call(desk, campaign, Outcome.INVALID_NUMBER) == FIRST
    assert [await call(desk, campaign, Outcome.BUSY) for _ in range(2)] == [THIRD, THIRD]
    changed = await desk.api.patch(f"{CRM}/contacts/{contact}", {"phoneSecondary": None})
    assert changed.status == 200
    [member] = await desk.members(campaign)
    assert (member["status"], member["outcome"]) == ("skipped", "invalid_number"), "only the number that nobody has is left"


async def test_the_contact_fails_when_nobody_has_either_number(desk: Desk) -> None:
    campaign = (await desk.campaign([await person(desk, phoneSecondary=THIRD)], **BOTH))["id"]
    assert [await call(desk, campaign, Outcome.INVALID_NUMBER) for _ in range(2)] == [FIRST, THIRD]
    [member] = await desk.members(campaign)
    assert (member["status"], member["outcome"], member["attempts"]) == ("failed", "invalid_number", 2)


async def suppress(desk: Desk, phone: str, **fields: Any) -> None:
    body = {"teamId": desk.api.team, "phoneNumber": phone, **fields}
    assert (await desk.api.post(f"{CRM}/suppressions", body)).status == 200


async def suppress_by_list(desk: Desk, phone: str) -> None:
    answer = await desk.api.upload(f"{CRM}/suppressions/import", f"phone_number\n{phone}\n".encode(), teamId=desk.api.team)
    assert answer.status == 200, answer.text


@pytest.mark.parametrize("by", [suppress, suppress_by_list])
@pytest.mark.parametrize("state", ["pending", "queued"])
async def test_a_suppression_leaves_the_other_number_and_both_end_it(desk: Desk, by: Any, state: str) -> None:
    campaign = (await desk.campaign([await person(desk, phoneSecondary=THIRD)], **BOTH))["id"]
    if state == "queued":
        await desk.run(campaign)
    await by(desk, FIRST)
    assert await number(desk, campaign) == ("pending", THIRD, BERLIN)
    assert await call(desk, campaign, Outcome.BUSY) == THIRD
    assert (await number(desk, campaign))[:2] == ("pending", THIRD), "the first one is not called again"
    await by(desk, THIRD)
    [member] = await desk.members(campaign)
    assert (member["status"], member["outcome"]) == ("skipped", "do_not_call")


async def test_a_suppression_for_a_while_sends_to_the_other_number_meanwhile(desk: Desk) -> None:
    contact = await person(desk, phoneSecondary=THIRD)
    until = "2026-01-05T12:30:00Z"
    await suppress(desk, FIRST, expiresAt=until)
    campaign = (await desk.campaign([contact], **BOTH))["id"]
    assert await number(desk, campaign) == ("pending", THIRD, BERLIN)
    assert await call(desk, campaign, Outcome.BUSY) == THIRD
    assert (await number(desk, campaign))[:2] == ("pending", THIRD)
    await suppress(desk, THIRD, expiresAt="2026-01-05T13:00:00Z")
    [member] = await desk.members(campaign)
    assert (member["to_number"], member["waiting_for"]) == (FIRST, {"reason": "suppressed", "until": until})


async def test_a_suppression_that_comes_between_release_and_dial_sends_to_the_other_number(desk: Desk) -> None:
    """The fence refuses, and what is taken back waits with the number that may be called."""
    campaign = (await desk.campaign([await person(desk, phoneSecondary=THIRD)], **BOTH))["id"]
    await desk.run(campaign)
    await desk.pool.execute(
        "insert into suppressions (scope, team_id, phone_number) values ('team', $1, $2)", desk.api.team, FIRST
    )
    assert await desk.place(campaign) == []
    await desk.recall(await desk.pool.fetchval("select id from call_attempts"), "suppressed")
    assert await number(desk, campaign) == ("pending", THIRD, BERLIN)


async def test_do_not_call_stops_both_numbers(desk: Desk) -> None:
    contact = await person(desk, phoneSecondary=THIRD)
    campaign = (await desk.campaign([contact], **BOTH))["id"]
    await call(desk, campaign, Outcome.BUSY)
    assert (await desk.api.patch(f"{CRM}/contacts/{contact}", {"doNotCall": True})).status == 200
    [member] = await desk.members(campaign)
    assert (member["status"], member["outcome"]) == ("skipped", "do_not_call")


async def test_who_is_given_other_numbers_is_called_there(desk: Desk) -> None:
    contact = await person(desk)
    campaign = (await desk.campaign([contact], **BOTH))["id"]
    await call(desk, campaign, Outcome.BUSY)

    async def change(**fields: Any) -> tuple[str, str, list[str]]:
        assert (await desk.api.patch(f"{CRM}/contacts/{contact}", fields)).status == 200
        await laws_hold(desk.pool)
        return await number(desk, campaign)

    assert await change(phoneSecondary="+442079460123") == ("pending", FIRST, BERLIN), "what was to be called is not theirs"
    assert await change(phoneSecondary=SECOND) == ("pending", FIRST, BERLIN)
    await call(desk, campaign, Outcome.BUSY)
    assert await number(desk, campaign) == ("pending", SECOND, NEW_YORK)
    assert await change(timezone="Pacific/Auckland") == ("pending", SECOND, ["Pacific/Auckland"]), "the zone is the person's"
    assert await change(timezone=None, phone=THIRD) == ("pending", SECOND, NEW_YORK), "it is still theirs"
    assert await change(phoneSecondary=None) == ("pending", THIRD, BERLIN)
    assert await change(phone=None, phoneSecondary=SECOND) == ("pending", SECOND, NEW_YORK)
    assert (await change(phoneSecondary=None))[0] == "skipped"


async def test_a_number_that_is_changed_while_it_is_called_is_taken_over_when_the_call_ends(desk: Desk) -> None:
    contact = await person(desk)
    campaign = (await desk.campaign([contact], **BOTH))["id"]
    await desk.run(campaign)
    [attempt] = await desk.place(campaign)
    assert (await desk.api.patch(f"{CRM}/contacts/{contact}", {"phone": THIRD, "phoneSecondary": None})).status == 200
    await end(desk, attempt, campaign, Outcome.BUSY)
    assert await number(desk, campaign) == ("pending", THIRD, BERLIN)


async def test_a_campaign_that_is_told_not_to_call_second_numbers_goes_back_to_the_first(desk: Desk) -> None:
    both, alone = await person(desk), await person(desk, phone=None, lastName="Lovelace", phoneSecondary="+12125550143")
    campaign = (await desk.campaign([both, alone], **BOTH))["id"]
    await call(desk, campaign, Outcome.BUSY)
    off = await desk.api.patch(f"{CRM}/campaigns/{campaign}", {"settings": {"useSecondaryPhone": False}})
    assert off.status == 200, off.text
    found = {m["contact"]["id"]: m for m in await desk.members(campaign)}
    assert (found[both]["status"], found[both]["to_number"]) == ("pending", FIRST)
    assert (found[alone]["status"], found[alone]["outcome"]) == ("skipped", "invalid_number")


async def test_the_fence_asks_whether_second_numbers_are_called(desk: Desk) -> None:
    """An ending that was decided before the setting was changed, and written after it, waits with the second number."""
    campaign = (await desk.campaign([await person(desk, phoneSecondary=THIRD)], **BOTH))["id"]
    await call(desk, campaign, Outcome.BUSY)
    assert (await desk.run(campaign))["calls"][0]["to_number"] == THIRD
    await desk.pool.execute("update campaigns set settings = '{}' where id = $1", campaign)
    assert await desk.place(campaign) == []
    await desk.recall(await desk.pool.fetchval("select id from call_attempts where state = 'queued'"), "stale")
    assert await number(desk, campaign) == ("pending", FIRST, BERLIN)


async def test_nobody_calls_a_number_of_which_nobody_knows_where_it_rings(desk: Desk) -> None:
    """As a version before this one writes it: the number without its place."""
    contact = await person(desk)
    campaign = (await desk.campaign([contact], **BOTH))["id"]
    await desk.pool.execute("update contacts set phone_secondary = $2 where id = $1", contact, "+12125550199")
    assert await desk.pool.fetchval("select second_place_set_id from contacts where id = $1", contact) is None
    await call(desk, campaign, Outcome.BUSY)
    assert (await number(desk, campaign))[1] == FIRST
    assert await place_second_numbers(desk.pool) == 1
    assert await place_second_numbers(desk.pool) == 0
    await call(desk, campaign, Outcome.BUSY)
    assert await number(desk, campaign) == ("pending", "+12125550199", NEW_YORK)


async def test_enrolment_works_out_what_nobody_has(desk: Desk) -> None:
    contact = await person(desk, phone=None)
    await desk.pool.execute("update contacts set second_place_set_id = null")
    campaign = (await desk.campaign([contact], **BOTH))["id"]
    assert await number(desk, campaign) == ("pending", SECOND, NEW_YORK)


@pytest.mark.parametrize("mode", ["update", "replace"])
async def test_an_import_moves_a_second_number(desk: Desk, mode: str) -> None:
    contact = await person(desk, phoneSecondary=THIRD)
    campaign = (await desk.campaign([contact], **BOTH))["id"]
    await call(desk, campaign, Outcome.BUSY)

    async def load(head: str, row: str) -> tuple[str, str, list[str]]:
        file = f"firstName,lastName,phone,{head}\nAda,Byron,{FIRST},{row}\n".encode()
        answer = await desk.api.upload(f"{CRM}/contacts/import", file, teamId=desk.api.team, duplicateMode=mode)
        assert answer.status == 200 and answer.json["updated"] == 1, answer.text
        await laws_hold(desk.pool)
        return await number(desk, campaign)

    assert await load("phoneSecondary", SECOND) == ("pending", FIRST, BERLIN), "what was to be called is not theirs any more"
    await call(desk, campaign, Outcome.BUSY)
    assert await number(desk, campaign) == ("pending", SECOND, NEW_YORK)
    assert await load("phoneSecondary,timezone", f"{SECOND},Pacific/Auckland") == ("pending", SECOND, ["Pacific/Auckland"])
    placed = await desk.pool.fetchval(
        f"select {ZONES} from contacts c join place_sets z on z.id = c.second_place_set_id where c.id = $1", contact
    )
    assert placed == ["Pacific/Auckland"], "the zone is the person's"


async def test_an_attempt_at_the_second_number_stands_as_the_contacts_own(desk: Desk) -> None:
    campaign = (await desk.campaign([await person(desk, phone=None, phoneSecondary=THIRD)], **BOTH))["id"]
    await desk.run(campaign)
    [attempt] = [r["id"] for r in await desk.pool.fetch("select id from call_attempts")]
    stand = (await attempts.standing(desk.pool, [attempt], desk.clock.now()))[attempt]
    assert (stand.phone, stand.standing.replaced, stand.standing.other) == (THIRD, False, None)
