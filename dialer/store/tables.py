"""The tables as SQLAlchemy sees them: for the statements that people cause, which are put together from filters.

Columns and types only. Laws, indexes and defaults live in the migrations; a test holds the columns of both against each other.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    FetchedValue,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _texts(*names: str) -> list[Column[str]]:
    return [_text(name, null=True) for name in names]


def _id() -> Column[str]:
    return Column("id", Text, primary_key=True, server_default=FetchedValue())


def _serial(size: type[Integer] = BigInteger) -> Column[int]:
    return Column("id", size, primary_key=True, server_default=FetchedValue())


def _time(name: str, *, null: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=null)


def _times(*names: str) -> list[Column[object]]:
    return [_time(name) for name in names]


def _born(*names: str) -> list[Column[object]]:
    return [Column(name, DateTime(timezone=True), nullable=False, server_default=FetchedValue()) for name in names]


def _int(name: str, *, null: bool = False, small: bool = False) -> Column[int]:
    return Column(name, SmallInteger if small else Integer, nullable=null)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _json(name: str, *, null: bool = False) -> Column[object]:
    return Column(name, JSONB, nullable=null)


def _list(name: str) -> Column[list[str]]:
    return Column(name, ARRAY(Text), nullable=False)


teams = Table(
    "teams",
    metadata,
    _id(),
    _text("name"),
    _text("default_region"),
    _int("max_concurrent_calls", null=True),
    *_born("created_at"),
    Column("number", Integer, nullable=False, server_default=FetchedValue()),
    _list("policy_packs"),
    Column("frequency_caps", JSONB, nullable=False, server_default=FetchedValue()),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _text("team_id"),
    _text("name"),
    Column("key_hash", LargeBinary, nullable=False),
    _text("prefix"),
    _list("scopes"),
    *_times("expires_at", "revoked_at"),
    *_born("created_at"),
)

companies = Table(
    "companies",
    metadata,
    _id(),
    _text("team_id"),
    _text("name"),
    *_texts("website", "industry", "company_size", "address_line1", "address_line2", "city", "state", "postal_code", "country"),
    *_texts("phone", "notes"),
    _json("custom_fields"),
    *_born("created_at", "updated_at"),
)

place_sets = Table("place_sets", metadata, _serial(Integer), _list("zones"), _list("regions"), _text("told_by"))

contacts = Table(
    "contacts",
    metadata,
    _id(),
    _text("team_id"),
    _text("company_id", null=True),
    _text("first_name"),
    _text("last_name"),
    *_texts("email", "phone", "phone_secondary", "job_title", "region"),
    _text("lead_status"),
    *_texts("source", "timezone", "preferred_contact_method"),
    _flag("do_not_call"),
    _text("notes", null=True),
    _json("custom_fields"),
    _list("tags"),
    _int("place_set_id"),
    _text("place_source"),
    *_times("last_contacted_at", "deleted_at"),
    *_born("created_at", "updated_at"),
    Column("tag_set", BigInteger, Computed("hash(…)", persisted=True)),  # what the migration says
    _int("second_place_set_id", null=True),
    Column("told", JSONB, nullable=False, server_default=FetchedValue()),
)

contact_search = Table(
    "contact_search",
    metadata,
    _int("team"),
    _flag("do_not_call"),
    _text("searched"),
    _text("lead_status"),
    Column("tag_set", BigInteger, nullable=False),
    *_born("created_at"),
    Column("id", Uuid, primary_key=True),
)

custom_fields = Table(
    "custom_fields", metadata, _id(), *map(_text, ("team_id", "key", "label", "type")), _list("options"),
    _text("description", null=True), _flag("extractable"), *_born("created_at", "updated_at"),
)  # fmt: skip

assistants = Table(
    "assistants",
    metadata,
    _id(),
    _text("team_id"),
    _text("name"),
    _text("adapter"),
    _text("external_id"),
    _flag("outbound_enabled"),
    _int("max_concurrent_calls", null=True),
    _text("voicemail_action", null=True),
    _json("settings"),
    *_born("created_at", "updated_at"),
)

phone_numbers = Table(
    "phone_numbers",
    metadata,
    _id(),
    _text("team_id"),
    _text("phone_number"),
    *_texts("assistant_id", "resting_reason"),
    _text("adapter"),
    _text("status"),
    *(_int(name, null=True) for name in ("max_concurrent_calls", "daily_limit")),
    _int("weight"),
    *_born("created_at", "updated_at"),
    *_times("resting_until"),
)

campaigns = Table(
    "campaigns",
    metadata,
    _id(),
    _text("team_id"),
    _text("assistant_id"),
    _text("company_id", null=True),
    _text("name"),
    _text("description", null=True),
    _text("status"),
    _list("from_number_ids"),
    *map(_text, ("call_window_start", "call_window_end", "call_window_timezone")),
    *map(_int, ("max_concurrent_calls", "max_attempts_per_contact", "retry_delay_minutes")),
    _json("settings"),
    _int("rules_version"),
    *_times("scheduled_start_at", "started_at", "completed_at", "deleted_at"),
    _text("pause_reason", null=True),
    *_born("created_at", "updated_at"),
    _text("kind"),
    _json("metadata", null=True),
    Column("contact_expiry_days", Integer, Computed("settings …", persisted=True)),  # what the migration says
)

campaign_contacts = Table(
    "campaign_contacts",
    metadata,
    _id(),
    _text("campaign_id"),
    _text("team_id"),
    _text("contact_id"),
    _text("status"),
    _flag("waiting"),
    _int("priority", small=True),
    _int("attempts", small=True),
    _int("attempt_seq"),
    Column("excused_day", Date),
    _int("excused", small=True),
    *_texts("outcome", "reason", "to_number", "last_number_id"),
    _int("place_set_id"),
    _time("next_attempt_at", null=False),
    *_times("last_attempt_at", "completed_at"),
    *_born("created_at"),
    *_times("callback_at", "callback_until"),
    _text("callback_missed", null=True),
    _int("usual_priority", null=True, small=True),
)

callback_asks = Table(
    "callback_asks", metadata, Column("attempt_id", Text, primary_key=True), _text("campaign_id"), _text("campaign_contact_id"),
    *_born("created_at"), *_times("judged_at", "callback_at"), _text("verdict", null=True),
)  # fmt: skip

opt_outs = Table(
    "opt_outs", metadata, Column("attempt_id", Text, primary_key=True), *_born("created_at"), *_times("withdrawn_at"),
)  # fmt: skip

extractions = Table(
    "extractions", metadata, Column("event_id", BigInteger, primary_key=True), _text("attempt_id"), *_born("created_at"),
    *_times("judged_at"), _json("verdicts", null=True),
)  # fmt: skip

transcripts = Table(
    "transcripts", metadata, Column("event_id", BigInteger, primary_key=True), _text("attempt_id"), *map(_int, ("runs", "tries")),
    *_born("created_at", "due_at"), *_times("asked_at"), *_texts("outcome", "fault"), _json("dropped", null=True),
)  # fmt: skip

call_attempts = Table(
    "call_attempts",
    metadata,
    Column("id", Text, primary_key=True),
    *map(_text, ("team_id", "campaign_id", "campaign_contact_id", "contact_id")),
    _int("attempt_no"),
    *map(_text, ("trunk", "assistant_id", "number_id", "to_number", "from_number", "state")),
    _list("scopes"),
    _int("rules_version"),
    _time("not_after", null=False),
    _int("ring_seconds"),
    _int("limit_seconds"),
    *_texts("provider_ref", "outcome", "fault", "cause", "reason", "rule"),
    _flag("counted"),
    _time("claimed_at", null=False),
    *_times("placing_at", "ringing_at", "answered_at", "ended_at", "asked_at"),
    _json("result", null=True),
    Column("caps", ARRAY(Integer)),
    Column("called_at", DateTime(timezone=True), Computed("case …", persisted=True)),  # what the migration says
)

call_events = Table(
    "call_events",
    metadata,
    _serial(),
    _text("attempt_id"),
    _text("adapter"),
    _text("event_key"),
    _text("phase"),
    _time("at", null=False),
    *_born("received_at"),
    *_texts("ref", "outcome", "fault", "cause"),
    _int("sip", null=True),
    _int("q850", null=True),
    _json("data"),
)

suppressions = Table(
    "suppressions",
    metadata,
    _id(),
    _text("scope"),
    _text("team_id", null=True),
    _text("campaign_id", null=True),
    _text("phone_number"),
    *_texts("reason", "source"),
    _time("expires_at"),
    *_born("created_at"),
)

import_batches = Table(
    "import_batches",
    metadata,
    _id(),
    _text("team_id"),
    _text("file_name"),
    _list("header"),
    *map(_int, ("imported", "updated", "skipped", "failed", "total")),
    *_born("created_at"),
)

import_rejects = Table(
    "import_rejects", metadata, Column("batch_id", Text, primary_key=True), Column("row_number", Integer, primary_key=True),
    _text("field"), _text("message"), _list("cells"),
)  # fmt: skip

audit = Table(
    "audit",
    metadata,
    _serial(),
    *_born("at"),
    _text("team_id", null=True),
    _text("actor"),
    _text("action"),
    _text("entity_id", null=True),
    _json("detail"),
)

receipts = Table(
    "receipts",
    metadata,
    Column("team_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    _int("status", null=True, small=True),
    Column("answer", LargeBinary),
    _time("created_at", null=False),
)

history = Table(
    "history",
    metadata,
    _serial(),
    *_born("at"),
    _text("entity"),
    _text("entity_id"),
    _text("campaign_id"),
    *_texts("before", "after", "reason", "rule"),
    _text("actor"),
    Column("xid", BigInteger),
)

reputations = Table(
    "reputations", metadata, Column("number_id", Text, primary_key=True), _text("recent"), _int("rests"), _flag("unjudged")
)
gaps = Table("gaps", metadata, Column("trunk", Text, primary_key=True), _time("at", null=False))
storms = Table(
    "storms", metadata, Column("trunk", Text, primary_key=True), _time("since", null=False), _time("until", null=False),
    _list("suspects"),
)  # fmt: skip
legal_turns = Table("legal_turns", metadata, _text("entity"), _text("before", null=True), _text("after"))

scopes = Table(
    "scopes",
    metadata,
    Column("key", Text, primary_key=True),
    *(_int(name, null=True) for name in ("cap", "budget", "day_limit")),
    _int("active"),
    Column("day", Date),
    _int("day_used"),
    _time("eased_at"),
)

campaign_tallies = Table(
    "campaign_tallies",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("campaign_id", "status", "outcome")),
    Column("called", Boolean, primary_key=True),
    _int("n"),
)

lanes = Table(
    "lanes", metadata, Column("campaign_id", Text, primary_key=True), Column("place_set_id", Integer, primary_key=True),
    Column("priority", SmallInteger, primary_key=True), _int("pending"), _time("next_due", null=False),
)  # fmt: skip

breakers = Table(
    "breakers",
    metadata,
    Column("key", Text, primary_key=True),
    _text("state"),
    *_texts("cause", "probe"),
    _int("failures"),
    _list("offenders"),
    *_times("failed_at", "opened_at", "probe_at"),
)
