"""Values for the tests of the rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dialer.domain.campaign import CampaignRules, rules_of

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)  # a Wednesday


def row(**changes: Any) -> dict[str, Any]:
    """A campaign's row as the ledger has it."""
    return {
        "rules_version": 1,
        "call_window_start": "00:00",
        "call_window_end": "24:00",
        "call_window_timezone": "America/New_York",
        "max_attempts_per_contact": 3,
        "retry_delay_minutes": 60,
        "settings": {},
        "team_caps": [],
    } | changes


def rules(**changes: Any) -> CampaignRules:
    return rules_of(row(**changes))
