"""`contactExpiryDays`: who has waited so long is not called any more, and everybody can see it."""

from __future__ import annotations

from typing import Any

from adapters.events import Outcome
from dialer.domain.fence import FENCE_SECONDS
from dialer.store import claims
from tests.integration.campaigns.test_waiting_for import NOTHING, truth
from tests.support.desk import AUCKLAND, Desk
from tests.support.laws import laws_hold
from tests.support.story import end_all

URL = "/api/crm/campaigns"
DAY = 86_400
NIGHT = {"callWindowStart": "00:00", "callWindowEnd": "24:00"}
EXPIRED = {"reason": "expired", "until": None}


def after(days: int) -> dict[str, Any]:
    return {"settings": {"contactExpiryDays": days}}


async def test_to_the_second_and_with_or_without_a_sweep(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(2), status="running", maxConcurrentCalls=1, **NIGHT, **after(2)))["id"]
    desk.clock.advance(2 * DAY - 1)
    assert await truth(desk, campaign) == [NOTHING, "no_free_slot"]
    assert await claims.expire(desk.pool, desk.clock.now()) == {}
    desk.clock.advance(1)
    assert await desk.place(campaign) == []
    assert await truth(desk, campaign) == [None, "expired"]
    assert await claims.expire(desk.pool, desk.clock.now()) == {campaign: 1}
    assert await truth(desk, campaign) == [None, "expired"]
    [_, row] = await desk.members(campaign)
    assert (row["status"], row["outcome"], row["waiting_for"]) == ("skipped", None, EXPIRED)
    answer = await desk.api.get(f"{URL}/{campaign}/contacts")
    assert (answer.json["status_counts"]["skipped"], answer.json["status_counts"]["pending"]) == (1, 0)
    await laws_hold(desk.pool)


async def test_a_contact_that_is_busy_until_it_expires_is_not_called_again(desk: Desk) -> None:
    fields = {"retryDelayMinutes": 24 * 60, **NIGHT, **after(1)}
    campaign = (await desk.campaign(await desk.people(1), status="running", **fields))["id"]
    assert await truth(desk, campaign) == [NOTHING]
    await end_all(desk, Outcome.BUSY, campaign)
    desk.clock.advance(DAY - 1)
    assert await truth(desk, campaign) == ["expired"]
    await laws_hold(desk.pool)


async def test_an_edit_holds_for_the_next_dial_and_for_those_who_wait(desk: Desk) -> None:
    campaign = (await desk.campaign(await desk.people(2), **NIGHT, **after(30)))["id"]
    desk.clock.advance(3 * DAY)
    await desk.run(campaign, maxCalls=1)
    assert (await desk.api.patch(f"{URL}/{campaign}", after(3))).status == 200
    assert desk.api.waits.seconds == [FENCE_SECONDS]
    assert await desk.place(campaign) == []
    assert await truth(desk, campaign) == ["expired", "expired"]
    assert (await desk.api.patch(f"{URL}/{campaign}", after(4))).status == 200
    assert NOTHING in await truth(desk, campaign)


async def test_it_is_counted_before_a_run_and_told_in_it(desk: Desk) -> None:
    """Those in Auckland would have to wait for the morning, and have expired by then."""
    old = [*await desk.people(3), *await desk.people(2, AUCKLAND, prefix="+6421")]
    campaign = (await desk.campaign(old, maxConcurrentCalls=9, **after(1)))["id"]
    desk.clock.advance(DAY - 3600)
    seen = (await desk.api.post(f"{URL}/{campaign}/preflight")).json["preflight"]
    assert (seen["dialable_now"], seen["blocked_by_reason"]) == (3, [{"reason": "expired", "contacts": 2, "until": None}])
    desk.clock.advance(3600)
    await desk.api.post(f"{URL}/{campaign}/contacts", {"contactIds": await desk.people(1, prefix="+493021")})
    seen = (await desk.api.post(f"{URL}/{campaign}/preflight")).json["preflight"]
    assert (seen["dialable_now"], seen["starting"], seen["blocked"]) == (1, 1, 5)
    dry = await desk.run(campaign, dryRun=True)
    assert (dry["started"], dry["failed"]) == (1, 5)
    assert [error.partition(": ")[2] for error in dry["errors"]] == ["it has waited too long since it was enrolled"] * 5
    assert (await desk.run(campaign))["started"] == 1
    await claims.expire(desk.pool, desk.clock.now())
    dry = await desk.run(campaign, dryRun=True)
    assert [error.partition(": ")[2] for error in dry["errors"]] == ["it has waited too long since it was enrolled"] * 5
    await laws_hold(desk.pool)


async def test_whoever_is_taken_out_and_enrolled_again_waits_anew(desk: Desk) -> None:
    people = await desk.people(1)
    campaign = (await desk.campaign(people, status="running", **NIGHT, **after(1)))["id"]
    desk.clock.advance(DAY)
    assert await claims.expire(desk.pool, desk.clock.now()) == {campaign: 1}
    assert (await desk.api.delete(f"{URL}/{campaign}/contacts", {"contactIds": people})).json["removed"] == 1
    await desk.api.post(f"{URL}/{campaign}/contacts", {"contactIds": people})
    assert await truth(desk, campaign) == [NOTHING]
