"""Reading what an operator writes about a provider's callbacks, and about where things stand in what it tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from adapters.causes import Verdict
from adapters.events import Phase
from adapters.options import Secret
from adapters.webhook.config import Callback
from adapters.webhook.proof import Proof, Signed, Token
from adapters.webhook.reading import PARTS, Reading, Result
from adapters.webhook.tables import Table

READING = ("attempt", "id", "at", "outcome", "answered", "rang", "sip", "q850", "result")
HEADER = r"[A-Za-z0-9!#$%&'*+.^_|~-]{1,80}"
_NAME = r"[A-Za-z0-9._~-]{1,40}"
_PHASES = {each.value: each for each in Phase if each is not Phase.GAP}
_DIGESTS: Mapping[str, Literal["sha256", "sha1"]] = {"sha256": "sha256", "sha1": "sha1"}
_ENCODINGS: Mapping[str, Literal["hex", "base64"]] = {"hex": "hex", "base64": "base64"}
_TICKS = {"seconds": 1, "milliseconds": 1000}


def callback_of(root: Table, words: Mapping[str, Verdict]) -> Callback | None:
    """The table `callback`; None if it is missing."""
    own = ("format", "phase", "type", "types", "attempt_query", "signature", "token")
    table = root.table("callback", (*own, *READING), required=True)
    signing_secret, callback_token = root.secret("signing_secret", default=""), root.secret("callback_token", default="")
    if table is None:
        return None
    form = table.choice("format", ("json", "form"), default="json") == "form"
    phase, type_, types = None, None, dict[str, Phase]()
    if table.has("phase"):
        phase = _PHASES[table.choice("phase", _PHASES)]
    else:
        type_, types = table.path("type", required=True), table.choices("types", _PHASES, required=True)
    if Phase.ENDED not in (phase, *types.values()):
        table.fault("types", "tells no end of a call", 'let a type stand for "ended"')
    attempt_query = table.text("attempt_query", default="", form=_NAME, example="attempt")
    reading = reading_of(table, words)
    if table.has("attempt") == bool(attempt_query):
        table.fault("attempt", "not told in exactly one place", "set it to the path of the attempt id, or set attempt_query")
    proof = Proof(_signed(table, root, signing_secret), _token(table, root, callback_token))
    if not table.has("signature") and not table.has("token"):
        table.fault("signature", "missing, and so is a token: anybody could tell of calls", "write one of the two tables")
    return Callback(form, phase, type_, types, attempt_query, reading, proof)


def _signed(callback: Table, root: Table, secret: Secret) -> Signed | None:
    keys = ("header", "field", "prefix", "digest", "encoding", "signed", "timestamp_header", "timestamp_field", "timestamp_unit")
    table = callback.table("signature", (*keys, "tolerance"))
    if table is None:
        return None
    if not secret:
        root.fault("signing_secret", "missing", "set it, or signing_secret_file to the path of a file that holds it")
    header = table.text("header", form=HEADER, example="X-Signature").lower()
    field_, prefix = table.text("field", default=""), table.text("prefix", default="")
    digest = _DIGESTS[table.choice("digest", _DIGESTS, default="sha256")]
    encoding = _ENCODINGS[table.choice("encoding", _ENCODINGS, default="hex")]
    signed = table.text("signed", default="{body}", example="{timestamp}.{body}")
    at_header = table.text("timestamp_header", default="", form=HEADER, example="X-Timestamp").lower()
    at_field = table.text("timestamp_field", default="")
    ticks = _TICKS[table.choice("timestamp_unit", _TICKS, default="seconds")]
    tolerance = table.number("tolerance", low=1, high=3600, default=300, unit="seconds")
    holes = re.findall(r"\{(.*?)\}", signed)
    if holes.count("body") != 1 or not set(holes) <= {"body", "timestamp", "url"}:
        table.fault("signed", "not of {body} once, {timestamp} and {url}", "write what is signed like {timestamp}.{body}")
    timed = bool(at_header or at_field)
    if timed != ("timestamp" in holes):
        table.fault("signed", "and the timestamp do not belong together", "sign {timestamp} if there is one, and name its header")
    if at_header and at_field:
        table.fault("timestamp_field", "given together with timestamp_header", "write one of the two")
    return Signed(secret, header, field_, prefix, digest, encoding, signed, at_header, at_field, ticks, tolerance)


def _token(callback: Table, root: Table, secret: Secret) -> Token | None:
    table = callback.table("token", ("header", "prefix", "query"))
    if table is None:
        return None
    if len(secret) < 16:
        remedy = "set it to 16 random characters or more, or callback_token_file to the path of a file that holds it"
        root.fault("callback_token", "missing or easy to guess", remedy)
    header = table.text("header", default="", form=HEADER, example="X-Token").lower()
    prefix, query = table.text("prefix", default=""), table.text("query", default="", form=_NAME, example="token")
    if bool(header) == bool(query):
        table.fault("header", "and query: not exactly one is given", "say where the token comes")
    return Token(secret, header, prefix, query)


def reading_of(table: Table, words: Mapping[str, Verdict]) -> Reading:
    """The keys `READING` of `callback` or `find`, with the words of `outcomes`."""
    return Reading(
        attempt=table.path("attempt"),
        ref=table.path("id"),
        at=table.path("at"),
        outcome=table.paths("outcome", required=True),
        words=words,
        answered=table.path("answered"),
        rang=table.path("rang"),
        sip=table.path("sip"),
        q850=table.path("q850"),
        result=_result(table),
    )


def _result(table: Table) -> Result:
    given = table.table("result", ("at", *sorted(PARTS), "cost", "do_not_call_words"))
    if given is None:
        return Result()
    parts = {name: places for name in sorted(PARTS) if (places := given.paths(name))}
    cost = given.table("cost", ("amount", "currency"))
    amount, currency = (cost.path(each, required=True) if cost else None for each in ("amount", "currency"))
    if given.has("do_not_call_words") and "do_not_call" not in parts:
        given.fault("do_not_call", "missing, so that nobody reads its words", "set it to the path where they stand")
    return Result(given.path("at"), parts, amount, currency, given.text_list("do_not_call_words"))
