"""`dialer campaign explain` for each reason that there is: whoever has never seen the source is told why nobody is called, until
when, by which rule, and what to do about it. As text and as JSON; of whole campaigns, and of single contacts."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime
from typing import Any

import pytest
import typer

from adapters.events import Outcome
from dialer.cli.main import app
from dialer.cli.reasons import AFTER, ENDINGS, SAID, WAITING
from dialer.domain.preflight import Reason
from dialer.flows.campaigns.facts import GIVEN_UP
from dialer.store.database import Database
from tests.integration.cli.conftest import Shell
from tests.integration.cli.every_reason import CASES, SOME, Build, made
from tests.support.desk import Desk, open_desk
from tests.support.laws import laws_hold
from tests.support.story import end_all

Explain = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def command() -> Any:
    return typer.main.get_command(app)


@pytest.fixture
def explain(command: Any, dialer: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Explain]:
    """`dialer campaign explain …` in this process, which takes a fifth of the time; what it printed."""
    for name, value in dialer.environ.items():
        monkeypatch.setenv(name, value)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def run(arguments: tuple[str, ...]) -> str:
        printed = io.StringIO()
        with redirect_stdout(printed):
            command.main(["campaign", "explain", *arguments], prog_name="dialer", standalone_mode=False)
        return printed.getvalue()

    async def explain(*arguments: str) -> str:
        said = await asyncio.to_thread(run, arguments)
        print(f"$ dialer campaign explain {' '.join(arguments)}\n{said}")
        return said

    yield explain
    root.handlers, root.level = handlers, level


@pytest.fixture
async def desk(database: Database, redis_url: str) -> AsyncIterator[Desk]:
    """At this hour, which is also that of the command."""
    async with open_desk(database, redis_url, datetime.now(UTC).replace(microsecond=0)) as opened:
        yield opened
    await laws_hold(database.pool)


def test_no_reason_is_left_out() -> None:
    assert {reason for reason, _ in CASES} == set(Reason) == set(SAID)
    assert set(WAITING) | set(AFTER) >= set(Reason)
    assert set(GIVEN_UP) <= set(AFTER) and set(GIVEN_UP) <= {*SAID, *ENDINGS}


@pytest.mark.parametrize(("reason", "build"), CASES, ids=[f"{reason}-{build.__name__}" for reason, build in CASES])
async def test_it_is_told_with_what_to_do(desk: Desk, explain: Explain, reason: Reason, build: Build) -> None:
    shown = await build(desk)
    of = (shown.campaign,) if shown.contact is None else (shown.campaign, "--contact", shown.contact)
    text = await explain(*of)
    told = json.loads(await explain(*of, "--json"))
    waits = told["waiting_for"]
    if reason is Reason.ENDED:
        assert (waits, told["campaign_status"]) == (None, "cancelled")
    else:
        assert (waits["reason"], waits.get("rule")) == (reason, shown.rule)
        until = None if waits["until"] is None else datetime.fromisoformat(waits["until"])
        assert until == shown.until or (shown.until is SOME and until is not None and until > datetime.now(UTC))
        assert until is None or f", until {until:%Y-%m-%dT%H:%M:%SZ}\n" in text
    lines = {name.strip(): value for name, _, value in (line.partition("  ") for line in text.splitlines())}
    assert lines["reason"].strip() == reason and lines["what to do"].strip() and lines["not called"].strip()
    if shown.rule not in (None, "campaign"):
        assert f", by {shown.rule}" in text
    for words in shown.said:
        assert words in text
    if shown.contact is not None:
        assert reason in await explain(shown.campaign), "the campaign tells that there are such contacts"


async def test_a_campaign_whose_contacts_are_called_and_then_all_of_them_called_to_the_end(desk: Desk, explain: Explain) -> None:
    [who] = people = await desk.people(1)
    campaign = await made(desk, people, settings={"noAutoComplete": True})
    await desk.run(campaign)
    assert "nothing: its calls are under way" in await explain(campaign)
    assert "nothing: its call is about to be placed" in await explain(campaign, "--contact", who)
    await end_all(desk, Outcome.ANSWERED)
    said = await explain(campaign)
    assert "no contact of it waits for a call" in said and f"`dialer campaign add {campaign}` adds contacts" in said
    assert "called to the end: answered" in said
    assert "called to the end: answered" in await explain(campaign, "--contact", who)
    assert json.loads(await explain(campaign, "--json"))["endings"] == [
        {"status": "completed", "reason": "answered", "contacts": 1}
    ]


async def test_what_can_be_done_for_those_who_are_called_no_more(desk: Desk, explain: Explain) -> None:
    [who, _] = people = await desk.people(2)
    campaign = await made(desk, people, maxAttemptsPerContact=1, maxConcurrentCalls=1)
    await desk.run(campaign)
    await end_all(desk, Outcome.BUSY)
    for said in (await explain(campaign), await explain(campaign, "--contact", who)):
        assert f"nothing; or `dialer campaign callback {campaign} CONTACT --at TIME` calls it once more" in said
