"""An endpoint that fails or is down holds up nothing that dials, and whoever dies while asking leaves it to be asked again."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from dialer.app import repeat
from dialer.extraction import asking
from dialer.flows.transcripts import MOST_TRIES, Transcripts
from dialer.flows.transcripts_anew import extract_anew
from dialer.store import transcripts
from dialer.store.extractions import TELLER
from scheduler.clock import SystemClock
from tests.support.asked import (
    GOOD,
    SAID,
    audited,
    bring,
    judge,
    now_due,
    one_call,
    open_duty,
    shown,
    status,
)  # fmt: skip
from tests.support.carrier import quick
from tests.support.chat import KEY, Chat, Vice, settings
from tests.support.desk import Desk
from tests.support.engine import engine
from tests.support.laws import carrier_agrees, laws_hold, nothing_left
from tests.support.ledger import seed


async def test_who_dies_between_answer_and_commit_asks_again_and_writes_once(
    desk: Desk, duty: Transcripts, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await one_call(desk)
    await bring(desk, call, transcript=SAID)

    async def killed(*_: Any) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(transcripts, "keep", killed)
        with pytest.raises(asyncio.CancelledError):
            await duty.ask()
    assert await duty.ask() == 0, "as far as anybody knows, somebody is still asking"
    await now_due(desk)
    assert await duty.ask() == 1
    await judge(desk)
    assert len(chat.questions) == 2 and len(await audited(desk)) == 1
    assert await desk.pool.fetchval("select count(*) from call_events where adapter = $1", TELLER) == 1


async def test_two_who_ask_at_the_same_time_tell_it_once(desk: Desk, duty: Transcripts, chat: Chat) -> None:
    """One has stood still for longer than its turn lasts."""
    call = await one_call(desk)
    await bring(desk, call, transcript=SAID)
    chat.vice = Vice.SLOW
    both = [asyncio.ensure_future(duty.ask())]
    await chat.until(1)
    await now_due(desk)
    both.append(asyncio.ensure_future(duty.ask()))
    await chat.until(2)
    chat.hurry.set()
    await asyncio.gather(*both)
    assert await desk.pool.fetchval("select count(*) from extractions") == 1


async def test_no_more_are_asked_about_at_once_than_the_settings_say(desk: Desk, chat: Chat) -> None:
    calls = [await one_call(desk) for _ in range(3)]
    for call in calls:
        await bring(desk, call, transcript=SAID)
    chat.vice = Vice.SLOW
    async with open_duty(desk, chat, at_once=2) as duty:
        running = asyncio.ensure_future(duty.ask())
        await chat.until(2)
        assert await desk.pool.fetchval("select 1 from contacts for update") == 1, "no transaction is open"
        chat.hurry.set()
        assert await running == 3
    assert chat.most == 2


async def test_while_it_is_throttled_all_wait_as_long_as_it_says_and_one_tries(desk: Desk, duty: Transcripts, chat: Chat) -> None:
    calls = [await one_call(desk) for _ in range(6)]
    for call in calls:
        await bring(desk, call, transcript=SAID)
    chat.vice = Vice.THROTTLE
    await duty.ask()
    assert len(chat.questions) == 4
    desk.clock.advance(39)
    await now_due(desk)
    assert await duty.ask() == 0
    desk.clock.advance(2)
    assert await duty.ask() == 1
    assert len(chat.questions) == 5
    chat.vice = None
    desk.clock.advance(41)
    await now_due(desk)
    assert [await duty.ask(), await duty.ask()] == [1, 5]
    assert {await status(desk, call) for call in calls} == {"done"}
    assert {(await shown(desk, call))["extraction"]["tries"] for call in calls} == {1}, "it counts for nobody"


async def test_one_that_fails_again_and_again_is_given_up_and_says_so(
    desk: Desk, duty: Transcripts, chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    call = await one_call(desk)
    await bring(desk, call, transcript=SAID)
    chat.vice = Vice.ERROR
    waits = []
    for n in range(MOST_TRIES):
        assert await duty.ask() == 1
        assert await duty.ask() == 0, "it waits"
        if n < MOST_TRIES - 1:
            waits.append(await desk.pool.fetchval("select extract(epoch from due_at - asked_at)::int from transcripts"))
        await now_due(desk)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600]
    found = (await shown(desk, call))["extraction"]
    assert (found["status"], found["tries"], found["fault"]) == (
        "given_up", MOST_TRIES, "the extraction endpoint answered HTTP 500",
    )  # fmt: skip
    chat.vice = None
    await extract_anew(desk.api.context.database, "cli", [call])
    assert await duty.ask() == 1 and await status(desk, call) == "done"
    assert "given up after 8 tries" in caplog.text
    assert not [word for word in ("orty-one", "+4930", KEY, "wear") if word in caplog.text]


async def test_whoever_kills_all_who_ask_is_given_up_too(desk: Desk, duty: Transcripts, chat: Chat) -> None:
    call = await one_call(desk)
    await bring(desk, call, transcript=SAID)
    await desk.pool.execute("update transcripts set tries = $1", MOST_TRIES)
    assert await duty.ask() == 1
    assert (await status(desk, call), chat.questions) == ("given_up", [])


async def test_a_defect_of_ours_holds_up_nobody_else(
    desk: Desk, duty: Transcripts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = [await one_call(desk) for _ in range(2)]
    for call in calls:
        await bring(desk, call, transcript=SAID)
    real = transcripts.material

    async def broken(pool: Any, attempt: str) -> transcripts.Material:
        if attempt == calls[0]:
            raise RuntimeError("canary")
        return await real(pool, attempt)

    monkeypatch.setattr(transcripts, "material", broken)
    assert await duty.ask() == 2
    assert [await status(desk, call) for call in calls] == ["waiting", "done"]
    assert "a defect: RuntimeError" in caplog.text and "canary" not in caplog.text


async def test_what_has_waited_too_long_is_left_for_whoever_wants_it(desk: Desk, duty: Transcripts, chat: Chat) -> None:
    call = await one_call(desk)
    await bring(desk, call, transcript=SAID)
    await desk.pool.execute("update transcripts set due_at = now() - interval '73 hours'")
    assert (await duty.ask(), await status(desk, call)) == (0, "expired")
    await extract_anew(desk.api.context.database, "cli", [call])
    assert (await duty.ask(), await status(desk, call)) == (1, "done")


async def test_while_the_endpoint_is_down_calls_go_on_and_later_all_is_done(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialer.flows.transcripts.LONGEST_PAUSE", 0.05)
    chat = Chat([GOOD])
    async with chat:
        pass  # its port is known, and nobody listens there
    chat.url = f"http://127.0.0.1:{chat.port}/v1"
    script = quick(answer=0.7, transcripts=("Forty-one, I would say.",))
    async with engine(database_url, redis_url, script) as e, AsyncExitStack() as stack:
        where = await seed(e.pool, contacts=20, concurrency=8, max_attempts=1)
        field = "insert into custom_fields (team_id, key, label, type, extractable) values ($1, 'size', 's', 'number', true)"
        await e.pool.execute(field, where.team)
        duty = await stack.enter_async_context(asking(settings(chat), e.pool, SystemClock()))
        assert duty is not None
        e.duties.start("transcripts", repeat("transcripts", 0.05, duty.ask, SystemClock(), e.duties.stop))
        await e.until("select status = 'completed' from campaigns where id = $1", where.campaign)
        people = {each.to for each in e.carrier.journal.entries.values() if each.answered_by == "human"}
        assert len(people) > 5
        await e.until("select count(*) = $1 from transcripts", len(people))
        await e.pool.execute("update transcripts set due_at = now() where outcome is null")
        await e.until("select count(*) > 0 from transcripts where fault like '%not reached%'")
        assert await e.pool.fetchval("select count(*) from transcripts where outcome is not null") == 0
        await stack.enter_async_context(chat)
        await e.until("select count(*) = $1 from extractions where judged_at is not null", len(people))
        sizes = await e.pool.fetch("select phone, custom_fields from contacts where custom_fields <> '{}'")
        assert {row["phone"]: row["custom_fields"] for row in sizes} == {phone: {"size": 41} for phone in people}
        await nothing_left(e.pool)
        await laws_hold(e.pool)
        await carrier_agrees(e.pool, e.carrier)
