"""The settings as frozen values: one class per section of the config file.

Owns names, defaults, units and ranges. Promises that a `Settings` that exists is valid. Will not read files or the
environment (`load` does), and leaves a trunk's own options to its adapter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from adapters import reasons
from adapters.causes import Override
from dialer.settings.places import default_data_dir


def _split(url: str) -> SplitResult:
    """Split a URL without ever quoting it: the library's own messages repeat parts of it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is not a URL; check its host and port") from None
    return parts


def _database_url(secret: SecretStr) -> SecretStr:
    parts = _split(secret.get_secret_value())
    if parts.scheme not in ("postgresql", "postgres", "postgresql+asyncpg") or not parts.path.strip("/"):
        raise ValueError("is not a Postgres URL; write postgresql://user:password@host:5432/database")
    return SecretStr(parts._replace(scheme="postgresql").geturl())


def _redis_url(secret: SecretStr) -> SecretStr:
    if _split(secret.get_secret_value()).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("is not a Redis URL; write redis://:password@host:6379/0 (rediss:// for TLS)")
    return secret


def _public_url(url: str) -> str:
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is not a web address; write https://host, without query or fragment")
    return url.rstrip("/")


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is not a number; write digits")
    return value


Int: TypeAlias = Annotated[int, BeforeValidator(_number)]
Seconds: TypeAlias = Annotated[float, BeforeValidator(_number)]
Rate: TypeAlias = Annotated[float, BeforeValidator(_number)]
Port: TypeAlias = Annotated[int, BeforeValidator(_number), Field(ge=1, le=65535)]


def _pattern(given: str) -> str:
    reasons.pattern(given)
    return given


class Section(BaseModel):
    """A table of the config file."""

    # Without hide_input a ValidationError would print what was given, secrets included.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


class Database(Section):
    """The ledger. `url` None means: the embedded Postgres. `postgres://` and `postgresql+asyncpg://` become `postgresql://`."""

    url: Annotated[SecretStr, AfterValidator(_database_url)] | None = None
    pool_size: Int = Field(default=10, ge=1, le=200)
    statement_timeout_seconds: Seconds = Field(default=30.0, ge=1, le=3600)


class Redis(Section):
    """The doorbell. `url` None means: the embedded Valkey."""

    url: Annotated[SecretStr, AfterValidator(_redis_url)] | None = None


class Embedded(Section):
    """Where our own Postgres and Valkey keep their data; used for each of the two that has no URL."""

    data_dir: Path = Field(default_factory=lambda: default_data_dir(os.environ))


class Http(Section):
    """The API and the carriers' callbacks. `requests_per_hour` of each API key; 0 = no limit."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: Port = 8600
    public_url: Annotated[str, AfterValidator(_public_url)] | None = None
    metrics_port: Port | None = None
    large_imports: Int = Field(default=1, ge=1, le=64)
    requests_per_hour: Int = Field(default=1000, ge=0, le=1_000_000_000)

    @property
    def base_url(self) -> str:
        """The address others reach us at, without a trailing slash: `public_url`, else this machine."""
        if self.public_url:
            return self.public_url
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class Scheduler(Section):
    """How often the scheduler looks without having been rung, in seconds, and how much it takes at once. `max_concurrent_calls`
    of all campaigns and teams together; None = no limit. `slow_start_seconds`: in how many the calls at once of a campaign that
    begins double, 0 = they do not begin slowly."""

    tick_seconds: Seconds = Field(default=1.0, ge=0.05, le=60)
    sweep_seconds: Seconds = Field(default=2.0, ge=0.1, le=60)
    recount_seconds: Seconds = Field(default=60.0, ge=1, le=3600)
    # The upper bound is the ledger's: more rows in one claim would hold the scope locks for too long.
    claim_limit: Int = Field(default=2000, ge=1, le=2000)
    max_concurrent_calls: Int | None = Field(default=None, ge=1)
    slow_start_seconds: Seconds = Field(default=2.0, ge=0, le=600)
    health_port: Port | None = None


def _hours(text: str) -> str:
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", text) is None:
        raise ValueError("is not a time of day; write HH:MM, from 00:00 to 24:00")
    return text


TimeOfDay: TypeAlias = Annotated[str, AfterValidator(_hours)]


class DirectCalls(Section):
    """Calls that are asked for one by one, outside campaigns. The window is read where the callee is; a start after the end is
    overnight. 08:00–21:00 are the hours of the US federal rules; several states allow fewer."""

    window_start: TimeOfDay = "08:00"
    window_end: TimeOfDay = "21:00"

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.window_start in (self.window_end, "24:00"):
            raise ValueError("window_start is the end of the window or of the day; for any time write 00:00 and 24:00")
        return self


class Policies(Section):
    """`folder` holds policy packs of the operator's own, a .toml file each; None = only those that come with the dialer."""

    folder: Path | None = None


class Worker(Section):
    """The processes that place calls, and how many jobs each runs at once."""

    processes: Int = Field(default=1, ge=1, le=64)
    concurrency: Int = Field(default=200, ge=1, le=10_000)
    health_port: Port | None = None


def _endpoint(url: str) -> str:
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is not a web address; write https://host/v1, without query or fragment")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or a password; leave them out, api_key is a setting of its own")
    return url.rstrip("/")


class Extraction(Section):
    """The OpenAI-compatible endpoint that is asked what transcripts say; `base_url` None = nobody is asked. `api_key` None = none
    is sent. `timeout_seconds` of one question, `at_once` calls of each scheduler, `min_confidence` 0 to 1."""

    base_url: Annotated[str, AfterValidator(_endpoint)] | None = None
    model: str | None = None
    api_key: SecretStr | None = None
    response_format: Annotated[Literal["auto", "json_schema", "json_object"], BeforeValidator(_lower)] = "auto"
    timeout_seconds: Seconds = Field(default=60.0, ge=0.1, le=600)
    at_once: Int = Field(default=4, ge=1, le=64)
    min_confidence: Rate = Field(default=0.5, ge=0, le=1)
    max_age_hours: Rate = Field(default=72.0, gt=0, le=8760)
    hints: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.base_url is not None and not self.model:
            raise ValueError("has a base_url and no model; set extraction.model to the name of one that the endpoint has")
        return self


class Logging(Section):
    """What goes to standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    format: Annotated[Literal["text", "json"], BeforeValidator(_lower)] = "text"


class Reading(Section):
    """What a trunk's carrier means where `match`, a regular expression, is found in its word for an ending."""

    match: Annotated[str, AfterValidator(_pattern)]
    means: Literal["invalid", "perhaps_invalid", "busy", "no_answer", "declined", "blocked", "trunk", "config"]


class Trunk(Section):
    """One configured carrier. `calls_per_second` and `max_concurrent_calls` None mean: we set no limit of our own. Of `reasons`
    the first that is found holds.

    Every key that is not named here is an option of the adapter, which judges it itself. Options never show in a repr or a
    dump, for some of them are secrets. Options from the environment are text.
    """

    kind: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    calls_per_second: Rate | None = Field(default=None, gt=0, le=10_000)
    max_concurrent_calls: Int | None = Field(default=None, ge=1)
    reasons: tuple[Reading, ...] = Field(default=(), max_length=50)
    options: Mapping[str, Any] = Field(default_factory=dict, repr=False, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        own = {key: value for key, value in given.items() if key in cls.model_fields}
        others = {key: value for key, value in given.items() if key not in cls.model_fields}
        return own | {"options": {**own.get("options", {}), **others}}

    @property
    def readings(self) -> tuple[Override, ...]:
        """`reasons`, as they are asked."""
        return tuple(Override(reasons.pattern(each.match), reasons.MEANINGS[each.means]) for each in self.reasons)


TrunkName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*([_-][a-z0-9]+)*$", max_length=40)]


def _told_apart(trunks: Mapping[str, Trunk]) -> Mapping[str, Trunk]:
    seen: dict[str, str] = {}
    for name in trunks:
        other = seen.setdefault(name.replace("-", "_"), name)
        if other != name:
            raise ValueError(f"has {other} and {name}, which the environment cannot tell apart; rename one of them")
    return trunks


# These two "secrets" are no secrets: they only tie the simulated carrier, which can call nobody, to a dialer on the same machine.
DEFAULT_TRUNKS: Mapping[str, Mapping[str, str]] = {
    "simulated": {
        "kind": "simulated",
        "base_url": "http://127.0.0.1:8650",
        "api_key": "simulated",
        "signing_secret": "simulated",
    }
}


def _default_trunks() -> dict[str, Trunk]:
    return {name: Trunk.model_validate(options) for name, options in DEFAULT_TRUNKS.items()}


class Settings(Section):
    """Everything an operator may choose. `Settings()` is what runs without any config file."""

    database: Database = Database()
    redis: Redis = Redis()
    embedded: Embedded = Field(default_factory=Embedded)
    http: Http = Http()
    scheduler: Scheduler = Scheduler()
    worker: Worker = Worker()
    direct_calls: DirectCalls = DirectCalls()
    policies: Policies = Policies()
    extraction: Extraction = Extraction()
    logging: Logging = Logging()
    adapters: Annotated[Mapping[TrunkName, Trunk], AfterValidator(_told_apart)] = Field(default_factory=_default_trunks)
