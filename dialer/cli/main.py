"""The commands, put together, and the one place where an exception becomes a sentence and an exit code."""

from __future__ import annotations

import gc
import sys
from enum import IntEnum

import typer

from dialer.cli import adapters, calls, campaigns, checks, contacts, contract, demo, keys, roles, suppressions, teams

app = typer.Typer(
    help="An outbound-campaign dialer: never twice, never at night, never after a no.",
    epilog="Exit codes: 0 done; 1 refused or failed; 2 wrong command line; 3 faults in the configuration; 4 a store or a port"
    " cannot be used; 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
roles.install(app)
checks.install(app)
contract.install(app)
demo.install(app)
app.add_typer(teams.app, name="team")
app.add_typer(keys.app, name="key")
app.add_typer(contacts.app, name="contacts")
app.add_typer(campaigns.app, name="campaign")
app.add_typer(calls.app, name="call")
app.add_typer(suppressions.app, name="suppression")
app.add_typer(adapters.app, name="adapter")


class Exit(IntEnum):
    REFUSED = 1
    USAGE = 2
    CONFIG = 3
    UNAVAILABLE = 4


UNAVAILABLE = {
    "AlreadyRunning",
    "CannotConnectNowError",
    "EmbeddedUnavailable",
    "InvalidCatalogNameError",
    "InvalidPasswordError",
    "NotMigrated",
    "RolesMissing",
    "PortTaken",
    "QueueUnavailable",
    "RedisError",
    "StoresMissing",
}
"""By name, because importing what raises them would cost every command its quick start."""


OBJECTS = 20_000
"""How many new objects there are before garbage is looked for. Half a million come with the modules of a command and stay to its
end: looking through them every 700, as Python does, takes a fifth of its start."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    gc.set_threshold(OBJECTS)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as fault:
        code = _code(fault)
        if code is None:
            raise
        print(f"dialer: {_sentence(fault)}", file=sys.stderr)
        sys.exit(code)


def _sentence(fault: BaseException) -> str:
    """What the exception says. A group says what its first member does; a refused connection alone names neither who refused
    nor what to do."""
    if isinstance(fault, BaseExceptionGroup):
        return _sentence(fault.exceptions[0])
    if _is_unreachable(fault):
        return f"Postgres or Redis cannot be reached ({fault}): check database.url and redis.url with `dialer doctor`"
    return str(fault)


def _is_unreachable(fault: BaseException) -> bool:
    """Whether a host has no address, refuses or keeps silent: faults of files, which are OSErrors too, name their file."""
    return isinstance(fault, OSError) and fault.filename is None


def _code(fault: BaseException) -> Exit | None:
    """The exit code of an exception that says itself what is wrong; None for one that is a defect of ours."""
    if isinstance(fault, BaseExceptionGroup):
        codes = {_code(each) for each in fault.exceptions}
        return codes.pop() if len(codes) == 1 else None
    names = {kind.__name__ for kind in type(fault).__mro__}
    if "ConfigFaults" in names:
        return Exit.CONFIG
    if names & UNAVAILABLE or _is_unreachable(fault):
        return Exit.UNAVAILABLE
    return Exit.REFUSED if names & {"Refused", "Failed"} else None
