"""Settings of a campaign between a request and the ledger."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from dialer.domain.errors import Invalid
from dialer.flows.campaigns.settings import STORED_AS, UNDERSTOOD, checked, merged

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,  # as deep as without a bound, and a fifteenth of the time
)
UNKNOWN = st.text().filter(lambda key: key not in UNDERSTOOD and key not in STORED_AS)
SETTINGS = st.dictionaries(st.sampled_from(sorted(UNDERSTOOD)) | UNKNOWN, JSON)


def row(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Spring",
        "rules_version": 1,
        "call_window_start": "09:00",
        "call_window_end": "17:00",
        "call_window_timezone": "America/New_York",
        "max_concurrent_calls": 3,
        "max_attempts_per_contact": 3,
        "retry_delay_minutes": 60,
        "settings": {},
        **fields,
    }


@given(SETTINGS)
def test_both_spellings_mean_the_same(settings: dict[str, Any]) -> None:
    camel = {to_camel(key) if key in UNDERSTOOD else key: value for key, value in settings.items()}
    assert merged({}, camel) == merged({}, settings)


@given(SETTINGS, SETTINGS)
def test_what_is_not_sent_stays_and_null_takes_away(stored: dict[str, Any], sent: dict[str, Any]) -> None:
    result = merged(stored, sent)
    for key in stored.keys() - sent.keys():
        assert result[key] == stored[key]
    for key, value in sent.items():
        if value is None and (key in stored or key in UNDERSTOOD):
            assert key not in result
        else:
            assert result[key] == value
    assert merged(result, {}) == result


@given(st.dictionaries(UNKNOWN, JSON))
def test_unknown_keys_are_kept_as_they_are(settings: dict[str, Any]) -> None:
    assert checked(row(settings=settings))["settings"] == settings


def test_understood_settings_are_stored_as_they_are_read() -> None:
    """The ledger's own statements read some of them, and must not stumble over another spelling of true."""
    kept = checked(row(settings={"no_auto_complete": "yes", "priority": "7", "days_of_week": ["monday"]}))["settings"]
    assert kept == {"no_auto_complete": True, "priority": 7, "days_of_week": ["monday"]}


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        checked(
            row(name="", call_window_start="25:00", call_window_timezone="", retry_delay_minutes=-1, settings={"priority": 0})
        )
    assert set(refused.value.fields) == {
        "name", "callWindowStart", "callWindowTimezone", "retryDelayMinutes", "settings.priority",
    }  # fmt: skip
