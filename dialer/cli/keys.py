"""`dialer key …`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.cli.context import ConfigOption, JsonOption, on_house

if TYPE_CHECKING:
    from dialer.app import House
    from dialer.domain.keys import ApiKey

app = typer.Typer(help="API keys: shown once, stored only as a hash.", no_args_is_help=True)
TeamArgument = Annotated[str, typer.Argument(help="Id or name of the team.")]


@app.command()
def create(
    team: TeamArgument,
    name: Annotated[str, typer.Option(help="Whoever gets it.")] = "default",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it may do, such as contacts:read or campaigns:run; repeat for several; everything if left out."),
    ] = None,
    days: Annotated[int | None, typer.Option(help="Days until it expires; never if left out.", min=1)] = None,
    test: Annotated[bool, typer.Option("--test", help="A key that begins with tk_test_ instead of tk_live_.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Create a key. It is printed once and cannot be shown again."""
    from dialer.cli.output import print_fields, print_json
    from dialer.flows.teams import create_key, find_team

    async def work(h: House) -> tuple[str, ApiKey]:
        found = await find_team(h.database, team)
        expires = None if days is None else h.clock.now() + timedelta(days=days)
        return await create_key(
            h.database, team_id=found.id, name=name, now=h.clock.now(), scopes=scope or ["*"], expires_at=expires, live=not test
        )

    key, kept = on_house(config, work)
    fields = {"key": key, "id": kept.id, "team_id": kept.team_id, "scopes": " ".join(kept.scopes), "expires_at": kept.expires_at}
    (print_json if json else print_fields)(fields)


@app.command("list")
def list_(team: TeamArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """The keys of a team, without the keys themselves."""
    from dialer.cli.output import print_json, print_table
    from dialer.flows.teams import find_team, list_keys

    async def work(h: House) -> list[ApiKey]:
        return await list_keys(h.database, (await find_team(h.database, team)).id)

    keys = on_house(config, work)
    columns = ("id", "name", "prefix", "scopes", "expires_at", "revoked_at")
    rows = [(k.id, k.name, k.prefix, " ".join(k.scopes), k.expires_at, k.revoked_at) for k in keys]
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key.")], config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Revoke a key: no process accepts it any more."""
    from dialer.cli.output import print_fields, print_json
    from dialer.flows.teams import revoke_key

    kept = on_house(config, lambda h: revoke_key(h.database, key_id=key_id, now=h.clock.now()))
    (print_json if json else print_fields)({"id": kept.id, "revoked_at": kept.revoked_at})
