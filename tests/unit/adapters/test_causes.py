"""The cause table: what the measured switches report, and what must never kill a number."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.causes import Q850, SIP, Override, judge
from adapters.events import Fault, Outcome

CODES = st.none() | st.integers(0, 999)


@pytest.mark.parametrize(
    ("sip", "q850", "rang", "expected"),
    [
        (486, 17, True, (Outcome.BUSY, Fault.CALLEE)),
        (600, 17, True, (Outcome.BUSY, Fault.CALLEE)),
        (480, 19, True, (Outcome.NO_ANSWER, Fault.CALLEE)),
        (404, 1, False, (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        (604, 3, False, (Outcome.INVALID_NUMBER, Fault.NUMBER)),  # FreeSWITCH says 3 for it
        (484, 28, False, (Outcome.INVALID_NUMBER, Fault.NUMBER)),
        (410, 22, False, (Outcome.INVALID_NUMBER, Fault.CALLEE)),
        (403, 21, False, (Outcome.UNREACHABLE, Fault.CONFIG)),  # 21 alone would be the callee's "no"
        (401, 21, False, (Outcome.UNREACHABLE, Fault.CONFIG)),
        (603, 21, True, (Outcome.DECLINED, Fault.CALLEE)),
        (None, 21, True, (Outcome.DECLINED, Fault.CALLEE)),
        (503, 34, False, (Outcome.UNREACHABLE, Fault.TRUNK)),
        (500, 38, False, (Outcome.UNREACHABLE, Fault.TRUNK)),
        (408, 18, False, (Outcome.UNREACHABLE, Fault.TRUNK)),
        (488, 58, False, (Outcome.UNREACHABLE, Fault.CONFIG)),
        (487, 127, True, (Outcome.NO_ANSWER, Fault.CALLEE)),
        (None, 19, True, (Outcome.NO_ANSWER, Fault.CALLEE)),
        (None, 19, False, (Outcome.UNREACHABLE, Fault.TRUNK)),  # total silence: a dead trunk, not an empty house
        (None, None, False, (Outcome.UNREACHABLE, Fault.TRUNK)),
        (None, None, True, (Outcome.NO_ANSWER, Fault.CALLEE)),
        (480, None, False, (Outcome.NO_ANSWER, Fault.CALLEE)),
        (None, 16, True, (Outcome.CANCELLED, Fault.NONE)),
        (607, None, False, (Outcome.BLOCKED, Fault.NUMBER)),
        (608, None, False, (Outcome.BLOCKED, Fault.CALLEE)),
    ],
)
def test_what_switches_report(sip: int | None, q850: int | None, rang: bool, expected: tuple[Outcome, Fault]) -> None:
    assert judge(sip=sip, q850=q850, rang=rang) == expected


@pytest.mark.parametrize(
    "reason", ["Network Blocked", 'SIP;cause=603;text="v=analytics1;url=https://redress.example";location=LN']
)
def test_a_603_by_analytics_is_a_block_and_not_the_callees_no(reason: str) -> None:
    assert judge(sip=603, q850=21, rang=False, reason=reason) == (Outcome.BLOCKED, Fault.CALLEE)
    assert judge(sip=603, q850=21, rang=True, reason="Decline") == (Outcome.DECLINED, Fault.CALLEE)
    assert judge(sip=486, rang=True, reason=reason) == (Outcome.BUSY, Fault.CALLEE), "of other codes it says nothing"
    mine = Override(re.compile("Network"), (Outcome.UNREACHABLE, Fault.TRUNK))
    assert judge(sip=603, rang=False, reason="Network Blocked", overrides=[mine]) == mine.verdict


@given(CODES, CODES, st.booleans())
def test_an_answered_call_is_nobodys_fault(sip: int | None, q850: int | None, rang: bool) -> None:
    assert judge(sip=sip, q850=q850, rang=rang, answered=True) == (Outcome.ANSWERED, Fault.NONE)


@given(CODES, CODES, st.booleans())
def test_only_listed_causes_kill_a_number_and_unknown_ones_blame_the_trunk(sip: int | None, q850: int | None, rang: bool) -> None:
    _, fault = judge(sip=sip, q850=q850, rang=rang)
    if fault is Fault.NUMBER:
        assert sip in {404, 484, 485, 604, 607} or (sip is None and q850 in {1, 22, 28})
    if (sip is not None and sip not in SIP) or (sip is None and q850 is not None and q850 not in Q850):
        assert fault is Fault.TRUNK


@given(CODES, CODES)
def test_nobody_answered_a_phone_that_never_rang(sip: int | None, q850: int | None) -> None:
    outcome, _ = judge(sip=sip, q850=q850, rang=False)
    assert outcome is not Outcome.NO_ANSWER or sip == 480


def test_a_carriers_private_meaning_comes_first() -> None:
    limit = Override(re.compile(r"\bD2\b|channel limit"), (Outcome.UNREACHABLE, Fault.TRUNK))
    assert judge(sip=403, rang=False, reason="D2 channel limit", overrides=[limit]) == limit.verdict
    assert judge(sip=403, rang=False, reason="D20", overrides=[limit]) == (Outcome.UNREACHABLE, Fault.CONFIG)
