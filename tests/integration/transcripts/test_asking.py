"""Where the carrier extracted nothing, the transcript is asked: beside the calls, once, and written like whatever a call told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.events import CallEvent, Phase
from dialer.domain.errors import NotFound
from dialer.extraction import asking
from dialer.flows.campaigns.export import results
from dialer.flows.transcripts import Transcripts
from dialer.flows.transcripts_anew import extract_anew, extract_campaign_anew
from dialer.settings import Settings
from dialer.store import attempts
from tests.support import endings
from tests.support.asked import (
    CRM,
    SAID,
    audited,
    bring,
    contact,
    define,
    judge,
    now_due,
    one_call,
    shown,
    status,
)  # fmt: skip
from tests.support.chat import MODEL, Chat, Vice, says
from tests.support.desk import TRUNK, Desk


async def test_from_the_result_to_the_contacts_field_with_its_quote(desk: Desk, duty: Transcripts, chat: Chat) -> None:
    call = await one_call(desk)
    await bring(desk, call, transcript=SAID)
    assert await status(desk, call) == "waiting"
    assert (await duty.ask(), await duty.ask()) == (1, 0)
    assert (await judge(desk), await judge(desk)) == (1, 0)
    assert (await contact(desk, call))["custom_fields"] == {"size": 41}
    found = await shown(desk, call)
    told = found["events"][-1]
    assert (told["phase"], told["data"]) == ("result", {
        "extracted": {"size": {"value": 41, "quote": "forty-one", "confidence": 0.9}}, "extraction": {"model": MODEL},
    })  # fmt: skip
    assert found["extracted"] == {"size": 41} and found["extracted_fields"][0]["verdict"] == "applied"
    assert {**found["extraction"], "asked_at": None} == {
        "status": "done", "tries": 1, "asked_at": None, "fault": None, "dropped": [],
    }  # fmt: skip
    assert await audited(desk) == [{"call": call, "fields": ["customFields.size"]}]
    assert len(chat.questions) == 1


async def test_what_is_only_claimed_to_have_been_said_is_dropped_and_no_number_changes(
    desk: Desk, duty: Transcripts, chat: Chat
) -> None:
    chat.answers = [says(size=(43, "I wear forty-three"), phone=("+4930111", "+4930111"), doNotCall=(False, "forty-one"))]
    call = await one_call(desk)
    before = await contact(desk, call)
    await bring(desk, call, transcript=SAID)
    await duty.ask()
    assert await judge(desk) == 0
    assert (await shown(desk, call))["extraction"]["dropped"] == [{"name": "size", "why": "quote_not_found"}]
    assert await contact(desk, call) == before


async def test_asked_again_it_is_written_once_and_what_changed_is_found(desk: Desk, duty: Transcripts, chat: Chat) -> None:
    call = await one_call(desk)
    await bring(desk, call, transcript=SAID)
    await duty.ask()
    await judge(desk)
    database = desk.api.context.database
    assert await extract_anew(database, "cli", [call]) == 1
    assert (await duty.ask(), await judge(desk)) == (1, 1)
    assert len(await audited(desk)) == 1
    await define(desk, "answer", "text")
    chat.answers = [says(size=(41, "forty-one"), answer=("Forty-one.", "Forty-one."))]
    assert await extract_campaign_anew(database, "cli", (await shown(desk, call))["campaign_id"]) == 1
    assert (await duty.ask(), await judge(desk)) == (1, 1)
    assert (await contact(desk, call))["custom_fields"] == {"size": 41, "answer": "Forty-one."}
    assert [each["fields"] for each in await audited(desk)] == [["customFields.size"], ["customFields.answer"]]
    asked = await desk.pool.fetch("select actor, detail from audit where action = 'calls.extract'")
    assert [tuple(row) for row in asked] == [("cli", {"calls": [call]})] * 2
    with pytest.raises(NotFound, match="call call_x: "):
        await extract_anew(database, "cli", [call, "call_x"])


@pytest.mark.parametrize("written", [43, None])
async def test_asked_again_what_a_person_wrote_or_emptied_since_stays(
    desk: Desk, duty: Transcripts, chat: Chat, written: int | None
) -> None:
    call = await one_call(desk)
    await bring(desk, call, transcript=SAID)
    await duty.ask()
    await judge(desk)
    person = f"{CRM}/contacts/{(await contact(desk, call))['id']}"
    assert (await desk.api.patch(person, {"customFields": {"size": written}})).status == 200
    after = (await contact(desk, call))["custom_fields"]
    chat.answers = [says(size=(44, "forty-one"))]
    await extract_anew(desk.api.context.database, "cli", [call])
    assert (await duty.ask(), await judge(desk)) == (1, 1)
    assert (await contact(desk, call))["custom_fields"] == after
    assert (await shown(desk, call))["extracted_fields"][0]["verdict"] == ("kept" if written else "cleared")
    assert len(await audited(desk)) == 1


async def test_a_no_that_is_told_with_it_waits_for_nobody_and_nothing_takes_it_back(
    desk: Desk, duty: Transcripts, chat: Chat
) -> None:
    chat.vice = Vice.ERROR
    call = await one_call(desk)
    await bring(desk, call, transcript=SAID, do_not_call=True)
    await duty.ask()
    assert (await contact(desk, call))["do_not_call"] is True
    chat.vice, chat.answers = None, [says(size=(41, "forty-one"), do_not_call=(False, "forty-one"))]
    await now_due(desk)
    await duty.ask()
    await judge(desk)
    found = await contact(desk, call)
    assert (found["do_not_call"], found["custom_fields"]) == (True, {"size": 41})


async def test_a_call_of_before_is_asked_when_somebody_wants_it(desk: Desk, duty: Transcripts) -> None:
    """The team had defined nothing then."""
    await desk.pool.execute("update custom_fields set extractable = false")
    call, other = await one_call(desk), await one_call(desk)
    await bring(desk, call, transcript=SAID)
    await bring(desk, other, summary="nothing was said")
    await desk.pool.execute("update custom_fields set extractable = true")
    assert (await duty.ask(), await status(desk, call)) == (0, None)
    assert await extract_anew(desk.api.context.database, "cli", [call, other]) == 1
    assert await duty.ask() == 1
    await judge(desk)
    assert (await contact(desk, call))["custom_fields"] == {"size": 41}


async def test_what_the_carrier_extracted_stands(desk: Desk, duty: Transcripts, chat: Chat) -> None:
    call = await one_call(desk)
    await bring(desk, call, transcript=SAID, extracted={"size": 40})
    assert (await duty.ask(), await status(desk, call), chat.questions) == (1, "provider", [])
    await extract_anew(desk.api.context.database, "cli", [call])
    await duty.ask()
    assert "size" not in chat.questions[0]["response_format"]["json_schema"]["schema"]["properties"]
    await judge(desk)
    assert (await contact(desk, call))["custom_fields"] == {"size": 40}


@pytest.mark.parametrize("judged", [True, False])
async def test_also_when_it_comes_late_and_speaks_of_before(desk: Desk, duty: Transcripts, judged: bool) -> None:
    call = await one_call(desk)
    desk.clock.advance(60)
    await bring(desk, call, transcript=SAID)
    await duty.ask()
    if judged:
        await judge(desk)
    await bring(desk, call, key="late", seconds=-30, extracted={"size": 40})
    await judge(desk)
    assert (await contact(desk, call))["custom_fields"] == {"size": 40}


async def test_what_the_carrier_extracted_is_shown_and_beside_it_what_only_the_transcript_says(
    desk: Desk, duty: Transcripts, chat: Chat
) -> None:
    await define(desk, "answer", "text")
    chat.answers = [says(size=(41, "forty-one"), answer=("Forty-one.", "Forty-one."))]
    call = await one_call(desk)
    campaign = (await shown(desk, call))["campaign_id"]
    await endings.bring(desk, call, campaign, {"transcript": SAID})
    await now_due(desk)
    await duty.ask()
    assert (await shown(desk, call))["extracted"] == {"size": 41, "answer": "Forty-one."}
    await endings.bring(desk, call, campaign, {"extracted": {"size": 40}})
    assert (await shown(desk, call))["extracted"] == {"size": 40, "answer": "Forty-one."}
    await judge(desk)
    assert (await contact(desk, call))["custom_fields"] == {"size": 40, "answer": "Forty-one."}
    [row] = [row async for page in (await results(desk.api.context.database, desk.api.team, campaign))[1] for row in page]
    assert row["extracted"] == {"size": 40, "answer": "Forty-one."} and row["extracted.answer"] == "Forty-one."


async def test_the_newest_transcript_is_asked(desk: Desk, duty: Transcripts, chat: Chat) -> None:
    call = await one_call(desk)
    await bring(desk, call, transcript="Half of it")
    await bring(desk, call, key="whole", seconds=5, transcript=SAID)
    assert await duty.ask() == 2
    assert len(chat.questions) == 1 and "size do you wear" in chat.questions[0]["messages"][1]["content"]
    assert await status(desk, call) == "done"


@pytest.mark.parametrize("said", [[], "", None, "   ", 5, [{"who": "?"}]])
async def test_where_nothing_was_said_nobody_is_asked(desk: Desk, duty: Transcripts, chat: Chat, said: Any) -> None:
    call = await one_call(desk)
    await bring(desk, call, transcript=said)
    await duty.ask()
    assert chat.questions == [] and await status(desk, call) in (None, "nothing")


async def test_nobody_asks_about_one_who_was_erased(desk: Desk, duty: Transcripts, chat: Chat) -> None:
    call = await one_call(desk)
    await bring(desk, call, transcript=SAID)
    await desk.pool.execute("update campaign_contacts set status = 'calling'")
    await desk.pool.execute("update call_attempts set ended_at = now(), state = 'ended', outcome = 'busy', fault = 'callee'")
    await desk.pool.execute("update campaign_contacts set status = 'failed', completed_at = now()")
    assert (await desk.api.delete(f"{CRM}/contacts/{(await shown(desk, call))['contact_id']}")).status == 200
    await duty.ask()
    assert chat.questions == [] and await status(desk, call) == "nothing"


async def test_the_carrier_has_a_minute_for_its_own_extraction(desk: Desk) -> None:
    event = CallEvent(Phase.RESULT, desk.clock.now(), await one_call(desk), "ref", "k", data={"transcript": SAID})
    nothing = replace(event, key="k2", data={"transcript": []})
    await attempts.turn(desk.pool, [], [(TRUNK, event), (TRUNK, nothing)], desk.clock.now())
    assert await desk.pool.fetch("select extract(epoch from due_at - created_at)::int as n from transcripts") == [(60,)]


async def test_without_an_endpoint_nobody_asks(desk: Desk) -> None:
    async with asking(Settings(), desk.pool, desk.clock) as duty:
        assert duty is None
