"""No log line of a whole campaign holds a phone number or a secret, whatever goes wrong."""

from __future__ import annotations

import logging
import re

import pytest

from adapters.simulated.carrier.script import Faults
from tests.support.carrier import API_KEY, SIGNING_SECRET, quick
from tests.support.engine import engine
from tests.support.ledger import seed

WHOLE_NUMBER = re.compile(r"\+?\d{10,15}\b")


async def test_a_campaign_with_every_kind_of_trouble_names_no_number(
    database_url: str, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    faults = Faults(refuse_429=0.1, refuse_400=0.1, error_before=0.1, error_after=0.1, reset_after=0.1, retry_after=0.2)
    async with engine(database_url, redis_url, quick(answer=0.7, busy=0.2, faults=faults)) as e:
        s = await seed(e.pool, contacts=60, concurrency=20)
        await e.until("select count(*) >= 15 from campaign_contacts where status in ('completed', 'failed')")
        numbers = [r["to_number"] for r in await e.pool.fetch("select to_number from campaign_contacts")]
        assert s.campaign
    formatter = logging.Formatter("%(message)s")
    text = "\n".join(formatter.format(record) for record in caplog.records if record.name.startswith(("dialer", "adapters")))
    assert "Ambiguous" in text, "the trouble was there and was told"
    assert [number for number in numbers if number in text or number[1:] in text] == []
    # Ids hold digits too; what is left must not look like a number.
    assert WHOLE_NUMBER.findall(re.sub(r"\b[a-z]{2,5}_[0-9a-f]{32}\b", "", text)) == []
    assert API_KEY not in text and SIGNING_SECRET not in text
