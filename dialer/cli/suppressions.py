"""`dialer suppression …`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.cli.context import ConfigOption, Failed, JsonOption, on_means

if TYPE_CHECKING:
    from dialer.api.context import ApiContext
    from dialer.store.suppression_lists import Where

app = typer.Typer(help="Suppressions: numbers that are never called.", no_args_is_help=True)
TeamOption = Annotated[str | None, typer.Option(help="Id or name of the team whose entries are meant.")]
GlobalOption = Annotated[bool, typer.Option("--global", help="The entries that hold for every team.")]
CampaignOption = Annotated[str | None, typer.Option(help="Id of the only campaign they hold in.")]
ReasonOption = Annotated[str | None, typer.Option(help="Why.")]
SourceOption = Annotated[str | None, typer.Option(help="Where it comes from.")]
UntilOption = Annotated[
    datetime | None, typer.Option(help="Until when, in UTC; for ever if left out.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"])
]
SHOWN = ("id", "phone_number", "scope", "campaign_id", "reason", "source", "expires_at", "created_at")


def _work(
    config: Path | None,
    team: str | None,
    everybody: bool,
    campaign: str | None,
    work: Callable[[ApiContext, Where], Coroutine[Any, Any, Any]],
) -> Any:
    """Run `work(context, where)` for the entries that are meant."""
    if (team is None) != everybody:
        raise Failed("say whose entries are meant: --team TEAM, or --global for those that hold for every team")
    if everybody and campaign is not None:
        raise Failed("--campaign: an entry that holds in one campaign is of a team; leave out --global")

    async def run(context: ApiContext) -> Any:
        from dialer.flows.teams import find_team
        from dialer.store.suppression_lists import Where

        found = None if team is None else (await find_team(context.database, team)).id
        scope = "global" if found is None else "team" if campaign is None else "campaign"
        return await work(context, Where(scope, found, campaign))  # type: ignore[arg-type]

    return on_means(config, run)


def _utc(until: datetime | None) -> datetime | None:
    return None if until is None else until.replace(tzinfo=UTC)


@app.command()
def add(
    number: Annotated[str, typer.Argument(help="The phone number; with its country code where it is not of the team's country.")],
    team: TeamOption = None,
    everybody: GlobalOption = False,
    campaign: CampaignOption = None,
    reason: ReasonOption = None,
    source: SourceOption = None,
    until: UntilOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Never call a number; when this returns, no call to it starts."""
    from dialer.cli.output import print_fields, print_json

    async def work(context: ApiContext, where: Where) -> Any:
        from dialer.flows.suppressions import suppress
        from dialer.store.suppressions import Entry

        entry = Entry(where.scope, where.team, where.campaign, number, reason, source, _utc(until))
        return await suppress(context, "cli", entry)

    row = _work(config, team, everybody, campaign, work)
    (print_json if json else print_fields)({name: row[name] for name in SHOWN})


@app.command("list")
def list_(
    team: TeamOption = None,
    everybody: GlobalOption = False,
    campaign: CampaignOption = None,
    number: Annotated[str | None, typer.Option(help="Only entries of this number.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """The newest 500 entries."""
    from dialer.cli.output import print_json, print_table

    async def work(context: ApiContext, where: Where) -> Any:
        from dialer.flows.suppressions import list_suppressions

        return await list_suppressions(context.database, where.team, number=number, campaign=campaign, limit=500)

    rows, count = _work(config, team, everybody, campaign, work)
    if json:
        print_json([{name: row[name] for name in SHOWN} for row in rows])
        return
    print_table(SHOWN, [tuple(row[name] for name in SHOWN) for row in rows])
    if count > len(rows):
        print(f"{count - len(rows)} more; `dialer suppression export` writes all of them")


@app.command()
def remove(
    suppression: Annotated[str, typer.Argument(help="Id of the entry.")],
    team: TeamOption = None,
    everybody: GlobalOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Let a number be called again. Contacts that were skipped because of it stay skipped."""
    from dialer.cli.output import print_fields, print_json

    async def work(context: ApiContext, where: Where) -> Any:
        from dialer.flows.suppressions import lift

        return await lift(context, where.team, "cli", suppression)

    row = _work(config, team, everybody, None, work)
    (print_json if json else print_fields)({name: row[name] for name in SHOWN})


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV file, UTF-8, whose header names a column phone_number.")],
    team: TeamOption = None,
    everybody: GlobalOption = False,
    campaign: CampaignOption = None,
    reason: ReasonOption = None,
    source: SourceOption = None,
    until: UntilOption = None,
    delimiter: Annotated[str, typer.Option(help="What separates the columns.")] = ",",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Never call the numbers of a list; when this returns, no call to them starts. Rows without a good number are shown."""
    from dialer.cli.output import print_fields, print_json, print_table, progress_over
    from dialer.flows.suppression_lists import ListOptions, import_suppressions

    if not file.is_file():
        raise Failed(f"{file}: there is no such file")
    marks = {"reason": reason, "source": source, "expires_at": _utc(until), "delimiter": delimiter.replace("\\t", "\t")}
    options = ListOptions(**marks)  # type: ignore[arg-type]
    try:
        opened = file.open("rb")
    except OSError as fault:
        raise Failed(f"{file}: cannot be read ({fault.strerror})") from None
    with opened:

        async def work(context: ApiContext, where: Where) -> Any:
            watching = progress_over(file.stat().st_size, opened.tell, "rows", silent=json)
            return await import_suppressions(context, "cli", where, opened, options, progress=watching)

        result = _work(config, team, everybody, campaign, work)
    counts = {name: getattr(result, name) for name in ("total", "imported", "updated", "failed", "stopped")}
    if json:
        print_json(counts | {"errors": [{"row": e.row, "field": e.field, "message": e.message} for e in result.errors]})
        return
    print_fields(counts)
    if result.errors:
        print_table(("row", "field", "why"), [(e.row, e.field, e.message) for e in result.errors], title="\nRejected rows")


@app.command()
def export(
    team: TeamOption = None,
    everybody: GlobalOption = False,
    campaign: CampaignOption = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; standard output if left out.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """All entries as CSV, newest first; it can be imported again. With --json, what was written (needs --output)."""
    from dialer.cli.output import say_written, write_csv

    async def work(context: ApiContext, where: Where) -> int:
        from dialer.flows.suppression_lists import suppressions_csv

        narrowed = where if where.scope == "campaign" else None
        return await write_csv(await suppressions_csv(context.database, where.team, narrowed), output)

    if json and output is None:
        raise Failed("--json: name the file with --output, so that the CSV does not mix with the answer")
    say_written(_work(config, team, everybody, campaign, work), output, json)
