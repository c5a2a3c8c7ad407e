"""Who was killed by a storm and what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.domain.machine import ContactStatus
from dialer.domain.reinstate import STORM, Killed, reinstate
from dialer.domain.retry import EXCUSED_A_DAY, CallAgain, Done, Record
from tests.unit.domain.cases import NOW, rules

FOR_EVER = datetime.max
"""As it is read from the ledger: of no time zone."""
EXPIRING = rules(settings={"contact_expiry_days": 1})
KILLED = Killed(
    Record(1, 0),
    enrolled_at=NOW - timedelta(hours=1),
    callable=True,
    suppressed_until=None,
    do_not_call=False,
    over=False,
    rules=rules(),
)


def test_it_waits_as_after_any_failure_of_the_trunk_and_no_attempt_is_used_up() -> None:
    assert reinstate(KILLED, NOW) == CallAgain(NOW + timedelta(seconds=5), STORM, counted=False, excused=True)
    assert reinstate(replace(KILLED, record=Record(1, 2)), NOW).at == NOW + timedelta(seconds=20)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"do_not_call": True}, "do_not_call"),
        ({"over": True}, STORM),
        ({"rules": None}, "unreadable_rules"),
        ({"callable": False}, "no_phone"),
        ({"suppressed_until": FOR_EVER}, "suppressed"),
        ({"rules": EXPIRING, "enrolled_at": NOW - timedelta(days=1)}, "expired"),
        ({"rules": EXPIRING, "suppressed_until": NOW + timedelta(days=2)}, "expired"),
        ({"record": Record(1, EXCUSED_A_DAY - 1)}, "trunk_failures"),
    ],
)
def test_whatever_forbids_another_call_leaves_it_at_its_end(changes: dict[str, object], why: str) -> None:
    assert reinstate(replace(KILLED, **changes), NOW) == Done(ContactStatus.FAILED, why, counted=False, excused=True)  # type: ignore[arg-type]


def test_a_number_that_is_suppressed_for_a_while_is_called_afterwards() -> None:
    until = NOW + timedelta(hours=3)
    again = reinstate(replace(KILLED, suppressed_until=until), NOW)
    assert isinstance(again, CallAgain) and again.at == until


@given(
    st.builds(
        Killed,
        st.builds(Record, st.integers(0, 9), st.integers(0, 2 * EXCUSED_A_DAY)),
        st.datetimes(NOW.replace(tzinfo=None) - timedelta(days=3), NOW.replace(tzinfo=None), timezones=st.just(UTC)),
        st.booleans(),
        st.sampled_from([None, NOW + timedelta(minutes=1), NOW + timedelta(days=2), FOR_EVER]),
        st.booleans(),
        st.booleans(),
        st.sampled_from([None, rules(), EXPIRING]),
    )
)
def test_nobody_is_called_again_against_whom_anything_speaks(found: Killed) -> None:
    decision = reinstate(found, NOW)
    assert decision.excused and not decision.counted
    if not isinstance(decision, CallAgain):
        assert decision.status is ContactStatus.FAILED
        return
    assert found.callable and found.rules is not None and not (found.do_not_call or found.over)
    assert found.record.excused_today + 1 < EXCUSED_A_DAY
    assert decision.at > NOW and decision.at >= (found.suppressed_until or NOW)
    assert decision.at < (found.rules.expires(found.enrolled_at) or datetime.max.replace(tzinfo=UTC))
