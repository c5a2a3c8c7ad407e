"""Arguments of jobs, as other services may send them."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.queue import Malformed
from dialer.worker import Dial, DialContact, RunCampaign, read

GOOD: dict[str, Any] = {"campaign_id": "camp_1", "max_calls": 3, "idempotency_key": "k"}


def test_by_name_and_by_place() -> None:
    expected = RunCampaign("camp_1", 3, "k")
    assert read(RunCampaign, (), GOOD) == read(RunCampaign, ("camp_1", 3, "k"), {}) == expected
    assert read(RunCampaign, ("camp_1",), {"max_calls": 3, "idempotency_key": "k"}) == expected
    assert read(RunCampaign, (), GOOD | {"max_calls": None}).max_calls is None


@pytest.mark.parametrize(
    ("kind", "given", "named"),
    [
        (RunCampaign, (), {}),
        (RunCampaign, (), {**GOOD, "colour": "red"}),
        (RunCampaign, (), {**GOOD, "max_calls": "3"}),
        (RunCampaign, (), {**GOOD, "max_calls": True}),
        (RunCampaign, (), {**GOOD, "max_calls": 0}),
        (RunCampaign, (), {**GOOD, "max_calls": 2**40}),
        (RunCampaign, (), {**GOOD, "campaign_id": None}),
        (RunCampaign, (), {**GOOD, "campaign_id": "camp\x00"}),
        (RunCampaign, (), {**GOOD, "campaign_id": "camp_1\n"}),
        (RunCampaign, (), {**GOOD, "idempotency_key": ""}),
        (RunCampaign, (), {**GOOD, "idempotency_key": "x" * 256}),
        (RunCampaign, ("camp_1", 3, "k", "more"), {}),
        (RunCampaign, ("camp_1",), GOOD),
        (DialContact, (), {"campaign_id": "c", "contact_id": "p", "priority": 100, "idempotency_key": "k"}),
        (DialContact, (), {"campaign_id": "c", "contact_id": ["p"], "priority": 1, "idempotency_key": "k"}),
        (Dial, (), {"attempt": 7, "campaign": "c", "trunk": "t"}),
        (Dial, (), {"attempt": {}, "campaign": "c", "trunk": "t"}),
    ],
)
def test_anything_else_is_malformed(kind: Any, given: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        read(kind, given, named)


def test_what_was_written_is_not_repeated() -> None:
    with pytest.raises(Malformed) as fault:
        read(RunCampaign, (), {**GOOD, "max_calls": "+14155552671"})
    assert "4155552671" not in str(fault.value) and "max_calls" in str(fault.value)
