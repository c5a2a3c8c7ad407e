"""`dialer campaign …`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.cli.context import ConfigOption, Failed, JsonOption, on_means

if TYPE_CHECKING:
    from dialer.api.context import ApiContext

app = typer.Typer(help="Campaigns: who is called, when, and by whom.", no_args_is_help=True)
CampaignArgument = Annotated[str, typer.Argument(help="Id of the campaign.")]
HangUpOption = Annotated[bool, typer.Option("--hang-up", help="End the calls that are under way; otherwise they finish.")]
LOOK_SECONDS = 0.5
SUMMARY = (
    "id",
    "name",
    "status",
    "pause_reason",
    "total_contacts",
    "contacts_called",
    "contacts_completed",
    "contacts_answered",
)


def _work(config: Path | None, campaign: str, work: Callable[[ApiContext, str], Coroutine[Any, Any, Any]]) -> Any:
    """Run `work(context, team id)` for the team whose campaign it is."""
    from dialer.store.reports import team_of_campaign

    async def run(context: ApiContext) -> Any:
        team = await team_of_campaign(context.database.pool, campaign)
        if team is None:
            raise Failed(f"campaign {campaign}: there is none with this id; `dialer campaign list --team …` shows them")
        return await work(context, team)

    return on_means(config, run)


def _summary(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in SUMMARY}


def _answer(row: Mapping[str, Any], json: bool) -> None:
    from dialer.cli.output import print_fields, print_json

    (print_json if json else print_fields)(_summary(row))


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    team: Annotated[str, typer.Option(help="Id or name of the team.")],
    assistant: Annotated[str, typer.Option(help="Id of the assistant who speaks.")],
    number: Annotated[list[str], typer.Option(help="Id of a caller ID; repeat for several.")],
    window: Annotated[str, typer.Option(help="Every day's call window in the contact's zone, HH:MM-HH:MM.")] = "09:00-17:00",
    timezone: Annotated[str, typer.Option(help="IANA zone that --campaign-zone reads it in.")] = "America/New_York",
    campaign_zone: Annotated[bool, typer.Option("--campaign-zone", help="Read the window in --timezone for everybody.")] = False,
    holidays: Annotated[
        str | None, typer.Option(help="Call nobody on the public holidays of a country or a part of it, such as US or US-AL.")
    ] = None,
    end_at: Annotated[
        str | None,
        typer.Option(help="Call nobody from this time on, ISO 8601 such as 2026-12-31T17:00:00Z; the campaign pauses."),
    ] = None,
    expiry_days: Annotated[
        int | None, typer.Option(help="Days after its enrolment from which on a contact is not called any more.", min=1, max=3650)
    ] = None,
    policy_packs: Annotated[
        str | None, typer.Option("--policy-packs", help="Ids of policy packs, with commas; they come on top of the team's.")
    ] = None,
    sticky: Annotated[bool, typer.Option(help="Show whoever was called before the same number again, while it has room.")] = True,
    local_presence: Annotated[
        bool, typer.Option("--local-presence", help="Show a number of the callee's own area code, while one has room.")
    ] = False,
    concurrency: Annotated[int, typer.Option(help="Most calls at once.", min=1)] = 3,
    attempts: Annotated[int, typer.Option(help="Most attempts per contact, the first included.", min=1, max=50)] = 3,
    retry_minutes: Annotated[int, typer.Option(help="Minutes until the next attempt.", min=0, max=10080)] = 60,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Any setting of the API, its value in JSON or as text, such as ringTimeoutSeconds=20 or "
            "'frequencyCaps=[\"3-in-24-hours\"]'; repeat for several.",
        ),
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Create a campaign as a draft."""
    from dialer.cli.settings_given import settings_given
    from dialer.flows.campaigns.create import NewCampaign, create_campaign
    from dialer.flows.campaigns.settings import STORED_AS, UNDERSTOOD
    from dialer.flows.teams import find_team

    start, dash, end = window.partition("-")
    if not dash:
        raise Failed(f"--window {window}: write it as HH:MM-HH:MM, such as 09:00-17:00")
    options = {
        "useContactTimezoneForCallWindow": False if campaign_zone else None,
        "holidayCalendar": holidays,
        "scheduledEndAt": end_at,
        "contactExpiryDays": expiry_days,
        "policyPacks": None if policy_packs is None else [id.strip() for id in policy_packs.split(",")],
        "callerIdSticky": None if sticky else False,
        "localPresence": local_presence or None,
    }
    new = NewCampaign(
        name=name,
        assistant_id=assistant,
        from_number_ids=tuple(number),
        call_window_start=start,
        call_window_end=end,
        call_window_timezone=timezone,
        max_concurrent_calls=concurrency,
        max_attempts_per_contact=attempts,
        retry_delay_minutes=retry_minutes,
        settings=settings_given(setting or (), options, {*STORED_AS, *UNDERSTOOD}),
    )

    async def work(context: ApiContext) -> Mapping[str, Any]:
        found = await find_team(context.database, team)
        return await create_campaign(context.database, context.clock, found.id, "cli", new)

    _answer(on_means(config, work), json)


@app.command("list")
def list_(
    team: Annotated[str, typer.Option(help="Id or name of the team.")], config: ConfigOption = None, json: JsonOption = False
) -> None:
    """The newest 500 campaigns of a team."""
    from dialer.cli.output import print_json, print_table
    from dialer.flows.campaigns.look import list_campaigns
    from dialer.flows.teams import find_team

    async def work(context: ApiContext) -> list[dict[str, Any]]:
        found = await find_team(context.database, team)
        rows, _ = await list_campaigns(context.database, found.id, limit=500, offset=0)
        return [_summary(row) for row in rows]

    rows = on_means(config, work)
    if json:
        print_json(rows)
    elif rows:
        print_table(tuple(rows[0]), [tuple(row.values()) for row in rows])


@app.command()
def add(
    campaign: CampaignArgument,
    contact: Annotated[list[str] | None, typer.Option(help="Id of a contact; repeat for several.")] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="All contacts of the team that may be called.")] = False,
    tag: Annotated[list[str] | None, typer.Option(help="Only contacts with one of these tags.")] = None,
    search: Annotated[str | None, typer.Option(help="Only contacts whose name, mail or number has this in it.")] = None,
    most: Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)] = 50_000,
    priority: Annotated[int, typer.Option(help="0–99; higher is called first.", min=0, max=99)] = 0,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Enrol contacts."""
    from dialer.cli.output import print_json
    from dialer.flows.enrolment import enrol_audience, enrol_contacts
    from dialer.store.enrolments import Audience

    if bool(contact) == (everybody or bool(tag) or bool(search)):
        raise Failed("name contacts with --contact, or choose them with --everybody, --tag or --search")
    audience = Audience(search=search, tags=tuple(tag or ()), most=most)

    async def work(context: ApiContext, team: str) -> Any:
        if contact:
            return await enrol_contacts(context, team, "cli", campaign, contact, priority)
        return await enrol_audience(context, team, "cli", campaign, audience, priority)

    done = _work(config, campaign, work)
    if json:
        print_json({"added": done.added, "skipped": done.skipped, "invalid": list(done.invalid)})
    else:
        print(done.message)


@app.command()
def callback(
    campaign: CampaignArgument,
    contact: Annotated[str, typer.Argument(help="The contact, by its id or its enrolment's.")],
    at: Annotated[str | None, typer.Option(help="When, ISO 8601 with its zone such as 2026-12-31T17:00:00Z.")] = None,
    tolerance: Annotated[
        int | None, typer.Option(help="Minutes after it in which the call still makes sense.", min=1, max=1440)
    ] = None,
    missed: Annotated[
        str | None, typer.Option(help="What if it could not be made by then: retry_normally, skip or call_anyway.")
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the callback back.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Call a contact of a campaign at a time that was asked for, before all others."""
    from dialer.cli.output import print_fields, print_json
    from dialer.domain.campaign import Missed
    from dialer.flows import callbacks

    if withdraw == (at is not None):
        raise Failed("name the time with --at, or take the callback back with --withdraw")
    if missed is not None and missed not in tuple(Missed):
        raise Failed(f"--missed {missed}: write one of {', '.join(Missed)}")
    when = None if at is None else _instant(at)

    async def work(context: ApiContext, team: str) -> Any:
        if when is None:
            return await callbacks.withdraw(context, team, "cli", campaign, contact)
        return await callbacks.call_back(
            context,
            team,
            "cli",
            campaign,
            contact,
            when,
            tolerance=None if tolerance is None else timedelta(minutes=tolerance),
            missed=None if missed is None else Missed(missed),
        )

    done = asdict(_work(config, campaign, work))
    if json:
        print_json(done)
    else:
        print_fields(done)


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Failed(f"--at {text}: is no time with its zone; write it as UTC such as 2026-12-31T17:00:00Z")
    return at.astimezone(UTC)


@app.command()
def run(
    campaign: CampaignArgument,
    max_calls: Annotated[int | None, typer.Option(help="Most calls that this run starts.", min=1)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide, and place and write nothing.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Start or resume a campaign. Says who cannot be called now, and why."""
    from dialer.cli.output import print_json
    from dialer.flows.campaigns.run import run_campaign

    done = _work(config, campaign, lambda c, team: run_campaign(c, team, "cli", campaign, max_calls=max_calls, dry_run=dry_run))
    if json:
        print_json({"started": done.started, "failed": done.failed, "errors": list(done.errors), "dry_run": done.dry_run})
        return
    print(done.message)
    for error in done.errors:
        print(f"  {error}")
    if dry_run:
        from dialer.cli.explaining import print_preflight
        from dialer.flows.campaigns.survey import preflight_of

        print()
        print_preflight(_work(config, campaign, lambda c, team: preflight_of(c, team, campaign)), False)


@app.command()
def preflight(campaign: CampaignArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Count who could be called now, later and never, and estimate the end. Places and writes nothing."""
    from dialer.cli.explaining import print_preflight
    from dialer.flows.campaigns.survey import preflight_of

    print_preflight(_work(config, campaign, lambda c, team: preflight_of(c, team, campaign)), json)


@app.command()
def explain(
    campaign: CampaignArgument,
    contact: Annotated[str | None, typer.Option(help="Only this contact of the campaign, by its id or its enrolment's.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Why is it not dialling? What the campaign and its contacts wait for, until when, and what can be done about it."""
    from dialer.cli import explaining
    from dialer.flows.campaigns.survey import explain as explain_campaign
    from dialer.flows.campaigns.survey import explain_contact

    if contact is not None:
        row = _work(config, campaign, lambda c, team: explain_contact(c, team, campaign, contact))
        explaining.print_contact(row, campaign, json)
    else:
        explaining.print_campaign(_work(config, campaign, lambda c, team: explain_campaign(c, team, campaign)), json)


@app.command()
def pause(
    campaign: CampaignArgument, hang_up: HangUpOption = False, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Stop dialling; when this returns, no new call starts."""
    from dialer.flows.campaigns.stop import InFlight, pause_campaign

    how = InFlight.HANG_UP if hang_up else InFlight.FINISH
    _answer(_work(config, campaign, lambda c, team: pause_campaign(c, team, "cli", campaign, how)), json)


@app.command()
def resume(campaign: CampaignArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Go on with a paused campaign."""
    from dialer.flows.campaigns.stop import resume_campaign

    _answer(_work(config, campaign, lambda c, team: resume_campaign(c, team, "cli", campaign)), json)


@app.command()
def cancel(
    campaign: CampaignArgument, hang_up: HangUpOption = False, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """End a campaign for good; when this returns, no new call starts."""
    from dialer.flows.campaigns.stop import InFlight, cancel_campaign

    how = InFlight.HANG_UP if hang_up else InFlight.FINISH
    _answer(_work(config, campaign, lambda c, team: cancel_campaign(c, team, "cli", campaign, how)), json)


@app.command()
def status(campaign: CampaignArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Counts, pace, and what the next contacts wait for."""
    from dialer.cli.output import print_fields, print_json, print_table
    from dialer.flows.campaigns.dashboard import dashboard_of

    board = _work(config, campaign, lambda c, team: dashboard_of(c, team, campaign, pending=5))
    if json:
        shown = {"campaign": _summary(board.campaign), "counts": board.counts, "pace": board.pace, "queue": board.queue}
        print_json(shown)
        return
    print_fields(_summary(board.campaign) | board.counts["by_status"] | board.pace)
    waiting = [(row["id"], waits["reason"], waits["until"]) for row in board.queue["pending"] if (waits := row["waiting_for"])]
    if waiting:
        print_table(("next", "waits for", "until"), waiting, title="\nWaiting")


@app.command()
def watch(campaign: CampaignArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Live progress until the campaign runs no more. With --json, one line each half second."""
    from dialer.cli.output import print_json
    from dialer.cli.screen import screen
    from dialer.flows.campaigns.dashboard import dashboard_of

    async def work(context: ApiContext, team: str) -> Mapping[str, Any]:
        with screen(silent=json) as watching:
            while True:
                board = await dashboard_of(context, team, campaign, pending=1, calling=1, recent=1)
                watching.show({"counts": board.counts})
                if json:
                    print_json({"status": board.campaign["status"], "counts": board.counts, "pace": board.pace})
                if board.campaign["status"] not in ("running", "scheduled"):
                    return board.campaign
                await context.clock.sleep(LOOK_SECONDS)

    row = _work(config, campaign, work)
    if not json:
        _answer(row, json)


@app.command()
def export(
    campaign: CampaignArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; standard output if left out.")] = None,
    bom: Annotated[bool, typer.Option("--bom", help="Begin with the byte order mark by which Excel knows UTF-8.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """The results as CSV, one row per contact. With --json, what was written (needs --output)."""
    from dialer.cli.output import say_written, write_csv
    from dialer.flows.campaigns.export import results_csv

    async def work(context: ApiContext, team: str) -> int:
        return await write_csv(await results_csv(context.database, team, campaign, mark=bom), output)

    if json and output is None:
        raise Failed("--json: name the file with --output, so that the CSV does not mix with the answer")
    say_written(_work(config, campaign, work), output, json)
