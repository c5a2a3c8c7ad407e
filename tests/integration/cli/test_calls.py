"""`dialer call extract`: what it marks, and what it says where it cannot."""

from __future__ import annotations

import json

from dialer.store.database import Database
from tests.integration.cli.conftest import Shell
from tests.support.chat import KEY, MODEL, Chat
from tests.support.ledger import fill_the_rest, seed

REFUSED = 1
UNWELL = 4


async def test_transcripts_are_marked_to_be_asked_anew(dialer: Shell, database: Database) -> None:
    made = await seed(database.pool, contacts=1, status="draft")
    await fill_the_rest(database.pool, made)
    assert "extraction.base_url: is not set" in await dialer("call", "extract", "call_1", code=REFUSED)
    dialer.environ |= {"DIALER_EXTRACTION__BASE_URL": "http://127.0.0.1:9/v1", "DIALER_EXTRACTION__MODEL": "m"}
    assert json.loads(await dialer("call", "extract", "call_1", "--json")) == {"transcripts": 0}, "nothing was said"
    await database.pool.execute("""update call_events set data = '{"transcript": "Hello"}'""")
    await database.pool.execute("update call_attempts set trunk = 'simulated', result = '{}'")
    await database.pool.execute("update transcripts set outcome = 'given_up'")
    assert json.loads(await dialer("call", "extract", "--campaign", made.campaign, "--json")) == {"transcripts": 1}
    assert [tuple(row) for row in await database.pool.fetch("select outcome, runs from transcripts")] == [(None, 1)]
    assert "call call_2: there is none" in await dialer("call", "extract", "call_2", code=REFUSED)
    assert "campaign x: there is none" in await dialer("call", "extract", "--campaign", "x", code=REFUSED)
    assert "say which calls are meant" in await dialer("call", "extract", code=REFUSED)


async def test_the_doctor_looks_whether_the_endpoint_is_there(dialer: Shell) -> None:
    def row(said: str) -> tuple[bool, str]:
        [found] = [each for each in json.loads(said)["checks"] if each["check"] == "extraction"]
        return found["ok"], found["detail"]

    ok, detail = row(await dialer("doctor", "--json", code=UNWELL))  # the carrier is not there
    assert ok and detail.startswith("off: extraction.base_url is not set")
    async with Chat() as chat:
        dialer.environ |= {"DIALER_EXTRACTION__BASE_URL": chat.url, "DIALER_EXTRACTION__MODEL": MODEL}
        dialer.environ |= {"DIALER_EXTRACTION__API_KEY": KEY}
        assert row(await dialer("doctor", "--json", code=UNWELL)) == (True, f"reachable; it has {MODEL}")
        dialer.environ |= {"DIALER_EXTRACTION__API_KEY": "sk-canary-wrong"}
        said = await dialer("doctor", "--json", code=UNWELL)
        assert not row(said)[0] and "HTTP 401" in row(said)[1] and "canary" not in said
        assert chat.questions == []
