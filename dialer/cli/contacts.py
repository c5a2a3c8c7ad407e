"""`dialer contacts …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.cli.context import ConfigOption, Failed, JsonOption, on_means

if TYPE_CHECKING:
    from dialer.api.context import ApiContext
    from dialer.flows.importing import ImportResult

app = typer.Typer(help="Contacts: people to be called.", no_args_is_help=True)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV file, UTF-8, with a header row; needs first name, last name and phone.")],
    team: Annotated[str, typer.Option(help="Id or name of the team.")],
    duplicates: Annotated[str, typer.Option(help="Of numbers the team has already: skip, update or replace.")] = "skip",
    companies: Annotated[bool, typer.Option("--companies", help="Create companies that do not exist.")] = False,
    delimiter: Annotated[str, typer.Option(help="What separates the columns.")] = ",",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, keep nothing.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Import a list of contacts. Rejected rows are shown with the reason."""
    from dialer.cli.output import print_json
    from dialer.flows.importing import ImportOptions, import_contacts
    from dialer.flows.teams import find_team

    if not file.is_file():
        raise Failed(f"{file}: there is no such file")
    if duplicates not in ("skip", "update", "replace"):
        raise Failed(f"--duplicates {duplicates}: is none of skip, update, replace")
    options = ImportOptions(
        duplicate_mode=duplicates,  # type: ignore[arg-type]
        auto_create_companies=companies,
        delimiter=delimiter.replace("\\t", "\t"),
        dry_run=dry_run,
    )

    def shown(source: Any, context: ApiContext, team_id: str) -> Any:
        from dialer.cli.output import progress_over

        watching = progress_over(file.stat().st_size, source.tell, "rows", silent=json)
        return import_contacts(context, team_id, "cli", source, options, name=file.name, progress=watching)

    async def work(context: ApiContext) -> ImportResult:
        found = await find_team(context.database, team)
        result: ImportResult = await shown(source, context, found.id)
        return result

    try:
        source = file.open("rb")
    except OSError as fault:
        raise Failed(f"{file}: cannot be read ({fault.strerror})") from None
    with source:
        result = on_means(config, work)
    counts = {
        "total": result.total,
        "imported": result.imported,
        "updated": result.updated,
        "skipped": result.skipped,
        "failed": result.failed,
        "batch_id": result.batch_id,
    }
    if json:
        errors = [{"row": e.row, "field": e.field, "message": e.message} for e in result.errors]
        print_json(counts | {"errors": errors, "dry_run": dry_run})
        return
    from dialer.cli.output import print_fields, print_table

    print_fields(counts)
    if result.errors:
        print_table(("row", "field", "why"), [(e.row, e.field, e.message) for e in result.errors], title="\nRejected")


@app.command()
def locate(
    team: Annotated[str, typer.Option(help="Id or name of the team.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Work out anew where contacts are, zones and regions, by their own words and by what is known of numbers today."""
    from dialer.cli.output import print_fields, print_json
    from dialer.flows.relocate import locate_contacts
    from dialer.flows.teams import find_team

    async def work(context: ApiContext) -> dict[str, int]:
        seen: list[int] = [0]
        found = await find_team(context.database, team)
        moved = await locate_contacts(context, found.id, "cli", seen.append)
        return {"contacts": seen[-1], "moved": moved}

    (print_json if json else print_fields)(on_means(config, work))
