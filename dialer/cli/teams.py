"""`dialer team …`."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.cli.context import ConfigOption, Failed, JsonOption, on_house, on_means

PacksOption = Annotated[
    str | None, typer.Option("--policy-packs", help='Ids of policy packs that hold for all its calls, with commas; "" for none.')
]

if TYPE_CHECKING:
    from dialer.api.context import ApiContext
    from dialer.app import House
    from dialer.store.teams import Team

app = typer.Typer(help="Teams: who owns contacts, campaigns and keys.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name, unique.")],
    region: Annotated[
        str, typer.Option(help="Two letters of the country in which numbers without a country code are read.")
    ] = "US",
    max_concurrent_calls: Annotated[
        int | None, typer.Option(help="Most calls at once, over all its campaigns; no limit if left out.", min=1)
    ] = None,
    policy_packs: PacksOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Create a team."""
    from dialer.cli.output import print_fields, print_json
    from dialer.flows.teams import create_team

    def work(h: House) -> Coroutine[Any, Any, Team]:
        return create_team(
            h.database,
            name=name,
            default_region=region,
            max_concurrent_calls=max_concurrent_calls,
            policy_packs=_ids(policy_packs or ""),
        )

    (print_json if json else print_fields)(_shown(on_house(config, work)))


def _ids(text: str) -> list[str]:
    return [id.strip() for id in text.split(",") if id.strip()]


def _shown(team: Team) -> dict[str, Any]:
    names = ("id", "name", "default_region", "max_concurrent_calls")
    return {**{name: getattr(team, name) for name in names}, "policy_packs": list(team.policy_packs)}


@app.command()
def edit(
    team: Annotated[str, typer.Argument(help="Id or name of the team.")],
    max_concurrent_calls: Annotated[
        int | None, typer.Option(help="Most calls at once, over all its campaigns. Fewer than there are ends none.", min=1)
    ] = None,
    no_limit: Annotated[bool, typer.Option("--no-limit", help="No limit of the team's own on calls at once.")] = False,
    policy_packs: PacksOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Change how many calls at once a team may have, or by which policy packs. It holds from the answer on."""
    from dialer.cli.output import print_fields, print_json
    from dialer.flows.team_packs import set_policy_packs
    from dialer.flows.teams import find_team, limit_team

    limits = no_limit + (max_concurrent_calls is not None)
    if limits > 1 or (not limits and policy_packs is None):
        raise typer.BadParameter("give --max-concurrent-calls with a number or --no-limit, or --policy-packs")

    async def work(h: ApiContext) -> Team:
        found = await find_team(h.database, team)
        if policy_packs is not None:
            found = await set_policy_packs(h, found.id, _ids(policy_packs))
        if limits:
            found = await limit_team(h.database, h.ringer, h.pause, team_id=found.id, max_concurrent_calls=max_concurrent_calls)
        return found

    (print_json if json else print_fields)(_shown(on_means(config, work)))


@app.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """All teams."""
    from dialer.cli.output import print_json, print_table
    from dialer.flows.teams import list_teams

    teams = on_house(config, lambda h: list_teams(h.database))
    if json:
        print_json([_shown(each) for each in teams])
    else:
        columns = ("id", "name", "region", "calls at once", "policy packs")
        rows = [(t.id, t.name, t.default_region, t.max_concurrent_calls or "any", ", ".join(t.policy_packs)) for t in teams]
        print_table(columns, rows)


CAP = re.compile(r"(\d+)/(\d+)h/(number|person)(/attempts|/conversations)?", re.ASCII)


@app.command()
def caps(
    team: Annotated[str, typer.Argument(help="Id or name of the team.")],
    cap: Annotated[
        list[str] | None,
        typer.Option(
            help="A cap, such as 3/24h/number for 3 calls in 24 hours to a number, 1/169h/person/conversations, or the name of a "
            "preset; repeat for several. They take the place of those before."
        ),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Take all caps away.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """How often a number or person may be called, over all campaigns and direct calls of a team; without options, show it."""
    from dialer.cli.output import print_json, print_table
    from dialer.domain.caps import caps_of
    from dialer.flows.teams import find_team, set_team_caps

    if cap and none:
        raise Failed("--none cannot go with --cap; give one of them")

    async def work(context: ApiContext) -> Team:
        found = await find_team(context.database, team)
        return await set_team_caps(context, found.id, [_cap(each) for each in cap or ()]) if cap or none else found

    kept = on_means(config, work).frequency_caps
    if json:
        print_json({"frequency_caps": kept})
    else:
        rows = [(c.calls, c.hours, c.per, c.counts, c.rule) for c in caps_of(kept, "team")]
        print_table(("calls", "hours", "per", "counts", "rule"), rows)


def _cap(written: str) -> Any:
    """As the API would have it."""
    found = CAP.fullmatch(written)
    if found is None:
        return written
    calls, hours, per, counts = found.groups()
    return {"calls": int(calls), "hours": int(hours), "per": per} | ({"counts": counts[1:]} if counts else {})
