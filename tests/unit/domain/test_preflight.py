"""Go, wait until, or never because: and it agrees with the windows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.domain.campaign import CampaignRules
from dialer.domain.machine import CampaignStatus
from dialer.domain.preflight import Facts, Go, Never, Reason, Verdict, Wait, preflight
from scheduler.windows import everywhere, is_open
from tests.support.places import somewhere
from tests.unit.domain.cases import NOW, rules


def ending(at: datetime) -> CampaignRules:
    return rules(settings={"scheduled_end_at": at.isoformat()})


FREE = Facts(
    campaign_status=CampaignStatus.RUNNING,
    pause_reason=None,
    rules=rules(),
    place=somewhere("Europe/Berlin"),
    to_number="+4930901820",
    do_not_call=False,
    suppressed_until=None,
    next_attempt_at=NOW,
    free=1,
    budget=None,
    caller_ids=1,
    trunk_ready=True,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Go(NOW + timedelta(days=1))),
        ({"do_not_call": True}, Never(Reason.DO_NOT_CALL)),
        ({"suppressed_until": datetime.max.replace(tzinfo=UTC)}, Never(Reason.SUPPRESSED)),
        ({"suppressed_until": NOW + timedelta(hours=2)}, Wait(Reason.SUPPRESSED, NOW + timedelta(hours=2))),
        ({"suppressed_until": NOW - timedelta(hours=2)}, Go(NOW + timedelta(days=1))),
        ({"to_number": None}, Never(Reason.NO_PHONE)),
        ({"place": somewhere()}, Never(Reason.NEVER_CALLABLE)),
        ({"campaign_status": CampaignStatus.CANCELLED}, Never(Reason.ENDED)),
        ({"campaign_status": CampaignStatus.DRAFT}, Wait(Reason.NOT_STARTED)),
        ({"campaign_status": CampaignStatus.PAUSED, "pause_reason": "user"}, Wait(Reason.PAUSED)),
        ({"campaign_status": CampaignStatus.PAUSED, "pause_reason": "run_limit"}, Wait(Reason.RUN_LIMIT)),
        ({"rules": None}, Wait(Reason.TRUNK_CONFIG)),
        ({"trunk_ready": False}, Wait(Reason.TRUNK_CONFIG)),
        ({"caller_ids": 0}, Wait(Reason.CALLER_IDS_EXHAUSTED)),
        ({"budget": 0}, Wait(Reason.RUN_LIMIT)),
        ({"next_attempt_at": NOW + timedelta(minutes=5)}, Wait(Reason.NEXT_ATTEMPT, NOW + timedelta(minutes=5))),
        ({"busy": True}, Wait(Reason.NUMBER_BUSY)),
        ({"free": 0}, Wait(Reason.NO_FREE_SLOT)),
        ({"free": None}, Go(NOW + timedelta(days=1))),
        ({"rules": ending(NOW + timedelta(hours=3))}, Go(NOW + timedelta(hours=3, seconds=-90))),
        ({"rules": ending(NOW + timedelta(seconds=91))}, Go(NOW + timedelta(seconds=1))),
        ({"rules": ending(NOW + timedelta(seconds=90))}, Wait(Reason.WINDOW)),
        ({"rules": ending(NOW - timedelta(days=9))}, Wait(Reason.WINDOW)),
        (
            {"rules": ending(NOW + timedelta(hours=1)), "next_attempt_at": NOW + timedelta(minutes=5)},
            Wait(Reason.NEXT_ATTEMPT, NOW + timedelta(minutes=5)),
        ),
        ({"rules": ending(NOW + timedelta(hours=1)), "next_attempt_at": NOW + timedelta(hours=1)}, Wait(Reason.WINDOW)),
        ({"rules": ending(NOW + timedelta(hours=1)), "suppressed_until": NOW + timedelta(hours=2)}, Wait(Reason.WINDOW)),
        ({"rules": ending(NOW - timedelta(days=9)), "place": somewhere()}, Never(Reason.NEVER_CALLABLE)),
        ({"expires_at": NOW}, Never(Reason.EXPIRED)),
        ({"expires_at": NOW, "campaign_status": CampaignStatus.PAUSED}, Never(Reason.EXPIRED)),
        ({"expires_at": NOW + timedelta(seconds=1)}, Go(NOW + timedelta(seconds=1))),
        (
            {"expires_at": NOW + timedelta(hours=1), "next_attempt_at": NOW + timedelta(minutes=59)},
            Wait(Reason.NEXT_ATTEMPT, NOW + timedelta(minutes=59)),
        ),
        ({"expires_at": NOW + timedelta(hours=1), "next_attempt_at": NOW + timedelta(hours=1)}, Never(Reason.EXPIRED)),
        ({"expires_at": NOW, "given_up": Reason.ATTEMPTS_EXHAUSTED}, Never(Reason.ATTEMPTS_EXHAUSTED)),
    ],
)
def test_each_reason(changes: dict[str, object], expected: Verdict) -> None:
    assert preflight(replace(FREE, **changes), NOW) == expected  # type: ignore[arg-type]


def test_what_is_final_is_said_before_what_only_takes_time() -> None:
    facts = replace(FREE, do_not_call=True, campaign_status=CampaignStatus.PAUSED, next_attempt_at=NOW + timedelta(days=1))
    assert preflight(facts, NOW) == Never(Reason.DO_NOT_CALL)


def test_an_unreadable_rule_is_never_a_go_and_an_unknown_zone_is_read_in_the_campaigns_only_if_it_says_so() -> None:
    assert isinstance(preflight(replace(FREE, rules=None), NOW), Wait)
    own = rules(call_window_start="09:00", call_window_end="17:00", settings={"use_contact_timezone_for_call_window": False})
    assert isinstance(preflight(replace(FREE, rules=own, place=somewhere()), NOW), Go)


hours = st.tuples(st.integers(0, 23), st.integers(0, 23)).filter(lambda pair: pair[0] != pair[1])
zones = st.lists(
    st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Kiritimati"]),
    min_size=1,
    max_size=3,
    unique=True,
).map(lambda names: tuple(sorted(names)))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))


@given(hours, zones, moments)
def test_a_go_rings_to_its_end_inside_every_window_and_a_wait_ends_at_a_go(
    pair: tuple[int, int], where: tuple[str, ...], now: datetime
) -> None:
    own = rules(call_window_start=f"{pair[0]:02}:00", call_window_end=f"{pair[1]:02}:00")
    facts = replace(FREE, rules=own, place=somewhere(*where), next_attempt_at=now)
    match preflight(facts, now):
        case Go(not_after):
            assert not_after > now
            for instant in (now, not_after, not_after + timedelta(seconds=own.ring_seconds)):
                assert is_open(everywhere(own.hours.window, where), instant)
        case Wait(Reason.WINDOW, until):
            assert until is not None and until > now
            assert isinstance(preflight(replace(facts, next_attempt_at=until), until), Go)
        case Never(reason):
            assert reason is Reason.NEVER_CALLABLE
            assert not any(
                is_open(everywhere(own.hours.window, where), now + timedelta(hours=h, minutes=1)) for h in range(24 * 8)
            )
        case other:
            raise AssertionError(other)
