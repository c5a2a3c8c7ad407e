"""`dialer adapter …`: which adapters there are, and whether they keep the laws."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.cli.context import ConfigOption, Failed, JsonOption, load_settings, sound_settings

if TYPE_CHECKING:
    from adapters.checking import Finding

app = typer.Typer(help="Adapters: the ways to the carriers.", no_args_is_help=True)

SHOWN = {"pass": "pass", "broken": "BROKEN", "exempt": "exempt"}


@app.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """All kinds, where each comes from, and the trunks that use it."""
    from adapters.checking import announced
    from adapters.registry import origins
    from dialer.cli.output import print_json, print_table

    trunks = load_settings(config).adapters
    harnesses = announced()
    rows: list[dict[str, Any]] = [
        {
            "kind": kind,
            "from": origin,
            "can_be_checked": kind in harnesses,
            "trunks": [name for name, trunk in trunks.items() if trunk.kind == kind],
        }
        for kind, origin in origins().items()
    ]
    if json:
        print_json(rows)
        return
    shown = [(r["kind"], r["from"], "yes" if r["can_be_checked"] else "", ", ".join(r["trunks"])) for r in rows]
    print_table(("kind", "from", "check", "trunks"), shown)


@app.command()
def check(
    kind: Annotated[str, typer.Argument(help="Kind of the adapter.")],
    case: Annotated[list[str] | None, typer.Option(help="Only this case; may be given more than once.")] = None,
    json: JsonOption = False,
) -> None:
    """Run the conformance suite. It needs the harness that comes with the adapter; no carrier is spoken to but its fake."""
    from adapters.checking import harness_of
    from adapters.conformance import CASES
    from dialer.cli.output import print_json, print_table

    known = {each.name: each for each in CASES}
    if unknown := [name for name in case or () if name not in known]:
        raise Failed(f"--case {unknown[0]}: there is no such case; use one of {', '.join(known)}")
    try:
        opened = harness_of(kind)
    except ValueError as fault:
        raise Failed(str(fault)) from None

    async def run() -> list[Finding]:
        from adapters.checking import check

        return [finding async for finding in check(opened, [known[name] for name in case] if case else CASES)]

    findings = asyncio.run(run())
    broken = [finding.case for finding in findings if finding.verdict == "broken"]
    if json:
        print_json({"ok": not broken, "kind": kind, "cases": [asdict(finding) for finding in findings]})
    else:
        rows = [(each.case, SHOWN[each.verdict], ": ".join(filter(None, (each.law, each.detail)))) for each in findings]
        print_table(("case", "", "law"), rows)
    if broken:
        raise Failed(f"the adapter {kind!r} breaks {len(broken)} of {len(findings)} laws: {', '.join(broken)}")


@app.command("test")
def try_(
    trunk: Annotated[str, typer.Argument(help="Name of the configured trunk.")],
    to: Annotated[str, typer.Option(help="Whom to call, with + and country code.")],
    caller_id: Annotated[str, typer.Option("--from", help="The caller ID that is shown, with + and country code.")],
    voice: Annotated[
        str | None, typer.Option(help="The assistant's external id; that of the trunk's only assistant if left out.")
    ] = None,
    ring_seconds: Annotated[int, typer.Option(help="How long the phone may ring.", min=5, max=120)] = 30,
    max_seconds: Annotated[int, typer.Option(help="How long the call may last.", min=10, max=600)] = 60,
    any_hour: Annotated[bool, typer.Option("--any-hour", help="Call outside the hours of direct calls, too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the call.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Place one real call and print its timeline. It asks first, calls nobody who said no, and Ctrl-C hangs up."""
    from dialer.cli.trying import Asked, e164, try_it

    settings = sound_settings(config)
    if trunk not in settings.adapters:
        raise Failed(f"{trunk}: there is no such trunk; use one of {', '.join(settings.adapters)}")
    asked = Asked(trunk, e164("--to", to), e164("--from", caller_id), voice, ring_seconds, max_seconds, any_hour)
    try_it(settings, asked, confirmed=yes, json=json)
