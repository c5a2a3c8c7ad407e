"""The things of the contract as they arrive: plain dictionaries with known keys. Times are ISO 8601 texts in UTC.

A service that is newer may send keys that are not here.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class CompanyRef(TypedDict):
    id: str
    name: str


class Whereabouts(TypedDict):
    """`zones_from`: contact, region, number, country or unknown; `regions_from`: contact, number or unknown."""

    zones: list[str]
    zones_from: str
    regions: list[str]
    regions_from: str


class Contact(TypedDict):
    id: str
    team_id: str
    company_id: str | None
    company: CompanyRef | None
    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    phone_secondary: str | None
    job_title: str | None
    region: str | None
    lead_status: str
    source: str | None
    timezone: str | None
    preferred_contact_method: str | None
    do_not_call: bool
    place: Whereabouts
    notes: str | None
    custom_fields: dict[str, Any]
    tags: list[str]
    last_contacted_at: str | None
    created_at: str
    updated_at: str
    campaign_history: NotRequired[list[dict[str, Any]]]


class Company(TypedDict):
    id: str
    team_id: str
    name: str
    website: str | None
    industry: str | None
    company_size: str | None
    address_line1: str | None
    address_line2: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    country: str | None
    phone: str | None
    notes: str | None
    custom_fields: dict[str, Any]
    contact_count: int
    created_at: str
    updated_at: str


class Assistant(TypedDict):
    id: str
    team_id: str
    name: str
    adapter: str
    external_id: str
    outbound_enabled: bool
    max_concurrent_calls: int | None
    voicemail_action: str | None
    settings: dict[str, Any]
    created_at: str
    updated_at: str
    assigned_numbers: NotRequired[list[PhoneNumber]]


class PhoneNumber(TypedDict):
    id: str
    team_id: str
    phone_number: str
    assistant_id: str | None
    adapter: str
    status: str
    max_concurrent_calls: int | None
    daily_limit: int | None
    weight: int
    resting_until: str | None
    resting_reason: str | None
    calls_today: int
    recent_calls: int
    answer_share: float | None
    blocked_share: float | None
    created_at: str
    updated_at: str


class Campaign(TypedDict):
    id: str
    team_id: str
    assistant_id: str
    company_id: str | None
    name: str
    description: str | None
    status: str
    from_number: str | None
    from_number_ids: list[str]
    scheduled_start_at: str | None
    call_window_start: str
    call_window_end: str
    call_window_timezone: str
    max_concurrent_calls: int
    max_attempts_per_contact: int
    retry_delay_minutes: int
    settings: dict[str, Any]
    total_contacts: int
    contacts_called: int
    contacts_completed: int
    contacts_answered: int
    started_at: str | None
    completed_at: str | None
    pause_reason: str | None
    deleted_at: str | None
    created_at: str
    updated_at: str
    waiting_for: NotRequired[dict[str, Any] | None]


class Person(TypedDict):
    id: str
    first_name: str
    last_name: str
    phone: str | None
    email: str | None
    timezone: str | None
    do_not_call: bool


class CampaignContact(TypedDict):
    id: str
    status: str
    priority: int
    attempts: int
    outcome: str | None
    to_number: str | None
    callback_at: str | None
    last_attempt_at: str | None
    next_attempt_at: str | None
    completed_at: str | None
    created_at: str
    contact: Person
    waiting_for: dict[str, Any] | None


class Callback(TypedDict):
    campaign_contact_id: str
    contact_id: str
    to_number: str
    callback_at: str
    callback_until: str | None
    missed_action: str


class Withdrawn(TypedDict):
    campaign_contact_id: str
    contact_id: str
    status: str


class Enrolled(TypedDict):
    added: int
    skipped: int
    invalid: list[dict[str, str]]
    message: str


class Removed(TypedDict):
    removed: int
    message: str


class RunCall(TypedDict):
    campaign_contact_id: str
    contact_id: str
    to_number: str
    from_number: str
    status: str


class Run(TypedDict):
    started: int
    failed: int
    calls: list[RunCall]
    errors: list[str]
    message: str
    dryRun: bool


class Dashboard(TypedDict):
    campaign: Campaign
    counts: dict[str, Any]
    queue: dict[str, list[dict[str, Any]]]
    recent_calls: list[Call]
    pace: dict[str, Any]


class ExtractedField(TypedDict):
    """What became of one name under `extracted` of a call: `applied` to the contact's `field`, or why not; None: judged soon."""

    name: str
    field: str | None
    verdict: str | None
    message: str | None


class Extraction(TypedDict):
    """What became of asking a call's transcript: `status` waiting, done, provider, nothing, given_up or expired."""

    status: str
    tries: int
    asked_at: str | None
    fault: str | None
    dropped: list[dict[str, str]]


class Call(TypedDict):
    """One call; `create` and `get` bring what is not required too."""

    id: str
    team_id: str
    kind: str
    campaign_id: str | None
    campaign_contact_id: str | None
    contact_id: str | None
    assistant_id: str
    adapter: str
    attempt_no: int
    to_number: str
    from_number: str
    status: str
    outcome: str | None
    detail: str | None
    fault: str | None
    cause: str | None
    reason: str | None
    counted: bool
    created_at: str
    placing_at: str | None
    ringing_at: str | None
    answered_at: str | None
    ended_at: str | None
    duration_seconds: float | None
    metadata: NotRequired[dict[str, Any] | None]
    provider_ref: NotRequired[str | None]
    events: NotRequired[list[dict[str, Any]]]
    history: NotRequired[list[dict[str, Any]]]
    transcript: NotRequired[Any]
    recording_url: NotRequired[Any]
    extracted: NotRequired[Any]
    extracted_fields: NotRequired[list[ExtractedField]]
    extraction: NotRequired[Extraction | None]
    result: NotRequired[dict[str, Any]]


class Suppression(TypedDict):
    id: str
    scope: str
    team_id: str | None
    campaign_id: str | None
    phone_number: str
    reason: str | None
    source: str | None
    expires_at: str | None
    created_at: str


class CustomField(TypedDict):
    id: str
    team_id: str
    key: str
    label: str
    type: str
    options: list[str]
    description: str | None
    extractable: bool
    created_at: str
    updated_at: str


class Imported(TypedDict):
    imported: int
    updated: int
    skipped: int
    failed: int
    total: int
    errors: list[dict[str, Any]]
    batch_id: str | None
