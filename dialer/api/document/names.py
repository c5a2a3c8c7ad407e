"""What operations are called: short ids that never change, as generated clients use them for their methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BASE: Final = "/api/crm"

GIVEN: Final[Mapping[tuple[str, str], str]] = {
    ("get", "/healthz"): "getHealth",
    ("get", "/readyz"): "getReadiness",
    ("get", "/metrics"): "getMetrics",
    ("post", "/hooks/{adapter}"): "receiveCallback",
    ("post", "/contacts/import"): "importContacts",
    ("get", "/contacts/import/{batch_id}/rejects"): "downloadImportRejects",
    ("post", "/suppressions/import"): "importSuppressions",
    ("get", "/suppressions/export"): "exportSuppressions",
    ("post", "/campaigns/{id}/contacts"): "enrolContacts",
    ("delete", "/campaigns/{id}/contacts"): "removeCampaignContacts",
    ("post", "/campaigns/{id}/contacts/{campaign_contact_id}/callback"): "callBackCampaignContact",
    ("delete", "/campaigns/{id}/contacts/{campaign_contact_id}/callback"): "withdrawCallback",
    ("get", "/campaigns/{id}/events"): "streamCampaignEvents",
    ("get", "/campaigns/{id}/export"): "exportCampaign",
}
"""By method and path below the base, where the rule below does not speak well."""

VERBS: Final[Mapping[str, str]] = {"post": "create", "patch": "update", "put": "put", "delete": "delete"}


def operation_id(method: str, path: str) -> str:
    """`createContact`, `listContacts`, `getContact`, `listCompanyContacts`, `runCampaign`, `getCampaignDashboard`."""
    below = path.removeprefix(BASE)
    if given := GIVEN.get((method, below)):
        return given
    parts = [part for part in below.split("/") if part]
    words = [_camel(part) for part in parts if not part.startswith("{")]
    if parts[-1].startswith("{"):  # one of a collection
        return VERBS.get(method, "get") + "".join(_one(word) for word in words)
    owners, last = "".join(_one(word) for word in words[:-1]), words[-1]
    if last.endswith("s"):  # a collection
        return f"list{owners}{last}" if method == "get" else f"{VERBS[method]}{owners}{_one(last)}"
    if method == "get":
        return f"get{owners}{last}"
    return f"{last[0].lower()}{last[1:]}{owners}"  # something done to one


def _camel(part: str) -> str:
    return "".join(word.capitalize() for word in part.split("-"))


def _one(plural: str) -> str:
    if plural.endswith("ies"):
        return plural[:-3] + "y"
    return plural.removesuffix("s")


TAGS: Final[Mapping[str, str]] = {
    "contacts": "The people who may be called, and their import from files.",
    "companies": "Whom contacts belong to.",
    "assistants": "Who speaks: the agent, dialplan context or stream that a call is connected with.",
    "phone numbers": "Which caller ID is shown.",
    "campaigns": "Who is to be called when, how often and how many at once; and what became of it.",
    "campaign contacts": "The contacts of a campaign: enrolled, listed with what they wait for, taken out.",
    "calls": "What was tried, what the carrier told, and what came of it.",
    "suppressions": "Numbers that may not be called.",
    "custom fields": "Fields of a team's own on its contacts, and which of them a call may fill.",
    "callbacks": "What carriers tell. Verified by the signature of the adapter, not by a key.",
    "health": "Whether the service is alive and ready. Needs no key.",
}

DESCRIPTION: Final = """\
An outbound dialer: contacts and campaigns in, calls and what came of them out.

* **Keys.** Send `Authorization: Bearer <key>`, or the key in `x-api-key`. A key belongs to one team and has scopes; each
  operation names the one it needs. What belongs to another team does not exist (404); a `teamId` that is not the key's is a 403.
* **Bodies.** Requests are camelCase (snake_case is understood too), answers snake_case. An unknown field is a 400 that names it.
* **Lists.** `limit` (50, at most 500) and `offset`; `count` is the number of all that match. The order is stable.
* **Errors.** One envelope: `error` is a sentence, `details.fieldErrors` says it field by field.
* **Retrying.** Every POST takes an `Idempotency-Key`: a replay within 24 hours returns the first answer, with
  `Idempotent-Replayed: true`; the same key with another body is a 409.
* **Times** are ISO 8601 in UTC, zones IANA names, phone numbers E.164.
"""
