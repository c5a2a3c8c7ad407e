"""Which callbacks are Twilio's: its signature, over our public address and what was sent to it. Pure.

Twilio signs no time, so a callback that is sent again is as good as the first one; the keys of its events make it harmless.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs, parse_qsl, urlsplit

from adapters.base import Hook
from adapters.errors import Forged
from adapters.signatures import same, signature

SIGNATURE = "x-twilio-signature"
OVERRIDES = "#rc=5&rp=all"
"""Of an address that Twilio calls: tell it five times more, after any failure (its "connection overrides")."""
MOST_FIELDS = 200
_PORTS = {"http": 80, "https": 443}


def sign(token: str, url: str, form: Mapping[str, list[str]]) -> str:
    """HMAC-SHA1 over the address and the form's fields, sorted, each as name and value."""
    told = "".join(name + value for name in sorted(form) for value in sorted(set(form[name])))
    return signature(token, (url + told).encode("utf-8", "surrogateescape"), digest="sha1", form="base64")


def fields(token: str, hook: Hook) -> Mapping[str, str]:
    """What Twilio told, form or JSON. Raises `Forged` unless it was signed with the account's auth token, and `ValueError` when
    it was but cannot be read. A body that is no form is signed by its hash, which stands in the address."""
    digests = parse_qs(urlsplit(hook.url).query).get("bodySHA256")
    form = {} if digests else form_of(hook.body)
    _signed_one(token, hook, form)
    if not digests:
        return {name: values[-1] for name, values in form.items()}
    same(digests[0].lower(), hashlib.sha256(hook.body).hexdigest())
    told = json.loads(hook.body)
    if not isinstance(told, dict):
        raise ValueError("the callback is not an object")
    return {name: value for name, value in told.items() if isinstance(value, str)}


def _signed_one(token: str, hook: Hook, form: Mapping[str, list[str]]) -> None:
    given = hook.headers.get(SIGNATURE, "")
    for url in _spellings(hook.url):
        try:
            return same(given, sign(token, url, form))
        except Forged:
            continue
    raise Forged


def _spellings(url: str) -> Iterator[str]:
    """How Twilio may have written the address that it signed: with the port and without, with the overrides and without."""
    parts = urlsplit(url)
    rest = url[len(f"{parts.scheme}://{parts.netloc}") :]
    bare = parts.netloc.removesuffix(f":{parts.port}")
    for host in dict.fromkeys((parts.netloc, bare, f"{bare}:{parts.port or _PORTS.get(parts.scheme, 443)}")):
        yield f"{parts.scheme}://{host}{rest}"
        yield f"{parts.scheme}://{host}{rest}{OVERRIDES}"


def form_of(body: bytes) -> dict[str, list[str]]:
    """The fields of a body, each with its values. Raises `Forged` for too many."""
    try:
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Forged("the callback has too many fields") from None
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form
