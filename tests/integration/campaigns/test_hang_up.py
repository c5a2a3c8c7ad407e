"""Hanging up a campaign's call that is known to the carrier alone."""

from __future__ import annotations

import asyncio

import pytest

from adapters.conformance import Act
from adapters.errors import Ambiguous
from dialer.flows.hang_up import hang_up_campaign
from tests.support.carrier import call
from tests.support.desk import TRUNK, Desk
from tests.support.providers.twilio import TwilioProvider, make


async def test_a_call_whose_answer_was_lost_is_searched_and_hung_up(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    campaign = (await desk.campaign(await desk.people(1), status="running"))["id"]
    await desk.run(campaign)
    [lost] = await desk.place(campaign)
    to = await desk.pool.fetchval("select to_number from call_attempts where id = $1", lost)
    async with TwilioProvider() as twilio, make(twilio.url, 1.0) as adapter:
        twilio.act, twilio.queue = Act.RESET_AFTER, asyncio.Event()
        with pytest.raises(Ambiguous):
            await adapter.place(call(lost, to, callback_url=twilio.url))
        [placed] = twilio.of(lost)
        placed.placed = desk.clock.now().timestamp()
        await hang_up_campaign(desk.pool, {TRUNK: adapter}, campaign)
        assert placed.hung_up.is_set()
    assert "could not be hung up" not in caplog.text
