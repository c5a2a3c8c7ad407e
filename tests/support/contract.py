"""The names of the HTTP contract, and how its answers are checked: exactly, neither a field less nor one more."""

from __future__ import annotations

from typing import Any

from tests.support.api import Answer, Api
from tests.support.desk import TRUNK, Desk

CONTACTS = "/api/crm/contacts"
COMPANIES = "/api/crm/companies"
ASSISTANTS = "/api/crm/assistants"
NUMBERS = "/api/crm/phone-numbers"
OUTBOUND = "/api/crm/outbound-assistants"
SUPPRESSIONS = "/api/crm/suppressions"
CAMPAIGNS = "/api/crm/campaigns"

CONTACT = {
    "id", "team_id", "company_id", "company", "first_name", "last_name", "email", "phone", "phone_secondary", "job_title",
    "region", "lead_status", "source", "timezone", "preferred_contact_method", "do_not_call", "place", "notes", "custom_fields",
    "tags", "last_contacted_at", "created_at", "updated_at",
}  # fmt: skip
COMPANY = {
    "id", "team_id", "name", "website", "industry", "company_size", "address_line1", "address_line2", "city", "state",
    "postal_code", "country", "phone", "notes", "custom_fields", "contact_count", "created_at", "updated_at",
}  # fmt: skip
ASSISTANT = {
    "id", "team_id", "name", "adapter", "external_id", "outbound_enabled", "max_concurrent_calls", "voicemail_action", "settings",
    "created_at", "updated_at",
}  # fmt: skip
NUMBER = {
    "id", "team_id", "phone_number", "assistant_id", "adapter", "status", "max_concurrent_calls", "daily_limit", "weight",
    "resting_until", "resting_reason", "calls_today", "recent_calls", "answer_share", "blocked_share", "created_at", "updated_at",
}  # fmt: skip
SUPPRESSION = {
    "id", "scope", "team_id", "campaign_id", "phone_number", "reason", "source", "expires_at", "created_at",
}  # fmt: skip
CAMPAIGN = {
    "id", "team_id", "assistant_id", "company_id", "name", "description", "status", "from_number", "from_number_ids",
    "scheduled_start_at", "call_window_start", "call_window_end", "call_window_timezone", "max_concurrent_calls",
    "max_attempts_per_contact", "retry_delay_minutes", "settings", "total_contacts", "contacts_called", "contacts_completed",
    "contacts_answered", "started_at", "completed_at", "pause_reason", "deleted_at", "created_at", "updated_at",
}  # fmt: skip
MEMBER = {
    "id", "status", "priority", "attempts", "outcome", "last_attempt_at", "next_attempt_at", "completed_at", "created_at",
    "contact", "waiting_for", "to_number", "callback_at",
}  # fmt: skip
PERSON = {"id", "first_name", "last_name", "phone", "email", "timezone", "do_not_call"}
PAGE = {"success", "count", "limit", "offset"}


def given(answer: Answer, resource: str, fields: set[str] | None = None) -> Any:
    """The resource of a successful answer, which holds nothing else."""
    assert answer.status == 200, answer.text
    assert answer.json.keys() >= {"success", resource}
    assert answer.json["success"] is True
    if fields is not None:
        assert answer.json.keys() == {"success", resource}
        assert answer.json[resource].keys() >= fields and answer.json[resource].keys() <= fields | extras(resource)
    return answer.json[resource]


def extras(resource: str) -> set[str]:
    """What the contract lets an extension add to a resource."""
    return {"waiting_for"} if resource == "campaign" else set()


def listed(answer: Answer, resources: str) -> list[Any]:
    """The resources of a page, whose envelope is exact but for the cursor of an extension."""
    assert answer.status == 200, answer.text
    assert answer.json.keys() - {"next_cursor"} == PAGE | {resources}
    assert answer.json["success"] is True
    found: list[Any] = answer.json[resources]
    return found


def refused(answer: Answer, status: int, *fields: str) -> str:
    """The sentence of an error, whose envelope is exact and names these fields and no others."""
    assert answer.status == status, answer.text
    said = answer.json
    assert said.keys() - {"request_id"} == {"success", "error", "details"}
    assert said["success"] is False
    assert said["details"].keys() == {"fieldErrors", "formErrors"}
    assert set(said["details"]["fieldErrors"]) == set(fields), answer.text
    assert all(sentence and isinstance(sentence, str) for texts in answer.faults.values() for sentence in texts)
    sentence: str = said["error"]
    assert sentence and "\n" not in sentence
    return sentence


async def contact(api: Api, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = given(
        await api.post(CONTACTS, {"teamId": api.team, "firstName": "Ann", "lastName": "Lee", **fields}), "contact"
    )
    return made


async def company(api: Api, name: str = "Acme", **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = given(await api.post(COMPANIES, {"teamId": api.team, "name": name, **fields}), "company")
    return made


def creations(desk: Desk) -> dict[str, dict[str, Any]]:
    """The least that each creation needs besides the team."""
    return {
        CONTACTS: {"firstName": "Ann", "lastName": "Lee"},
        COMPANIES: {"name": "Acme"},
        ASSISTANTS: {"name": "Ava", "adapter": TRUNK},
        NUMBERS: {"phoneNumber": "+14155552671", "adapter": TRUNK},
        SUPPRESSIONS: {"phoneNumber": "+14155552671"},
        CAMPAIGNS: {"assistantId": desk.assistant, "fromNumberIds": [desk.number], "name": "Spring"},
    }
