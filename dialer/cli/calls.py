"""`dialer call …`."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.cli.context import ConfigOption, Failed, JsonOption, load_settings, on_house

if TYPE_CHECKING:
    from dialer.app import House

app = typer.Typer(help="Calls: what was said in them.", no_args_is_help=True)


@app.command()
def extract(
    calls: Annotated[list[str] | None, typer.Argument(help="Ids of calls.", show_default=False)] = None,
    campaign: Annotated[str | None, typer.Option(help="Id of a campaign: all its calls.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Ask what transcripts say of the contacts once more, for instance because custom fields were defined since. The scheduler
    does it within seconds; fields that the carrier extracted, or that a person wrote, stay."""
    from dialer.cli.output import print_fields, print_json
    from dialer.flows.transcripts_anew import extract_anew, extract_campaign_anew
    from dialer.store.reports import team_of_campaign

    if bool(calls) == (campaign is not None):
        raise Failed("say which calls are meant: their ids, or --campaign CAMPAIGN for all of a campaign")
    if load_settings(config).extraction.base_url is None:
        raise Failed("extraction.base_url: is not set, so nobody would be asked; name an endpoint in [extraction]")

    async def of_campaign(h: House, campaign: str) -> int:
        if await team_of_campaign(h.database.pool, campaign) is None:
            raise Failed(f"campaign {campaign}: there is none with this id; `dialer campaign list --team …` shows them")
        return await extract_campaign_anew(h.database, "cli", campaign)

    def work(h: House) -> Coroutine[Any, Any, int]:
        return extract_anew(h.database, "cli", calls or []) if campaign is None else of_campaign(h, campaign)

    (print_json if json else print_fields)({"transcripts": on_house(config, work)})
