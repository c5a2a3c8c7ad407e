"""What `dialer doctor` finds out about one trunk without placing a call: the way to the carrier, our key there, its clock,
whether its callbacks reach us and are proven. Every step is bounded; nothing is changed anywhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from adapters.base import Health, Hook, MakesSamples, TelephonyAdapter
from adapters.errors import AdapterError, Forged
from adapters.http import Answer
from adapters.session import Session
from adapters.witness import Exchange, watching
from dialer.cli.reach import NOBODY_THERE, reach
from dialer.domain.errors import NO_SUCH_TRUNK, NOT_SIGNED
from scheduler.clock import Clock

HEALTH_SECONDS = 10.0
"""What the carrier may take to answer."""
PROBE_SECONDS = 5.0
"""What our own callback address may take to answer."""
_DAEMON = "start `dialer up` or `dialer api`"


@dataclass(frozen=True, slots=True)
class Row:
    """`ok` None: it could not be checked, and `detail` says why. `remedy` of a fault."""

    check: str
    ok: bool | None
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where carriers call us back. `configured`: by `http.public_url`; else only this machine reaches `url`."""

    url: str
    configured: bool


async def examine(name: str, adapter: TelephonyAdapter, address: Address, clock: Clock) -> list[Row]:
    """All that is found out about the trunk `name`; `adapter` is entered."""
    with watching() as seen:
        health = await _health(adapter)
    heard = [each for each in seen if each.heard]
    rows = [
        await _reachability(seen, heard, health),
        _credentials(name, seen, heard, health),
        _clock(heard, adapter.capabilities.clock_tolerance, clock),
    ]
    if adapter.capabilities.calls_back:
        rows += [await _webhook(name, address, seen), _signature(name, adapter, address, clock)]
    return [replace(row, check=f"{name}: {row.check}") for row in rows]


async def _health(adapter: TelephonyAdapter) -> Health:
    try:
        async with asyncio.timeout(HEALTH_SECONDS):
            return await adapter.health()
    except TimeoutError:
        return Health(False, f"no answer within {HEALTH_SECONDS:g} s")
    except Exception as fault:  # a stranger's adapter may be broken, and that is what the doctor was asked for
        return Health(False, type(fault).__name__)


async def _reachability(seen: Sequence[Exchange], heard: Sequence[Exchange], health: Health) -> Row:
    check = "reachability"
    if not seen:  # it speaks by means of its own
        return Row(check, health.ok, _said(health) or "the carrier answers", "" if health.ok else NOBODY_THERE)
    if heard:
        last = heard[-1]
        return Row(check, True, f"{last.host}:{last.port} answers{' over TLS' if last.secure else ''}")
    last = seen[-1]
    stopped = await reach(last.host, last.port, secure=last.secure)
    if stopped is None:
        remedy = "check that the address is that of the carrier's API, and the carrier's status page"
        return Row(check, False, f"{last.host}:{last.port} can be connected to, but does not answer", remedy)
    return Row(check, False, f"{stopped.step}: {stopped.why}", stopped.remedy)


def _credentials(name: str, seen: Sequence[Exchange], heard: Sequence[Exchange], health: Health) -> Row:
    check = "credentials"
    refused = next((each for each in heard if each.admitted is False), None)
    # A question that only good keys may ask and that is answered beside, such as for the balance, is none of our key being bad.
    if refused and not (health.ok and any(each.admitted for each in heard)):
        how = f"HTTP {refused.status}" if refused.status else "a refusal"
        remedy = (
            f"it lacks a right, or is of another account: check the secrets in [adapters.{name}] and their permissions"
            if refused.status == 403
            else f"check the user and the secrets in [adapters.{name}]: mistyped, revoked, or of another account"
        )
        return Row(check, False, f"the carrier answers our key with {how}", remedy)
    if not seen:
        return Row(check, None, "this adapter does not tell what it asks")
    if not heard:
        return Row(check, None, "the carrier is not reached")
    if not health.ok:
        return Row(check, False, _said(health), "see the carrier's console and status page")
    if heard[-1].admitted is None:
        return Row(check, None, f"the carrier's answer (HTTP {heard[-1].status}) says nothing of the key; name a health_path")
    return Row(check, True, ", ".join(filter(None, ("the key is taken", _said(health)))))


def _said(health: Health) -> str:
    free = None if health.free is None else f"{health.free} calls free"
    return ", ".join(filter(None, (health.detail, free)))


def _clock(heard: Sequence[Exchange], tolerance: float, clock: Clock) -> Row:
    dated = next((each for each in reversed(heard) if each.date is not None), None)
    if dated is None or dated.date is None:
        return Row("clock", None, "the carrier has not told the time")
    ours = clock.now().timestamp() - (clock.monotonic() - dated.at)
    apart = ours - dated.date.timestamp()
    detail = f"ours is {abs(apart):.0f} s {'ahead of' if apart >= 0 else 'behind'} the carrier's"
    if abs(apart) <= tolerance:
        return Row("clock", True, detail)
    detail += f"; {tolerance:g} s are tolerated, so its callbacks are refused as old or its calls not found"
    return Row("clock", False, detail, "synchronise this machine's clock (NTP)")


async def _webhook(name: str, address: Address, seen: Sequence[Exchange]) -> Row:
    check, url = "webhook", f"{address.url}/hooks/{name}"
    parts = urlsplit(address.url)
    near = bool(seen) and all(_is_here(each.host) for each in seen)
    if not near and not address.configured:
        detail = "http.public_url is not set, so the carrier cannot tell what becomes of a call"
        return Row(check, False, detail, "set it to the https address at which the internet reaches this dialer")
    if not near and parts.scheme != "https":
        remedy = "write an https address, and put a proxy with a certificate before the dialer"
        return Row(check, False, "http.public_url is not https: callbacks would come unencrypted, or not at all", remedy)
    answer = await _probe(address.url, f"/hooks/{name}")
    if answer is None:
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        stopped = await reach(host, port, secure=parts.scheme == "https")
        why = f"{stopped.step}: {stopped.why}" if stopped else "there is no answer in time"
        remedy = _DAEMON if not address.configured else f"{_DAEMON}, and check http.public_url, its proxy and firewalls"
        return Row(check, False, f"nobody answers at {url}: {why}", remedy)
    match answer.status, _error_of(answer):
        case 403, said if said == NOT_SIGNED:
            return Row(check, True, f"{url} reaches the dialer, which refuses what is not signed")
        case 404, said if said == NO_SUCH_TRUNK:
            remedy = "restart it with this configuration, or correct http.public_url"
            return Row(check, False, f"a dialer answers at {url} that has no trunk {name}", remedy)
        case 503, _:
            return Row(check, False, f"what answers at {url} is not ready (HTTP 503)", "look at the stores, and at the proxy")
        case status, _ if 300 <= status < 400:
            detail = f"{url} redirects (HTTP {status}), which carriers do not follow"
            return Row(check, False, detail, "set http.public_url to where it leads")
    remedy = "correct http.public_url, or let the proxy pass /hooks/ on as it comes, without asking for a login"
    return Row(check, False, f"something else answers at {url} (HTTP {answer.status})", remedy)


async def _probe(base: str, path: str) -> Answer | None:
    """What is answered to a callback that nobody signed; None if nothing is."""
    with suppress(AdapterError):
        async with Session(base, timeout=PROBE_SECONDS, headers={"User-Agent": "dialer-doctor"}) as session:
            return await session.ask("POST", path, json={})
    return None


def _error_of(answer: Answer) -> str:
    try:
        said = json.loads(answer.body)
    except ValueError:
        return ""
    return str(said.get("error", "")) if isinstance(said, dict) else ""


def _is_here(host: str) -> bool:
    """Whether a carrier of this address is on this machine or its own network, and reaches us without the internet."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _signature(name: str, adapter: TelephonyAdapter, address: Address, clock: Clock) -> Row:
    check, url, now = "signature", f"{address.url}/hooks/{name}", clock.now()
    if _accepts(adapter, Hook("POST", url, {}, b"{}", now)):
        remedy = "set the secret that the carrier signs with; until then take the trunk out of the configuration"
        return Row(check, False, "a callback that nobody signed is accepted: anybody could tell of calls", remedy)
    if not isinstance(adapter, MakesSamples):
        return Row(check, True, "what is not signed is refused; what is signed only the carrier can make")
    try:
        sample = adapter.sample(url, now)
        adapter.receive(sample)
    except Forged as fault:
        return Row(check, False, f"a callback that is signed as the carrier does it is refused: {fault}", _secret_of(name))
    forged = replace(sample, headers={header: value + "0" for header, value in sample.headers.items()}, url=url)
    if _accepts(adapter, forged):
        return Row(check, False, "a callback whose signature was changed is accepted", _secret_of(name))
    return Row(check, True, "what is signed with the configured secret is taken, anything else is refused")


def _secret_of(name: str) -> str:
    return f"set the secret of callbacks in [adapters.{name}] to the one that the carrier signs with (see adapters/README.md)"


def _accepts(adapter: TelephonyAdapter, hook: Hook) -> bool:
    try:
        adapter.receive(hook)
    except Forged:
        return False
    return True
