"""The demo, step by step, as another service would do it: over HTTP, with a key."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from datetime import UTC, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from dialer.cli.context import Failed, JsonOption, end_in_order, migrate_now
from dialer.cli.screen import Screen, screen
from scheduler.clock import SystemClock

if TYPE_CHECKING:
    from dialer.cli.demo.stage import Stage

LIST = Path(str(files("dialer"))).parent / "deploy" / "demo" / "contacts.csv"
CALLER_IDS = ("+14155552671", "+442071838750", "+4930901820")
SHUT_CONTACTS = 10
LOOK_SECONDS = 1.0
Answer: TypeAlias = dict[str, Any]
FEW = {"limitPending": "1", "limitCalling": "1", "limitCalls": "1"}


def install(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    contacts: Annotated[
        int | None, typer.Option(help="Make up so many contacts instead of reading a list.", min=1, max=100_000)
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Most calls at once.", min=1, max=2000)] = 25,
    call_seconds: Annotated[float, typer.Option(help="How long a call lasts on average.", min=0.05, max=600)] = 2.0,
    answer_rate: Annotated[float, typer.Option(help="Share of calls that somebody answers.", min=0, max=1)] = 0.45,
    seed: Annotated[int, typer.Option(help="The same seed, the same behaviour of everybody called.")] = 7,
    csv: Annotated[Path | None, typer.Option(help="Your own list, as for contacts import; the built-in one if left out.")] = None,
    json: JsonOption = False,
) -> None:
    """Dial a list of contacts to its end. Everything runs on this machine, the carrier is simulated, and nothing stays behind."""
    from dialer.cli.demo.stage import configure, stage
    from dialer.embedded import EmbeddedServers
    from dialer.telemetry import configure as configure_logging

    end_in_order()
    configure_logging("warning", "text", "demo")
    for name in [name for name in os.environ if name.startswith("DIALER_")]:
        del os.environ[name]  # the demo's processes shall not meet an operator's real configuration

    if csv is not None and not csv.is_file():
        raise Failed(f"--csv {csv}: there is no such file")

    async def run(directory: Path, servers: EmbeddedServers, endpoints: Any) -> tuple[Answer, Answer]:
        settings, config = configure(directory, endpoints, behaviour(answer_rate, call_seconds, seed))
        await asyncio.to_thread(migrate_now, settings)
        people = csv or LIST
        if contacts is not None:
            from dialer.cli.demo.people import write

            people = directory / "contacts.csv"
            write(people, contacts, seed)
        async with stage(directory, servers, settings, config) as running:
            with screen(silent=json) as watching:
                return await perform(running, people, concurrency, watching)

    with tempfile.TemporaryDirectory(prefix="dialer-demo-") as directory:
        servers = EmbeddedServers(Path(directory) / "stores")
        with servers as endpoints:
            result, imported = asyncio.run(run(Path(directory), servers, endpoints))
    if json:
        from dialer.cli.output import print_json

        print_json(result)
    else:
        from dialer.cli.demo.report import show_import, show_result

        show_result(result)
        show_import(imported)
    broken = [law for law in ("dialled_twice", "outside_window", "open_enrolments", "recount_disagreements") if result[law]]
    if broken or result["campaign_status"] != "completed" or result["max_in_flight"] > concurrency:
        raise Failed(f"the demo broke a law or did not end: {', '.join(broken) or result['campaign_status']}")


def behaviour(answer_rate: float, call_seconds: float, seed: int) -> object:
    """A carrier whose calls last `call_seconds` on average, answered or not."""
    from adapters.simulated.carrier.script import Script, Span

    rest = 1 - answer_rate

    def around(share: float) -> Span:
        return Span(call_seconds * share * 0.5, call_seconds * share * 1.5)

    return Script(
        seed=seed,
        answer=answer_rate,
        voicemail=rest * 0.3,
        busy=rest * 0.2,
        declined=rest * 0.08,
        invalid=rest * 0.02,
        unreachable=0.0,
        setup=around(0.05),
        ring=around(0.25),
        patience=around(0.95),
        talk=around(0.7),
    )


async def perform(stage: Stage, people: Path, concurrency: int, watching: Screen) -> tuple[Answer, Answer]:
    """The whole demo: what it measured, and what the import answered."""
    clock = SystemClock()
    team, assistant, numbers = await _cast(stage)
    answer = await _import(stage, team, people)
    parts = {"teamId": team, "assistantId": assistant, "fromNumberIds": numbers}
    opens = clock.now().astimezone(UTC) + timedelta(hours=3)
    shut = await _campaign(
        stage,
        **parts,
        name="Shut at this hour",
        callWindowStart=opens.strftime("%H:%M"),
        callWindowEnd=(opens + timedelta(hours=1)).strftime("%H:%M"),
        callWindowTimezone="UTC",
        settings={"useContactTimezoneForCallWindow": False},
    )
    await _enrol(stage, shut, team, most=SHUT_CONTACTS)
    await stage.call("POST", f"campaigns/{shut}/run", json={})
    main = await _campaign(
        stage,
        **parts,
        name="Spring",
        callWindowStart="00:00",
        callWindowEnd="24:00",
        maxConcurrentCalls=concurrency,
        maxAttemptsPerContact=3,
        retryDelayMinutes=0,
    )
    await _enrol(stage, main, team)
    started = clock.monotonic()
    await stage.call("POST", f"campaigns/{main}/run", json={})
    status = await _watch(stage, main, watching)
    seconds = clock.monotonic() - started
    waiting = await stage.call("GET", f"campaigns/{shut}/contacts")
    return await _result(stage, main, shut, answer, waiting, status, concurrency, seconds), answer


async def _cast(stage: Stage) -> tuple[str, str, list[str]]:
    """A team with a key, an assistant and caller IDs."""
    from dialer.flows.teams import create_key, create_team
    from dialer.store.database import Database

    assert stage.settings.database.url is not None
    async with await Database.open(stage.settings.database.url.get_secret_value(), pool_size=2) as database:
        team = await create_team(database, name="Demo")
        key, _ = await create_key(database, team_id=team.id, name="demo", now=SystemClock().now())
    stage.authorise(key)
    assistant = (await stage.call("POST", "assistants", json={"teamId": team.id, "name": "Ada", "adapter": "simulated"}))[
        "assistant"
    ]
    numbers = [
        (
            await stage.call(
                "POST",
                "phone-numbers",
                json={"teamId": team.id, "phoneNumber": number, "assistantId": assistant["id"], "adapter": "simulated"},
            )
        )["phone_number"]["id"]
        for number in CALLER_IDS
    ]
    return team.id, assistant["id"], numbers


async def _import(stage: Stage, team: str, people: Path) -> Answer:
    from aiohttp import FormData

    form = FormData()
    form.add_field("teamId", team)
    form.add_field("autoCreateCompanies", "true")
    form.add_field("file", await asyncio.to_thread(people.read_bytes), filename=people.name, content_type="text/csv")
    return await stage.call("POST", "contacts/import", data=form)


async def _campaign(stage: Stage, **body: Any) -> str:
    campaign: str = (await stage.call("POST", "campaigns", json=body))["campaign"]["id"]
    return campaign


async def _enrol(stage: Stage, campaign: str, team: str, most: int | None = None) -> Answer:
    """Everybody who can be called, or the first `most`; those who said no and those without a phone are enrolled as skipped."""
    if most is not None:
        found = await stage.call(
            "GET", "contacts", params={"teamId": team, "hasPhone": "true", "doNotCall": "false", "limit": str(most)}
        )
        return await stage.call(
            "POST", f"campaigns/{campaign}/contacts", json={"contactIds": [c["id"] for c in found["contacts"]]}
        )
    audience = {"mode": "all_eligible", "hasPhoneOnly": False, "excludeDnc": False, "maxToAdd": 100_000}
    return await stage.call("POST", f"campaigns/{campaign}/contacts", json={"audience": audience})


async def _watch(stage: Stage, campaign: str, watching: Screen) -> str:
    """The campaign's status once it runs no more. An API that is just being restarted is asked again."""
    from aiohttp import ClientError

    clock = SystemClock()
    while True:
        with contextlib.suppress(ClientError):
            dashboard = await stage.call("GET", f"campaigns/{campaign}/dashboard", params=FEW)
            watching.show(dashboard)
            status: str = dashboard["campaign"]["status"]
            if status != "running":
                return status
        await clock.sleep(LOOK_SECONDS)


async def _result(
    stage: Stage,
    main: str,
    shut: str,
    answer: Answer,
    waiting: Answer,
    status: str,
    concurrency: int,
    seconds: float,
) -> Answer:
    from adapters.simulated.carrier import verdict
    from dialer.cli.demo.report import outside_window, read_books
    from dialer.domain.campaign import rules_of
    from dialer.store import claims, recount
    from dialer.store.database import Database

    assert stage.settings.database.url is not None
    async with await Database.open(stage.settings.database.url.get_secret_value(), pool_size=2) as database:
        books = await read_books(database.pool, main)
        others = await read_books(database.pool, shut)
        wrong = await recount.scopes(database.pool) + await recount.tallies(database.pool, [main, shut])
        rules = {row["id"]: rules_of(row) for row in await claims.rules(database.pool, [main, shut])}
    entries = stage.entries()
    mine, theirs = verdict.of_campaign(entries, main), verdict.of_campaign(entries, shut)
    judged = verdict.judge(mine, concurrency)
    dashboard = await stage.call("GET", f"campaigns/{main}/dashboard")
    by_outcome = dashboard["counts"]["by_outcome"]
    waits = {row["waiting_for"]["until"] for row in waiting["contacts"] if row.get("waiting_for")}
    skipped_no_phone = dashboard["counts"]["by_status"]["skipped"] - by_outcome["do_not_call"]
    return {
        "contacts": answer["total"],
        "imported": answer["imported"],
        "rejected": answer["failed"],
        "duplicates": answer["skipped"],
        "skipped_do_not_call": by_outcome["do_not_call"],
        "skipped_no_phone": skipped_no_phone,
        "calls_placed": judged.calls,
        **books.calls,
        "retries": books.retries,
        "campaign_status": status,
        "max_in_flight": judged.max_in_flight,
        "max_concurrent_calls": concurrency,
        "dialled_twice": verdict.dialled_twice(entries),
        "outside_window": outside_window(mine, rules[main], books.places) + outside_window(theirs, rules[shut], others.places),
        "seconds": round(seconds, 1),
        "utilisation": None if judged.utilisation is None else round(judged.utilisation, 4),
        "refill_p50_ms": None if judged.refill_p50_ms is None else round(judged.refill_p50_ms, 2),
        "open_enrolments": books.open_enrolments,
        "recount_disagreements": len(wrong),
        "shut_campaign_calls": len(theirs),
        "shut_campaign_opens_at": min(waits) if waits else None,
    }
