"""`dialer team …`."""

from __future__ import annotations

from typing import Annotated

import typer

from dialer.cli.context import ConfigOption, JsonOption, on_house

app = typer.Typer(help="Teams: who owns contacts, campaigns and keys.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name, unique.")],
    region: Annotated[
        str, typer.Option(help="Two letters of the country in which numbers without a country code are read.")
    ] = "US",
    max_calls: Annotated[
        int | None, typer.Option(help="Most calls at once, over all its campaigns; no limit if left out.", min=1)
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Create a team."""
    from dialer.cli.output import print_fields, print_json
    from dialer.flows.teams import create_team

    team = on_house(config, lambda h: create_team(h.database, name=name, default_region=region, max_concurrent_calls=max_calls))
    fields = {"id": team.id, "name": team.name, "default_region": team.default_region}
    (print_json if json else print_fields)(fields)


@app.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """All teams."""
    from dialer.cli.output import print_json, print_table
    from dialer.flows.teams import list_teams

    teams = on_house(config, lambda h: list_teams(h.database))
    if json:
        print_json([{"id": t.id, "name": t.name, "default_region": t.default_region} for t in teams])
    else:
        print_table(("id", "name", "region"), [(t.id, t.name, t.default_region) for t in teams])
